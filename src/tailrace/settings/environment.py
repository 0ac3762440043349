"""Reading `TAILRACE_…__…` variables: each names a key of the configuration and overrides the file.

`TAILRACE_SINKS__ANALYTICS__TOPIC` is `sinks.analytics.topic`. Names are case-insensitive behind the prefix. A value is
taken as it stands; a key that holds a list or a mapping takes JSON; `null` unsets a key that may be unset. A variable
that matches no key is an error: a setting that nobody reads is a setting somebody believes in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.settings.places import Place
from tailrace.settings.problems import Finding, KeyPath, Severity, dotted, listed, nearest
from tailrace.settings.tree import Settings

PREFIX = "TAILRACE_"
DELIMITER = "__"

CONFIG_VARIABLE = "TAILRACE_CONFIG"
"""Names the configuration file for commands that are not told one; not a setting itself."""

# What the project's own test suite is steered by. It runs commands in the environment it was started with.
TEST_PREFIX = "TAILRACE_TEST_"


@dataclass(frozen=True, slots=True)
class WrittenEnvironment:
    """What the variables say as a tree, which variable said it, and what is wrong with them."""

    tree: Mapping[str, Any]
    variables: Mapping[KeyPath, str]
    findings: tuple[Finding, ...]

    def place_of(self, path: KeyPath) -> str | None:
        """The variable that wrote this key, None if none did."""
        for length in range(len(path), 0, -1):
            if (name := self.variables.get(path[:length])) is not None:
                return f"environment variable {name}"
        return None


def read_environment(environ: Mapping[str, str]) -> WrittenEnvironment:
    """Read the variables; what is wrong with them comes back as findings beside what is right. Never raises."""
    tree: dict[str, Any] = {}
    variables: dict[KeyPath, str] = {}
    findings: list[Finding] = []
    # Short names first, so that one key of a mapping given as JSON can still be overridden by its own variable.
    for name in sorted(environ, key=lambda name: (name.count(DELIMITER), name)):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE or name.startswith(TEST_PREFIX):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split(DELIMITER))
        place = _find(name, path)
        value = _value(name, path, place, environ[name]) if isinstance(place, Place) else place
        if isinstance(value, Finding):
            findings.append(value)
            continue
        _put(tree, path, value)
        variables[path] = name
    return WrittenEnvironment(tree, variables, tuple(findings))


def _find(name: str, path: KeyPath) -> Place | Finding:
    place = Place.of(Settings)
    for depth, key in enumerate(path):
        below = place.below(key) if key else None
        if below is None:
            return _unknown(name, path, depth, place)
        place = below
    return place


def _unknown(name: str, path: KeyPath, depth: int, place: Place) -> Finding:
    if not place.is_mapping:
        wrong = f"{dotted(path[:depth])} has no keys of its own"
        remedy = f"Set {_variable(path[:depth])} itself, or remove the variable"
    else:
        wrong = f"no key of the configuration is called {dotted(path[: depth + 1])}"
        near = nearest(path[depth], place.keys)
        remedy = (
            f"Did you mean {_variable((*path[:depth], near, *path[depth + 1 :]))}? Rename or remove the variable"
            if near
            else f"Keys there: {listed(place.keys)}. Rename or remove the variable"
        )
    return _finding(name, path, wrong, remedy)


def _value(name: str, path: KeyPath, place: Place, text: str) -> Any:
    if text == "null" and place.may_be_null:
        return None
    if not (place.is_mapping or place.is_list):
        return text
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, list if place.is_list else dict):
        return parsed
    shape, example = ("list", '["usage", "run_terminal"]') if place.is_list else ("mapping", '{"key": "value"}')
    return _finding(name, path, f"is not a {shape} in JSON", f"Write it like {example}")


def _finding(name: str, path: KeyPath, wrong: str, remedy: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        source=f"environment variable {name}",
        key=dotted(step for step in path if step),
        wrong=wrong,
        remedy=remedy,
    )


def _variable(path: KeyPath) -> str:
    return PREFIX + DELIMITER.join(path).upper()


def _put(tree: dict[str, Any], path: KeyPath, value: Any) -> None:
    for key in path[:-1]:
        below = tree.get(key)
        if not isinstance(below, dict):
            below = tree[key] = {}
        tree = below
    tree[path[-1]] = value
