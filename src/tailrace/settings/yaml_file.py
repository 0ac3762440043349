"""Reading the configuration file: strict YAML, with the line of every key kept for messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tailrace.settings.problems import Finding, KeyPath, SettingsError, Severity, dotted

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What a file says, and on which line (from 1) each key stands."""

    name: str
    tree: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def place_of(self, path: KeyPath) -> str:
        """`file:line` of the key, or of the nearest one above it that is written down."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return f"{self.name}:{line}"
        return self.name


def read_yaml(file: Path) -> WrittenFile:
    """Read one YAML mapping.

    Raises SettingsError if the file does not exist, cannot be read, is not YAML, is not one mapping, or writes a key
    twice: YAML would keep the last one in silence, which for two sinks of one id loses a sink.
    """
    text = _text_of(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _refuse(_yaml_place(file, error), "", "is not valid YAML", "Check indentation and quotes there") from None
    if not isinstance(root, yaml.MappingNode):
        raise _refuse(
            str(file),
            "",
            "is not a mapping of keys",
            "Begin with the keys kafka:, events: and sinks:, as the example does",
        )
    lines: dict[KeyPath, int] = {}
    _walk(file, root, (), lines, ())
    return WrittenFile(str(file), tree, lines)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        wrong, remedy = "does not exist", "Check the path given with --config"
    except IsADirectoryError:
        wrong, remedy = "is a directory", "Name the file in it"
    except UnicodeDecodeError:
        wrong, remedy = "is not UTF-8 text", "Save it as UTF-8"
    except OSError as error:
        wrong, remedy = f"cannot be read ({error.strerror})", "Check its permissions"
    raise _refuse(str(file), "", wrong, remedy)


def _refuse(source: str, key: str, wrong: str, remedy: str) -> SettingsError:
    return SettingsError([Finding(severity=Severity.ERROR, source=source, key=key, wrong=wrong, remedy=remedy)])


def _yaml_place(file: Path, error: yaml.YAMLError) -> str:
    # The parser's own text may quote the line, and the line may hold a password: only its number goes on.
    mark = getattr(error, "problem_mark", None)
    return f"{file}:{mark.line + 1}" if mark is not None else str(file)


def _walk(file: Path, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], above: tuple[int, ...]) -> None:
    if id(node) in above:
        raise _refuse(f"{file}:{node.start_mark.line + 1}", dotted(path), "contains itself", "Remove the alias")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(file, item, (*path, str(index)), lines, (*above, id(node)))
    if not isinstance(node, yaml.MappingNode):
        return
    written: set[str] = set()
    for key, value in node.value:
        place = f"{file}:{key.start_mark.line + 1}"
        if key.tag == _MERGE:
            continue
        if key.tag != "tag:yaml.org,2002:str":
            raise _refuse(place, dotted(path), "has a key that is not a text", "Put the key in quotes")
        if key.value in written:
            raise _refuse(
                place,
                dotted((*path, key.value)),
                "is written twice",
                "Keep one of the two; give a second sink its own id",
            )
        written.add(key.value)
        lines[(*path, key.value)] = key.start_mark.line + 1
        _walk(file, value, (*path, key.value), lines, (*above, id(node)))
