"""An Avro schema as a tree of values: what resolution, safety and compatibility are decided on.

Names are full names, references are replaced by what they name, and everything that does not change the bytes or their
resolution (docs, order, unknown properties) is gone. A name that occurs inside its own definition becomes a `Recursion`
leaf, so that the tree is finite whatever the schema says.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tailrace.domain.errors import SchemaInvalid

MAX_DEPTH = 32
"""Types within types. tailrace's own schemas use 7; a walk uses two Python frames per level, and a reader that follows
thousands of levels has crashed the process (docs/DESIGN.md, Schemas)."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FULL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Primitive:
    """One of `PRIMITIVES`; `logical` is the logical type's name, which changes no bytes but their meaning."""

    name: str
    logical: str | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    aliases: tuple[str, ...]
    size_bytes: int
    logical: str | None = None


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    aliases: tuple[str, ...]
    symbols: tuple[str, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class Array:
    items: "SchemaTree"


@dataclass(frozen=True, slots=True)
class Map:
    values: "SchemaTree"


@dataclass(frozen=True, slots=True)
class Union:
    branches: tuple["SchemaTree", ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record; `default` counts only where `has_default`."""

    name: str
    aliases: tuple[str, ...]
    type: "SchemaTree"
    has_default: bool
    default: object


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    aliases: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Recursion:
    """A reference to a definition that is not closed yet."""

    name: str


SchemaTree = Primitive | Fixed | Enum | Array | Map | Union | Record | Recursion


def parse_tree(schema: object) -> SchemaTree:
    """The tree of a schema given as parsed JSON. Pure; any thread.

    Raises SchemaInvalid, with the path and the rule, for what the Avro specification does not allow, for a name that is
    not defined yet, and for more than `MAX_DEPTH` types within types.
    """
    return _Parser().parse(schema, "", "", 0)


def canonical_form(tree: SchemaTree) -> str:
    """The schema's Parsing Canonical Form (Avro specification): what is left when nothing can be left out."""
    return _canonical(tree, set())


def _canonical(tree: SchemaTree, defined: set[str]) -> str:
    match tree:
        case Primitive(name) | Recursion(name):
            return f'"{name}"'
        case Fixed(name) | Enum(name) | Record(name) if name in defined:
            return f'"{name}"'
        case Array(items):
            return f'{{"type":"array","items":{_canonical(items, defined)}}}'
        case Map(values):
            return f'{{"type":"map","values":{_canonical(values, defined)}}}'
        case Union(branches):
            return f"[{','.join(_canonical(branch, defined) for branch in branches)}]"
        case Fixed() | Enum() | Record():
            return _canonical_definition(tree, defined)


def _canonical_definition(tree: Fixed | Enum | Record, defined: set[str]) -> str:
    defined.add(tree.name)
    match tree:
        case Fixed(name, _, size_bytes):
            return f'{{"name":"{name}","type":"fixed","size":{size_bytes}}}'
        case Enum(name, _, symbols):
            listed = ",".join(f'"{symbol}"' for symbol in symbols)
            return f'{{"name":"{name}","type":"enum","symbols":[{listed}]}}'
        case Record(name, _, fields):
            inside = ",".join(f'{{"name":"{one.name}","type":{_canonical(one.type, defined)}}}' for one in fields)
            return f'{{"name":"{name}","type":"record","fields":[{inside}]}}'


def describe(tree: SchemaTree) -> str:
    """One word or name for people, such as `string`, `enum tailrace.v1.Privacy` or `union`."""
    match tree:
        case Primitive(name, logical):
            return f"{name} ({logical})" if logical else name
        case Fixed(name) | Enum(name) | Record(name) | Recursion(name):
            return f"{type(tree).__name__.lower()} {name}"
        case Array() | Map() | Union():
            return type(tree).__name__.lower()


def simple_name(full_name: str) -> str:
    """The last part of a dotted name; resolution compares these (Avro specification, Schema Resolution)."""
    return full_name.rpartition(".")[2]


@dataclass(slots=True)
class _Parser:
    _defined: dict[str, SchemaTree] = field(default_factory=dict)

    def parse(self, schema: object, namespace: str, path: str, depth: int) -> SchemaTree:
        if depth > MAX_DEPTH:
            raise SchemaInvalid("", path, "too_deep")
        match schema:
            case str():
                return self._reference(schema, namespace, path)
            case list():
                return self._union(schema, namespace, path, depth)
            case dict():
                return self._complex(schema, namespace, path, depth)
            case _:
                raise SchemaInvalid("", path, "not_a_schema")

    def _reference(self, name: str, namespace: str, path: str) -> SchemaTree:
        if name in PRIMITIVES:
            return Primitive(name)
        for candidate in (f"{namespace}.{name}", name):
            if candidate in self._defined:
                return self._defined[candidate]
        raise SchemaInvalid("", path, "undefined_name")

    def _union(self, branches: Sequence[object], namespace: str, path: str, depth: int) -> Union:
        parsed = tuple(self.parse(branch, namespace, path, depth + 1) for branch in branches)
        kinds = [branch.name if hasattr(branch, "name") else type(branch).__name__ for branch in parsed]
        if not parsed or len(set(kinds)) != len(kinds) or any(isinstance(branch, Union) for branch in parsed):
            raise SchemaInvalid("", path, "ambiguous_union")
        return Union(parsed)

    def _complex(self, schema: Mapping[str, object], namespace: str, path: str, depth: int) -> SchemaTree:
        match schema.get("type"):
            case "array":
                tree: SchemaTree = Array(self.parse(schema.get("items"), namespace, f"{path}[]", depth + 1))
            case "map":
                tree = Map(self.parse(schema.get("values"), namespace, f"{path}{{}}", depth + 1))
            case "record" | "error":
                tree = self._record(schema, namespace, path, depth)
            case "enum":
                tree = self._enum(schema, namespace, path)
            case "fixed":
                tree = self._fixed(schema, namespace, path)
            case str() as name if name in PRIMITIVES:
                tree = Primitive(name, _logical(schema))
            case nested:
                tree = self.parse(nested, namespace, path, depth + 1)
        return tree

    def _record(self, schema: Mapping[str, object], namespace: str, path: str, depth: int) -> Record:
        name, inner, aliases = self._open(schema, namespace, path)
        declared = schema.get("fields")
        if not isinstance(declared, list):
            raise SchemaInvalid("", path, "record_without_fields")
        fields = tuple(self._field(one, inner, path, depth) for one in declared)
        if len({one.name for one in fields}) != len(fields):
            raise SchemaInvalid("", path, "duplicate_field")
        record = Record(name, aliases, fields)
        self._defined[name] = record
        return record

    def _field(self, schema: object, namespace: str, path: str, depth: int) -> Field:
        if not isinstance(schema, dict) or not isinstance(schema.get("name"), str):
            raise SchemaInvalid("", path, "field_without_name")
        name = schema["name"]
        if not _NAME.fullmatch(name):
            raise SchemaInvalid("", path, "bad_name")
        inside = f"{path}.{name}" if path else name
        return Field(
            name=name,
            aliases=_aliases(schema, inside),
            type=self.parse(schema.get("type"), namespace, inside, depth + 1),
            has_default="default" in schema,
            default=schema.get("default"),
        )

    def _enum(self, schema: Mapping[str, object], namespace: str, path: str) -> Enum:
        name, _, aliases = self._open(schema, namespace, path)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not symbols or not all(_is_name(symbol) for symbol in symbols):
            raise SchemaInvalid("", path, "bad_symbols")
        default = schema.get("default")
        if len(set(symbols)) != len(symbols) or not (default is None or default in symbols):
            raise SchemaInvalid("", path, "bad_symbols")
        enum = Enum(name, aliases, tuple(symbols), None if default is None else str(default))
        self._defined[name] = enum
        return enum

    def _fixed(self, schema: Mapping[str, object], namespace: str, path: str) -> Fixed:
        name, _, aliases = self._open(schema, namespace, path)
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise SchemaInvalid("", path, "bad_size")
        fixed = Fixed(name, aliases, size, _logical(schema))
        self._defined[name] = fixed
        return fixed

    def _open(self, schema: Mapping[str, object], namespace: str, path: str) -> tuple[str, str, tuple[str, ...]]:
        """Full name, namespace for what is inside, full aliases; the name recurs until its definition is closed."""
        name = schema.get("name")
        if not isinstance(name, str) or not _FULL_NAME.fullmatch(name):
            raise SchemaInvalid("", path, "bad_name")
        declared = schema.get("namespace", namespace)
        if not isinstance(declared, str) or (declared and not _FULL_NAME.fullmatch(declared)):
            raise SchemaInvalid("", path, "bad_name")
        full = _full_name(name, declared)
        if full in self._defined or full in PRIMITIVES:
            raise SchemaInvalid("", path, "name_defined_twice")
        self._defined[full] = Recursion(full)
        inner = full.rpartition(".")[0]
        return full, inner, tuple(_full_name(alias, inner) for alias in _aliases(schema, path))


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _aliases(schema: Mapping[str, object], path: str) -> tuple[str, ...]:
    aliases = schema.get("aliases", [])
    if not isinstance(aliases, list) or not all(
        isinstance(alias, str) and _FULL_NAME.fullmatch(alias) for alias in aliases
    ):
        raise SchemaInvalid("", path, "bad_aliases")
    return tuple(aliases)


def _is_name(symbol: object) -> bool:
    return isinstance(symbol, str) and _NAME.fullmatch(symbol) is not None


def _logical(schema: Mapping[str, object]) -> str | None:
    logical = schema.get("logicalType")
    return logical if isinstance(logical, str) else None


def parse_json(text: str) -> object:
    """The JSON value of a schema text. Raises SchemaInvalid for text that is no JSON, or nests too deeply to read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise SchemaInvalid("", "", "too_deep") from None
    except ValueError:
        raise SchemaInvalid("", "", "not_json") from None
