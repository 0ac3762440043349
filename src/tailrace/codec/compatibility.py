"""Is every schema still FULL_TRANSITIVE compatible with every version that was ever released?

    python -m tailrace.codec.compatibility schemas

Compares each `schemas/*.avsc` with each `schemas/baseline/<same name>.*.avsc`, both ways: what was written with the
released version must be readable with the current one (topics are replayed), and what is written now must be readable
by whoever still has the released one (readers upgrade when they like). The rules are those of the Avro specification
(Schema Resolution), taken strictly: not *some* values but *every* value has to be readable. Beyond them, a schema must
be safe to read with, and every enum must have the default symbol `unknown`, or its next symbol could not be added.

Prints one line per break and exits with 1; exits with 0 when there is none.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.codec.encoding import encode_value
from tailrace.codec.reference_resolution import (
    PROMOTIONS,
    choose_branch,
    match_fields,
    same_logical_type,
    same_name,
)
from tailrace.codec.safety import children
from tailrace.codec.schema_tree import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    SchemaTree,
    Union,
    describe,
)
from tailrace.codec.schemas import RefusedSchema, WriterSchema, admit
from tailrace.domain.errors import InvalidField, SchemaInvalid

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Break:
    """One value that could be written and not be read: the reader's field path, the rule, and what is in the way."""

    path: str
    rule: str
    detail: str


def find_breaks(writer: SchemaTree, reader: SchemaTree, path: str = "") -> Iterator[Break]:
    """Everything that keeps some value written with `writer` from being read with `reader`. Pure; any thread."""
    match writer, reader:
        case Union(branches), _:
            for branch in branches:
                yield from find_breaks(branch, reader, path)
        case _, Union():
            yield from _breaks_into_union(writer, reader, path)
        case Primitive(), Primitive():
            yield from _primitive_breaks(writer, reader, path)
        case (Array(written), Array(read)) | (Map(written), Map(read)):
            yield from find_breaks(written, read, path + ("[]" if isinstance(writer, Array) else "{}"))
        case (Record() | Enum() | Fixed(), Record() | Enum() | Fixed()) if type(writer) is type(reader):
            yield from _named_breaks(writer, reader, path)
        case _:
            yield _type_break(writer, reader, path)


def _type_break(writer: SchemaTree, reader: SchemaTree, path: str) -> Break:
    return Break(path, "type", f"{describe(writer)} cannot be read as {describe(reader)}")


def _breaks_into_union(writer: SchemaTree, reader: Union, path: str) -> Iterator[Break]:
    chosen = choose_branch(writer, reader)
    # A branch that is meant for the writer's type and does not take it tells more than that no branch does.
    meant = (
        reader.branches[chosen[0]] if chosen else next((one for one in reader.branches if _meant(writer, one)), None)
    )
    if meant is None:
        taken = ", ".join(describe(branch) for branch in reader.branches)
        yield Break(path, "union_branch", f"{describe(writer)} fits none of {taken}")
    else:
        yield from find_breaks(writer, meant, path)


def _meant(writer: SchemaTree, branch: SchemaTree) -> bool:
    match writer, branch:
        case Record() | Enum() | Fixed(), Record() | Enum() | Fixed():
            return same_name(writer, branch)
        case Primitive(), Primitive():
            return writer.name == branch.name
        case _:
            return type(writer) is type(branch)


def _primitive_breaks(writer: Primitive, reader: Primitive, path: str) -> Iterator[Break]:
    if (writer.name, reader.name) not in PROMOTIONS:
        yield _type_break(writer, reader, path)
    elif (writer.name, reader.name) == ("bytes", "string"):
        # Avro resolves it all the same, and finds out with the first value.
        yield Break(path, "type", "bytes need not be UTF-8, so not all can be read as string")
    elif not same_logical_type(writer.logical, reader.logical):
        yield Break(path, "logical_type", f"{describe(writer)} would be taken for {describe(reader)}")


def _named_breaks(writer: Record | Enum | Fixed, reader: Record | Enum | Fixed, path: str) -> Iterator[Break]:
    if not same_name(writer, reader):
        yield Break(path, "name", f"{writer.name} is no name or alias of {reader.name}")
        return
    match writer, reader:
        case Record(), Record():
            yield from _record_breaks(writer, reader, path)
        case Enum(), Enum():
            if reader.default is None:
                for symbol in writer.symbols:
                    if symbol not in reader.symbols:
                        yield Break(
                            path, "enum_symbol", f"{symbol} is no symbol of {reader.name}, which has no default"
                        )
        case Fixed(), Fixed():
            if writer.size_bytes != reader.size_bytes:
                yield Break(path, "fixed_size", f"{writer.size_bytes} bytes cannot be read as {reader.size_bytes}")


def _record_breaks(writer: Record, reader: Record, path: str) -> Iterator[Break]:
    sources = match_fields(writer, reader)
    for field in reader.fields:
        inside = f"{path}.{field.name}" if path else field.name
        if field.name in sources:
            yield from find_breaks(sources[field.name].type, field.type, inside)
        elif not field.has_default:
            yield Break(inside, "field_default", "has no default for when it is not written")


def find_own_faults(tree: SchemaTree, path: str = "") -> Iterator[Break]:
    """What would hurt later, whatever was released: defaults of the wrong type, and enums that can never grow.

    An enum without the default symbol `unknown` leaves the readers of today nothing to read a new symbol as.
    """
    if isinstance(tree, Enum) and tree.default != _UNKNOWN:
        yield Break(path, "enum_unknown", f"{tree.name} has no default symbol {_UNKNOWN}")
    for field in tree.fields if isinstance(tree, Record) else ():
        if not field.has_default:
            continue
        try:
            encode_value(field.type, field.default)
        except InvalidField as error:
            yield Break(f"{path}.{field.name}".removeprefix("."), "default", f"the default {error.problem}")
    for step, child in children(tree):
        yield from find_own_faults(child, f"{path}{step}".removeprefix("."))


def check_directory(directory: Path) -> Iterator[str]:
    """One line per break in `directory`, each naming schema, version, field path, rule and direction.

    Raises SchemaInvalid for a file that is no Avro schema.
    """
    files = sorted(directory.glob("*.avsc"))
    if not files:
        yield f"{directory}: there are no schemas"
    for file in files:
        current = _load(file)
        if isinstance(current, RefusedSchema):
            yield f"{file.name}: [{current.unsafe.rule}] unsafe to read with, at {current.unsafe.path or 'its root'}"
            continue
        for found in find_own_faults(current.tree):
            yield _where(file, found)
        yield from _check_against_released(file, current.tree)


def _check_against_released(file: Path, current: SchemaTree) -> Iterator[str]:
    released_files = sorted((file.parent / "baseline").glob(f"{file.stem}.*.avsc"))
    if not released_files:
        yield f"{file.name}: there is no baseline/{file.stem}.*.avsc to compare with"
    for released_file in released_files:
        released = _load(released_file)
        if isinstance(released, RefusedSchema):
            yield f"{released_file.name}: [{released.unsafe.rule}] unsafe to read with"
            continue
        for found in find_breaks(released.tree, current):
            yield f"{_where(file, found)}, so {released_file.name} data cannot be read any more"
        for found in find_breaks(current, released.tree):
            yield f"{_where(file, found)}, so readers with {released_file.name} cannot read new data"


def _where(file: Path, found: Break) -> str:
    return f"{file.name}: {found.path or 'the whole schema'}: [{found.rule}] {found.detail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 compatible, 1 something breaks or is no schema. argparse exits with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m tailrace.codec.compatibility", description="Check schemas against their released versions."
    )
    parser.add_argument("directory", type=Path, help="holds *.avsc, and the released versions in baseline/")
    directory = parser.parse_args(arguments).directory
    try:
        lines = list(check_directory(directory))
    except SchemaInvalid as error:
        lines = [str(error)]
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("schemas: FULL_TRANSITIVE compatible\n" if not lines else f"schemas: {len(lines)} problem(s)\n")
    return 1 if lines else 0


def _load(file: Path) -> WriterSchema | RefusedSchema:
    return admit(file.read_text(encoding="utf-8"), file.name)


if __name__ == "__main__":
    sys.exit(main())
