"""The JSON form of domain values: objects with the fields' names, None and empty tuples left out, enums by symbol.

The forms are those of the agent SDK, so that either side reads what the other wrote. Where a form differs from that,
the type says so: `ALWAYS_WRITTEN` on a field, `Tagged` or `NamedCase` on a union, `Transparent` above a class. Reading
is strict about types, ranges and symbols, takes None for a missing optional field and an empty tuple for a missing
sequence, and passes over keys it does not know, so that what a newer writer added does no harm.

Standard library only; every function is pure and may be called from any thread.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from tailrace.domain.errors import InvalidField, InvalidJson

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

T = TypeVar("T")

ALWAYS_WRITTEN: Mapping[str, bool] = types.MappingProxyType({"always_written": True})
"""Field metadata: None is written as null, and an empty tuple as an empty list, instead of being left out."""


class Transparent:
    """A dataclass that derives from this has one field, and is written as that field's form alone."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)  # a part of a type hint must be hashable
class Tagged:
    """A union written as `{tag_key: <case>, value_key: <the case's own form>}`."""

    tag_key: str
    value_key: str
    cases: Mapping[str, type]


@dataclass(frozen=True, eq=False)  # a part of a type hint must be hashable
class NamedCase:
    """A union written as `{<case>: <form>}`; a case with one field has that field's form, one without is a string."""

    cases: Mapping[str, type]


def to_jsonable(value: object) -> JsonValue:
    """`value`, an instance of one of the domain's dataclasses, as plain dicts, lists, strings and numbers."""
    return _form(type(value)).write(value)


def from_jsonable(kind: type[T], jsonable: JsonValue) -> T:
    """The value of class `kind` whose form `jsonable` is.

    Raises InvalidJson, naming the first field that is missing, of the wrong type, out of range or an unknown symbol.
    """
    value = _form(kind).read("", jsonable)
    assert isinstance(value, kind)
    return value


def to_json(value: object) -> str:
    """`value` as compact JSON text, fields in declared order."""
    return json.dumps(to_jsonable(value), separators=(",", ":"), ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """The value of class `kind` that `text` describes.

    Raises InvalidJson if `text` is no JSON, repeats a key within one object, or is not the form of `kind`.
    """
    try:
        jsonable = json.loads(text, object_pairs_hook=_object_of, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The parser's own error repeats the text, which may be anything, so it does not become the cause.
        raise InvalidJson("", "is not JSON") from None
    return from_jsonable(kind, jsonable)


def _object_of(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidJson("", "names a key twice in one object")
        found[key] = value
    return found


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(name)  # NaN and Infinity, which json.loads would take although JSON has no such thing


class _Form(Protocol):
    """How the values of one declared type are written and read."""

    def write(self, value: Any) -> JsonValue: ...

    def read(self, path: str, jsonable: JsonValue) -> Any: ...


@dataclass(frozen=True)
class _Scalar:
    kind: type
    article: str

    def write(self, value: Any) -> JsonValue:
        scalar: JsonValue = value
        return scalar

    def read(self, path: str, jsonable: JsonValue) -> Any:
        # type() and not isinstance(): True is an int to Python and not to JSON.
        if type(jsonable) is not self.kind:
            raise InvalidJson(path, f"must be {self.article}")
        if isinstance(jsonable, str) and not jsonable.isascii():
            try:
                jsonable.encode()
            except UnicodeEncodeError:
                raise InvalidJson(path, "must be a string of Unicode characters, not of half ones") from None
        return jsonable


@dataclass(frozen=True)
class _Symbol:
    kind: type[StrEnum]

    def write(self, value: StrEnum) -> JsonValue:
        return value.value

    def read(self, path: str, jsonable: JsonValue) -> Any:
        try:
            return self.kind(jsonable if isinstance(jsonable, str) else "")
        except ValueError:
            raise InvalidJson(path, f"must be one of {', '.join(self.kind)}") from None


@dataclass(frozen=True)
class _Sequence:
    item: _Form

    def write(self, value: tuple[object, ...]) -> JsonValue:
        return [self.item.write(item) for item in value]

    def read(self, path: str, jsonable: JsonValue) -> Any:
        if not isinstance(jsonable, list):
            raise InvalidJson(path, "must be a list")
        return tuple(self.item.read(f"{path}[{index}]", item) for index, item in enumerate(jsonable))


@dataclass(frozen=True)
class _Field:
    name: str
    form: _Form
    optional: bool
    sequence: bool
    always_written: bool


@dataclass(frozen=True)
class _Record:
    kind: type
    fields: tuple[_Field, ...]

    def write(self, value: object) -> JsonValue:
        written: dict[str, JsonValue] = {}
        for field in self.fields:
            part = getattr(value, field.name)
            if part is None or (field.sequence and not part):
                if field.always_written:
                    written[field.name] = [] if field.sequence else None
            else:
                written[field.name] = field.form.write(part)
        return written

    def read(self, path: str, jsonable: JsonValue) -> Any:
        if not isinstance(jsonable, dict):
            raise InvalidJson(path, "must be an object")
        return _made(self.kind, path, {field.name: self._part(path, field, jsonable) for field in self.fields})

    def _part(self, path: str, field: _Field, jsonable: dict[str, JsonValue]) -> Any:
        here = f"{path}.{field.name}" if path else field.name
        if field.name not in jsonable:
            if field.optional:
                return None
            if field.sequence and not field.always_written:
                return ()
            raise InvalidJson(here, "is missing")
        part = jsonable[field.name]
        return None if part is None and field.optional else field.form.read(here, part)


@dataclass(frozen=True)
class _Only:
    kind: type
    field: _Field

    def write(self, value: object) -> JsonValue:
        return self.field.form.write(getattr(value, self.field.name))

    def read(self, path: str, jsonable: JsonValue) -> Any:
        part = self.field.form.read(path, jsonable)
        try:
            return self.kind(part)
        except InvalidField as refusal:
            raise InvalidJson(path, refusal.problem) from None


@dataclass(frozen=True)
class _TaggedUnion:
    mark: Tagged

    def write(self, value: object) -> JsonValue:
        return {
            self.mark.tag_key: _case_name(self.mark.cases, value),
            self.mark.value_key: _form(type(value)).write(value),
        }

    def read(self, path: str, jsonable: JsonValue) -> Any:
        if not isinstance(jsonable, dict):
            raise InvalidJson(path, "must be an object")
        for key in (self.mark.tag_key, self.mark.value_key):
            if key not in jsonable:
                raise InvalidJson(f"{path}.{key}".lstrip("."), "is missing")
        case = _case(self.mark.cases, f"{path}.{self.mark.tag_key}".lstrip("."), jsonable[self.mark.tag_key])
        return _form(case).read(f"{path}.{self.mark.value_key}".lstrip("."), jsonable[self.mark.value_key])


@dataclass(frozen=True)
class _NamedUnion:
    mark: NamedCase

    def write(self, value: object) -> JsonValue:
        name = _case_name(self.mark.cases, value)
        form = self._payload(type(value))
        return name if form is None else {name: form.write(value)}

    def read(self, path: str, jsonable: JsonValue) -> Any:
        if isinstance(jsonable, dict) and len(jsonable) == 1:
            ((name, payload),) = jsonable.items()
            case = _case(self.mark.cases, path, name)
            form = self._payload(case)
            if form is None:
                raise InvalidJson(f"{path}.{name}".lstrip("."), "must be a string on its own")
            return form.read(f"{path}.{name}".lstrip("."), payload)
        case = _case(self.mark.cases, path, jsonable)
        if self._payload(case) is not None:
            raise InvalidJson(path, "must be an object with one key")
        return case()

    @staticmethod
    def _payload(case: type) -> _Form | None:
        form = _form(case)
        assert isinstance(form, _Record)
        if not form.fields:
            return None
        return _Only(case, form.fields[0]) if len(form.fields) == 1 else form


def _made(kind: type, path: str, parts: dict[str, Any]) -> Any:
    try:
        return kind(**parts)
    except InvalidField as refusal:
        raise InvalidJson(f"{path}.{refusal.field}".lstrip("."), refusal.problem) from None


def _case_name(cases: Mapping[str, type], value: object) -> str:
    return next(name for name, case in cases.items() if case is type(value))


def _case(cases: Mapping[str, type], path: str, name: JsonValue) -> type:
    if not isinstance(name, str) or name not in cases:
        raise InvalidJson(path, f"must be one of {', '.join(cases)}")
    return cases[name]


# Filled as types are met; two threads that meet the same type find the same form.
_FORMS: dict[object, _Form] = {
    str: _Scalar(str, "a string"),
    int: _Scalar(int, "a whole number"),
    bool: _Scalar(bool, "true or false"),
}


def _form(hint: Any) -> _Form:
    """The form of a declared type; found once, since every value of the type has the same."""
    if hint not in _FORMS:
        _FORMS[hint] = _find_form(hint)
    return _FORMS[hint]


def _find_form(hint: Any) -> _Form:
    if get_origin(hint) is Annotated:
        inner, mark = get_args(hint)
        if isinstance(mark, Tagged):
            return _TaggedUnion(mark)
        return _NamedUnion(mark) if isinstance(mark, NamedCase) else _form(inner)
    if get_origin(hint) is tuple:
        return _Sequence(_form(get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _Symbol(hint)
    assert isinstance(hint, type), f"{hint} has no JSON form"
    assert is_dataclass(hint), f"{hint} has no JSON form"
    hints = get_type_hints(hint, include_extras=True)
    parts = tuple(_field(field.name, hints[field.name], field.metadata) for field in fields(hint))
    return _Only(hint, parts[0]) if issubclass(hint, Transparent) else _Record(hint, parts)


def _field(name: str, hint: Any, metadata: Mapping[Any, Any]) -> _Field:
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)
    if optional:
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    return _Field(
        name=name,
        form=_form(hint),
        optional=optional,
        sequence=get_origin(hint) is tuple,
        always_written="always_written" in metadata,
    )
