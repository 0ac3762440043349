"""From a file and the environment to one frozen tree, or to every reason why not."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from tailrace.settings.checks import check
from tailrace.settings.environment import WrittenEnvironment, read_environment
from tailrace.settings.explain import explain
from tailrace.settings.problems import Finding, KeyPath, SettingsError, Severity, dotted
from tailrace.settings.tree import Settings
from tailrace.settings.yaml_file import WrittenFile, read_yaml


class _Written(PydanticBaseSettingsSource):
    """A source whose tree has been read already."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        super().__init__(Settings)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._tree.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._tree)


def load(file: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[Finding, ...]]:
    """The configuration of `file`, overridden by `TAILRACE_…` variables of `environ`, and the warnings about it.

    Raises SettingsError, with every reason found, if the file cannot be read, a key or variable is unknown, a value is
    not what its key takes, or the parts do not fit together (docs/DESIGN.md, Configuration).
    """
    written = read_yaml(file)
    variables = read_environment(environ)
    sources: tuple[PydanticBaseSettingsSource, ...] = (_Written(variables.tree), _Written(written.tree))
    try:
        # A parameter of BaseSettings that the synthesised signature of a model hides.
        settings = Settings(_build_sources=(sources, {}))  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError([*variables.findings, *_findings(error, written, variables)]) from None
    findings = (*variables.findings, *_placed(check(settings), written, variables))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise SettingsError(findings)
    return settings, findings


def _findings(error: ValidationError, file: WrittenFile, variables: WrittenEnvironment) -> Iterable[Finding]:
    # The input is asked for one check only, of what was written as a `kind`; it never reaches a message.
    for one in error.errors(include_url=False):
        path, wrong, remedy = explain(one)
        yield Finding(
            severity=Severity.ERROR, source=_place(path, file, variables), key=dotted(path), wrong=wrong, remedy=remedy
        )


def _placed(findings: Iterable[Finding], file: WrittenFile, variables: WrittenEnvironment) -> Iterable[Finding]:
    for finding in findings:
        path = tuple(finding.key.split("."))
        yield Finding(
            severity=finding.severity,
            source=_place(path, file, variables),
            key=finding.key,
            wrong=finding.wrong,
            remedy=finding.remedy,
        )


def _place(path: KeyPath, file: WrittenFile, variables: WrittenEnvironment) -> str:
    return variables.place_of(path) or file.place_of(path)
