"""From a writer's and a reader's schema to the steps that walk a value (Avro specification, Schema Resolution).

Done once per writer schema; the walk itself decides nothing about schemas any more. Three choices where the
specification leaves room:

- A reader's union takes the writer's type in its first branch of the *same* type, and only without one in the first
  branch that the type promotes to. So `[double, long]` keeps a long a long.
- Names are compared without their namespace, or by the reader's aliases with it.
- Two different logical types do not resolve, although their bytes would: milliseconds taken for microseconds is a
  wrong fact, and nobody would notice.
"""

from dataclasses import dataclass

from tailrace.codec.encoding import encode_long, encode_value
from tailrace.codec.reference_walker import (
    BlocksStep,
    BooleanStep,
    BranchStep,
    BytesStep,
    EnumStep,
    FixedStep,
    FloatToDoubleStep,
    MapEntryStep,
    NullStep,
    NumberStep,
    RecordStep,
    Step,
    TextStep,
    UnionStep,
)
from tailrace.codec.schema_tree import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    SchemaTree,
    Union,
    simple_name,
)
from tailrace.domain.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The writer's values can never be read as the reader's: the field path and a constant word for the rule."""

    path: str
    rule: str


# What each writer's primitive may be read as, and by which step.
_PRIMITIVE_STEPS: dict[tuple[str, str], Step] = {
    ("null", "null"): NullStep(),
    ("boolean", "boolean"): BooleanStep(),
    ("int", "int"): NumberStep(is_int=True),
    ("int", "long"): NumberStep(is_int=True),
    ("int", "float"): NumberStep(is_int=True, float_format="<f"),
    ("int", "double"): NumberStep(is_int=True, float_format="<d"),
    ("long", "long"): NumberStep(is_int=False),
    ("long", "float"): NumberStep(is_int=False, float_format="<f"),
    ("long", "double"): NumberStep(is_int=False, float_format="<d"),
    ("float", "float"): FixedStep(4),
    ("float", "double"): FloatToDoubleStep(),
    ("double", "double"): FixedStep(8),
    ("bytes", "bytes"): BytesStep(),
    ("bytes", "string"): TextStep(),
    ("string", "string"): TextStep(),
    ("string", "bytes"): TextStep(),
}

PROMOTIONS = frozenset(_PRIMITIVE_STEPS)
"""Pairs of writer's and reader's primitive that resolve."""


def resolve(writer: SchemaTree, reader: SchemaTree, path: str = "") -> Step | Mismatch:
    """The step that reads what `writer` describes as what `reader` describes, or why there can be none.

    Both trees are safe (`safety.find_unsafe`). A step is also made where only *some* values resolve: an unknown enum
    symbol or union branch stops the walk of the event that has it. Pure; any thread.
    """
    match writer, reader:
        case Union(), _:
            return _resolve_writer_union(writer, reader, path)
        case _, Union():
            return _resolve_into_union(writer, reader, path)
        case Primitive(), Primitive():
            return _resolve_primitive(writer, reader, path)
        case (Array(written), Array(read)) | (Map(written), Map(read)):
            return _resolve_blocks(written, read, path, is_map=isinstance(writer, Map))
        case Record() | Enum() | Fixed(), Record() | Enum() | Fixed() if type(writer) is type(reader):
            return _resolve_named(writer, reader, path)
        case _:
            return Mismatch(path, "types_differ")


def resolve_record(writer: SchemaTree, reader: Record) -> RecordStep | Mismatch:
    """As `resolve`, for a writer that has to be a record itself."""
    if not isinstance(writer, Record):
        return Mismatch("", "types_differ")
    return _resolve_record(writer, reader, "") if same_name(writer, reader) else Mismatch("", "names_differ")


def same_logical_type(writer: str | None, reader: str | None) -> bool:
    """Whether values keep their meaning; a logical type may come or go, as its bytes are those of the plain type."""
    return writer is None or reader is None or writer == reader


def _resolve_primitive(writer: Primitive, reader: Primitive, path: str) -> Step | Mismatch:
    step = _PRIMITIVE_STEPS.get((writer.name, reader.name))
    if step is None:
        return Mismatch(path, "types_differ")
    return step if same_logical_type(writer.logical, reader.logical) else Mismatch(path, "logical_types_differ")


def _resolve_blocks(written: SchemaTree, read: SchemaTree, path: str, *, is_map: bool) -> Step | Mismatch:
    entry = resolve(written, read, path + ("{}" if is_map else "[]"))
    if isinstance(entry, Mismatch):
        return entry
    return BlocksStep(MapEntryStep(TextStep(), entry) if is_map else entry)


def _resolve_named(writer: Record | Enum | Fixed, reader: Record | Enum | Fixed, path: str) -> Step | Mismatch:
    if not same_name(writer, reader):
        return Mismatch(path, "names_differ")
    match writer, reader:
        case Record(), Record():
            return _resolve_record(writer, reader, path)
        case Enum(), Enum():
            return _resolve_enum(writer, reader)
        case Fixed(), Fixed() if writer.size_bytes == reader.size_bytes:
            if same_logical_type(writer.logical, reader.logical):
                return FixedStep(writer.size_bytes)
            return Mismatch(path, "logical_types_differ")
        case _:
            return Mismatch(path, "sizes_differ")


def same_name(writer: Record | Enum | Fixed, reader: Record | Enum | Fixed) -> bool:
    return simple_name(writer.name) == simple_name(reader.name) or writer.name in reader.aliases


def _resolve_enum(writer: Enum, reader: Enum) -> EnumStep:
    known = {symbol: encode_long(index) for index, symbol in enumerate(reader.symbols)}
    fallback = None if reader.default is None else known[reader.default]
    return EnumStep(tuple(known.get(symbol, fallback) for symbol in writer.symbols))


def _resolve_writer_union(writer: Union, reader: SchemaTree, path: str) -> Step | Mismatch:
    resolved = [resolve(branch, reader, path) for branch in writer.branches]
    steps = tuple(None if isinstance(step, Mismatch) else step for step in resolved)
    return Mismatch(path, "no_branch_resolves") if all(step is None for step in steps) else UnionStep(steps)


def _resolve_into_union(writer: SchemaTree, reader: Union, path: str) -> Step | Mismatch:
    chosen = choose_branch(writer, reader, path)
    if chosen is None:
        return Mismatch(path, "no_branch_resolves")
    index, step = chosen
    return BranchStep(encode_long(index), step)


def choose_branch(writer: SchemaTree, reader: Union, path: str = "") -> tuple[int, Step] | None:
    """The branch of `reader` that takes the values of `writer`, itself no union, and how; None when none does."""
    promoted: tuple[int, Step] | None = None
    for index, branch in enumerate(reader.branches):
        step = resolve(writer, branch, path)
        if isinstance(step, Mismatch):
            continue
        if not isinstance(writer, Primitive) or (isinstance(branch, Primitive) and writer.name == branch.name):
            return index, step
        promoted = promoted or (index, step)
    return promoted


def _resolve_record(writer: Record, reader: Record, path: str) -> RecordStep | Mismatch:
    sources = match_fields(writer, reader)
    places: list[bytes | None] = []
    steps: dict[str, tuple[Step, int]] = {}
    for place, field in enumerate(reader.fields):
        inside = f"{path}.{field.name}" if path else field.name
        source = sources.get(field.name)
        if source is None:
            default = _encode_default(field, inside)
            if isinstance(default, Mismatch):
                return default
            places.append(default)
            continue
        step = resolve(source.type, field.type, inside)
        if isinstance(step, Mismatch):
            return step
        places.append(None)
        steps[source.name] = (step, place)
    return RecordStep(tuple(_in_writer_order(writer, steps, path)), tuple(places))


def _in_writer_order(
    writer: Record, steps: dict[str, tuple[Step, int]], path: str
) -> list[tuple[str, Step, int | None]]:
    ordered: list[tuple[str, Step, int | None]] = []
    for field in writer.fields:
        if field.name in steps:
            ordered.append((field.name, *steps[field.name]))
            continue
        dropped = resolve(field.type, field.type, path)  # read as itself: as strict as the rest, and then forgotten
        assert not isinstance(dropped, Mismatch)
        ordered.append((field.name, dropped, None))
    return ordered


def match_fields(writer: Record, reader: Record) -> dict[str, Field]:
    """The writer's field for each of the reader's that has one: by name, else by the reader's first fitting alias.

    An alias does not take a field that another of the reader's fields has by name.
    """
    written = {field.name: field for field in writer.fields}
    matched = {field.name: written.pop(field.name) for field in reader.fields if field.name in written}
    for field in reader.fields:
        if field.name not in matched:
            alias = next((alias for alias in field.aliases if alias in written), None)
            if alias is not None:
                matched[field.name] = written.pop(alias)
    return matched


def _encode_default(field: Field, path: str) -> bytes | Mismatch:
    if not field.has_default:
        return Mismatch(path, "missing_without_default")
    try:
        return encode_value(field.type, field.default, path)
    except InvalidField as error:
        return Mismatch(error.field, "default_does_not_fit")
