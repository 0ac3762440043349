"""Turning the validator's errors into what a person needs: the key as they wrote it, what is wrong, how to mend it.

No text here repeats a value: the value under a wrong key may be a password. Bounds and choices are ours, so they may
be named.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tailrace.domain.kinds import SinkKind
from tailrace.settings.places import Place
from tailrace.settings.problems import KeyPath, dotted, listed, nearest
from tailrace.settings.sinks import SinkSettings, Step
from tailrace.settings.tree import Settings
from tailrace.settings.values import SINK_ID_PATTERN, GroupName, TopicName

Explanation = tuple[str, str]

_SINK_BY_KIND: Mapping[str, Any] = MappingProxyType(
    {get_args(one.model_fields["kind"].annotation)[0].value: one for one in get_args(get_args(SinkSettings)[0])}
)


def explain(error: ErrorDetails) -> tuple[KeyPath, str, str]:
    """The key path, what is wrong, and how to mend it."""
    loc = tuple(str(step) for step in error["loc"])
    # The validator names the kind it chose between id and key, which nobody wrote there.
    kind = loc[2] if len(loc) > 2 and loc[0] == "sinks" and loc[2] in _SINK_BY_KIND else None
    path = loc if kind is None else (*loc[:2], *loc[3:])
    if path[-1] == "[key]":
        path = path[:-1]
    if error["type"] == "union_tag_invalid":
        return (*path, "kind"), *_bad_kind(error["input"])
    return path, *_explain(error, path, kind)


def _explain(error: ErrorDetails, path: KeyPath, kind: str | None) -> Explanation:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            found = _unknown(path, kind)
        case "missing":
            found = _missing(path, kind)
        case "tailrace":
            found = str(context["wrong"]), str(context["remedy"])
        case "string_pattern_mismatch" if (known := _BY_PATTERN.get(str(context.get("pattern")))) is not None:
            found = known
        case other if (explained := _BY_TYPE.get(other)) is not None:
            found = explained(context)
        case _:
            found = "is not a value this key takes", f"The rule is: {error['msg'][:1].lower()}{error['msg'][1:]}"
    return found


def _unknown(path: KeyPath, kind: str | None) -> Explanation:
    keys = _above(path, kind).keys
    key = path[-1]
    of_kind = f" of a {kind} sink" if kind is not None and len(path) == 3 else ""
    others = [other for other, sink in _SINK_BY_KIND.items() if of_kind and key in sink.model_fields]
    if others:
        return f"is not a key{of_kind}", f"It belongs to kind {listed(others)}: remove it or change the kind"
    near = nearest(key, keys)
    hint = f"Did you mean {dotted((*path[:-1], near))}?" if near else f"Keys there: {listed(keys)}."
    return f"is not a known key{of_kind}", f"{hint} Rename or remove it"


def _missing(path: KeyPath, kind: str | None) -> Explanation:
    field = _field(path, kind)
    example = f" {field.examples[0]}" if field is not None and field.examples else ""
    meaning = f" ({field.description.rstrip('.')})" if field is not None and field.description else ""
    parent = f" under {dotted(path[:-1])}" if path[:-1] else ""
    return "is missing", f"Add {path[-1]}:{example}{parent}{meaning}"


def _bad_kind(written: object) -> Explanation:
    kind = written.get("kind") if isinstance(written, Mapping) else None
    if kind in set(SinkKind):
        return f"{kind} sinks are not in this version", f"Kinds there are: {listed(_SINK_BY_KIND)}"
    near = nearest(kind, _SINK_BY_KIND) if isinstance(kind, str) else None
    return (
        "is not a kind of sink",
        f"{f'Did you mean {near}? ' if near else ''}Kinds there are: {listed(_SINK_BY_KIND)}",
    )


def _above(path: KeyPath, kind: str | None) -> Place:
    place = Place.of(Settings)
    for depth, key in enumerate(path[:-1]):
        # Behind the sink's id the kind is known, so that only its own keys are suggested.
        found = Place.of(_SINK_BY_KIND[kind]) if depth == 1 and kind is not None else place.below(key)
        place = found or Place(())
    return place


def _field(path: KeyPath, kind: str | None) -> FieldInfo | None:
    for section in _above(path, kind).alternatives:
        fields: Mapping[str, FieldInfo] = getattr(section, "model_fields", {})
        if path[-1] in fields:
            return fields[path[-1]]
    return None


def _pattern(annotation: Any) -> str:
    return str(get_args(annotation)[1].pattern)


_BY_PATTERN: Mapping[str, Explanation] = MappingProxyType(
    {
        SINK_ID_PATTERN: (
            "is not a sink id",
            (
                "Use lower-case letters, digits, - and _, at most 63, a letter or digit first; a dot would let the "
                "cursor groups of two workers collide"
            ),
        ),
        _pattern(TopicName): ("is not a topic name", "Use letters, digits, dot, - and _, at most 249"),
        _pattern(GroupName): ("is not a group name", "Use letters, digits, dot, - and _, at most 190"),
        _pattern(Step): ("is not an outcome", "Write accept, refuse, retry, or retry:SECONDS such as retry:0.5"),
        r"^[a-zA-Z0-9._-]+$": ("is not a client id", "Use letters, digits, dot, - and _"),
    }
)


def _is_not(what: str, remedy: str) -> Callable[[Mapping[str, Any]], Explanation]:
    return lambda _: (f"is not {what}", remedy)


def _out_of_bounds(name: str, words: str) -> Callable[[Mapping[str, Any]], Explanation]:
    return lambda context: (f"is out of range: it must be {words} {context[name]}", "Choose a value in range")


def _choose(context: Mapping[str, Any]) -> Explanation:
    # The validator's list holds the Python spelling of enumerations around the quoted symbols.
    choices = re.findall(r"'([^']*)'", str(context["expected"]))
    return "is not one of its values", f"Write one of {listed(choices)}"


_MAPPING = _is_not("a mapping of keys", "Indent its keys below it, or remove it")
_LIST = _is_not("a list", 'Write it like ["usage", "run_terminal"]')
_TEXT = _is_not("a text", "Write a text; put numbers and words like yes or on in quotes")
_WHOLE = _is_not("a whole number", "Write digits only: units are in the key's name")
_DECIMAL = _is_not("a number", "Write digits with at most one dot: units are in the key's name")
_TRUTH = _is_not("a truth value", "Write true or false")
_FILE = _is_not("a file that exists", "Mend the path, or mount the file there")

_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], Explanation]] = MappingProxyType(
    {
        "union_tag_not_found": lambda _: ("has no kind", f"Add kind: with one of {listed(_SINK_BY_KIND)}"),
        "model_type": _MAPPING,
        "model_attributes_type": _MAPPING,
        "dict_type": _MAPPING,
        "mapping_type": _MAPPING,
        "tuple_type": _LIST,
        "string_type": _TEXT,
        "path_type": _TEXT,
        "string_too_short": _is_not("a text of at least one character", "Fill it in, or remove the key"),
        "string_too_long": lambda context: ("is too long", f"Use at most {context['max_length']} characters"),
        "int_type": _WHOLE,
        "int_parsing": _WHOLE,
        "int_parsing_size": _WHOLE,
        "int_from_float": _WHOLE,
        "float_type": _DECIMAL,
        "float_parsing": _DECIMAL,
        "finite_number": _DECIMAL,
        "bool_type": _TRUTH,
        "bool_parsing": _TRUTH,
        "enum": _choose,
        "literal_error": _choose,
        "greater_than": _out_of_bounds("gt", "above"),
        "greater_than_equal": _out_of_bounds("ge", "at least"),
        "less_than": _out_of_bounds("lt", "below"),
        "less_than_equal": _out_of_bounds("le", "at most"),
        "too_short": lambda _: ("is empty", "Add at least one sink, with its id as the key and its kind below it"),
        "path_not_file": _FILE,
    }
)
