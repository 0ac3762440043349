"""The shape of every command's help: what it promises, more about it, examples to copy, and what its exit code says."""

from collections.abc import Sequence
from dataclasses import dataclass

TERMINAL_COLUMNS = 78
"""What fits on a terminal nobody has widened, inside the help's margin: beyond it an example cannot be copied whole."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """A command's help as parts. Line ends in `about` mean nothing, empty lines part paragraphs: the terminal wraps.

    `examples` are command lines with a few words each on what they are for, empty where the line says it itself.
    `ok` and `failed` say what exit codes 0 and 1 mean here; 2 means the same everywhere.
    """

    promise: str
    about: str
    examples: Sequence[tuple[str, str]]
    ok: str
    failed: str

    def text(self) -> str:
        """The help as Typer takes it, in rich's markup."""
        parts = [self.promise, *(" ".join(paragraph.split()) for paragraph in self.about.split("\n\n"))]
        parts.append("\n".join(["[bold]Examples[/bold]", *self._example_lines()]))
        exits = [
            f"  0 {self.ok}",
            f"  1 {self.failed}",
            "  2 the configuration or an option is wrong",
        ]
        parts.append("\n".join(["[bold]Exit codes[/bold]", *exits]))
        return "\n\n".join(parts)

    def _example_lines(self) -> list[str]:
        width = max((len(line) for line, words in self.examples if words), default=0)
        beside = [f"  {line:<{width}}   {words}".rstrip() for line, words in self.examples]
        if max(map(len, beside)) <= TERMINAL_COLUMNS:
            return beside
        return [f"  {text}" for line, words in self.examples for text in (f"# {words}", line) if text != "# "]
