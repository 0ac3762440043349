"""Turning the validator's errors into what a person needs: the key as they wrote it, what is wrong, how to mend it.

No text here repeats a value: the value under a wrong key may be a password. Bounds and choices are ours, so they may
be named.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tailrace.domain.kinds import SinkKind
from tailrace.settings.capture import StoreSettings
from tailrace.settings.places import Place
from tailrace.settings.problems import KeyPath, dotted, listed, nearest
from tailrace.settings.sinks import SinkSettings, Step
from tailrace.settings.tree import Settings
from tailrace.settings.values import SINK_ID_PATTERN, ChosenName, GroupName, TopicName

Explanation = tuple[str, str]


def _by_kind(union: Any) -> Mapping[str, Any]:
    """The classes of a union by the kind each is for; the kind may be an enumeration's or a text."""
    kinds = {get_args(one.model_fields["kind"].annotation)[0]: one for one in get_args(get_args(union)[0])}
    return MappingProxyType({str(getattr(kind, "value", kind)): one for kind, one in kinds.items()})


@dataclass(frozen=True, slots=True)
class _Kinds:
    """A place of the tree that is one of several classes, told apart by `kind`; `later` are kinds of other versions."""

    noun: str
    classes: Mapping[str, Any]
    later: frozenset[str] = frozenset()


_SINKS = _Kinds("sink", _by_kind(SinkSettings), frozenset(kind.value for kind in SinkKind))
_STORES = _Kinds("store", _by_kind(StoreSettings))


def _kinds_at(loc: KeyPath) -> _Kinds | None:
    if loc[0] == "sinks":
        return _SINKS
    return _STORES if loc[:2] == ("capture", "store") else None


def explain(error: ErrorDetails) -> tuple[KeyPath, str, str]:
    """The key path, what is wrong, and how to mend it."""
    loc = tuple(str(step) for step in error["loc"])
    kinds = _kinds_at(loc)
    # The validator names the kind it chose below the place that has one, which nobody wrote there.
    kind = loc[2] if kinds is not None and len(loc) > 2 and loc[2] in kinds.classes else None
    path = loc if kind is None else (*loc[:2], *loc[3:])
    if path[-1] == "[key]":
        path = path[:-1]
    if kinds is not None and error["type"] == "union_tag_invalid":
        return (*path, "kind"), *_bad_kind(error["input"], kinds)
    if kinds is not None and error["type"] == "union_tag_not_found":
        return path, "has no kind", f"Add kind: with one of {listed(kinds.classes)}"
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
    kinds = _kinds_at(path) if kind is not None and len(path) == 3 else None
    of_kind = "" if kinds is None else f" of {_article(kind)} {kind} {kinds.noun}"
    others = [] if kinds is None else [other for other, one in kinds.classes.items() if key in one.model_fields]
    if others:
        return f"is not a key{of_kind}", f"It belongs to kind {listed(others)}: remove it or change the kind"
    near = nearest(key, keys)
    hint = f"Did you mean {dotted((*path[:-1], near))}?" if near else f"Keys there: {listed(keys)}."
    return f"is not a known key{of_kind}", f"{hint} Rename or remove it"


def _article(word: str | None) -> str:
    return "an" if word is not None and word.startswith(("a", "e", "i", "o", "u")) else "a"


def _missing(path: KeyPath, kind: str | None) -> Explanation:
    field = _field(path, kind)
    example = f" {field.examples[0]}" if field is not None and field.examples else ""
    meaning = f" ({field.description.rstrip('.')})" if field is not None and field.description else ""
    parent = f" under {dotted(path[:-1])}" if path[:-1] else ""
    return "is missing", f"Add {path[-1]}:{example}{parent}{meaning}"


def _bad_kind(written: object, kinds: _Kinds) -> Explanation:
    kind = written.get("kind") if isinstance(written, Mapping) else None
    known = f"Kinds there are: {listed(kinds.classes)}"
    if kind in kinds.later:
        return f"{kind} {kinds.noun}s are not in this version", known
    near = nearest(kind, kinds.classes) if isinstance(kind, str) else None
    return f"is not a kind of {kinds.noun}", f"{f'Did you mean {near}? ' if near else ''}{known}"


def _above(path: KeyPath, kind: str | None) -> Place:
    place = Place.of(Settings)
    for depth, key in enumerate(path[:-1]):
        # Behind the place that has one the kind is known, so that only its own keys are suggested.
        kinds = _kinds_at(path) if depth == 1 and kind is not None else None
        found = Place.of(kinds.classes[str(kind)]) if kinds is not None else place.below(key)
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
        _pattern(ChosenName): ("is not a name", "Use lower-case letters, digits, - and _, at most 40"),
        r"^[a-z][a-z0-9_]{0,39}$": (
            "is not the name of a category",
            "Use lower-case letters, digits and _, at most 40, a letter first",
        ),
        r"^([A-Za-z0-9._:/-]{1,200})?$": (
            "is not the name of a redaction policy",
            "Use letters, digits and . _ : / -, at most 200",
        ),
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
