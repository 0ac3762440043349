"""The schemas that tailrace can read with and writes with, by fingerprint.

A schema's fingerprint is CRC-64-AVRO over its canonical form (Avro specification, Schema Fingerprints), little-endian
as it stands on the wire. Two versions that differ only in docs, defaults or aliases share one, which is right: as
writer schemas they say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastavro.schema import fingerprint as avro_fingerprint

from tailrace.codec.safety import MAX_SCHEMA_BYTES, Unsafe, UnsafeRule, find_unsafe
from tailrace.codec.schema_tree import Record, SchemaTree, canonical_form, parse_json, parse_tree
from tailrace.domain.errors import SchemaInvalid

AGENT_EVENT: Final = "agent_event"
TELEMETRY_RECORD: Final = "telemetry_record"
HEALTH_RECORD: Final = "health_record"


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that values may be read with: safe, parsed, and known by its 8-byte fingerprint.

    `json` is the schema as Avro libraries take it.
    """

    fingerprint: bytes
    tree: SchemaTree
    json: object


@dataclass(frozen=True, slots=True)
class RefusedSchema:
    """A schema that is well formed but never read with, and why; `source` names where it came from."""

    fingerprint: bytes
    unsafe: Unsafe
    source: str


def admit(text: str, source: str) -> WriterSchema | RefusedSchema:
    """Judges one schema text from anywhere. Any thread.

    `source` names it in errors and reports: a path, or a registry's id. A schema too long or too deep to be parsed has
    no fingerprint and is refused with an empty one.

    Raises SchemaInvalid when the text is no Avro schema.
    """
    if len(text) > MAX_SCHEMA_BYTES:
        return RefusedSchema(b"", Unsafe(UnsafeRule.TOO_LARGE, ""), source)
    try:
        json = parse_json(text)
        tree = parse_tree(json)
    except SchemaInvalid as error:
        if error.rule == UnsafeRule.TOO_DEEP:
            return RefusedSchema(b"", Unsafe(UnsafeRule.TOO_DEEP, error.path), source)
        raise SchemaInvalid(source, error.path, error.rule) from None
    fingerprint = fingerprint_of(tree)
    unsafe = find_unsafe(tree)
    return WriterSchema(fingerprint, tree, json) if unsafe is None else RefusedSchema(fingerprint, unsafe, source)


def fingerprint_of(tree: SchemaTree) -> bytes:
    """The 8 bytes by which single-object encoding names a schema. Pure; any thread."""
    # The canonical form is our own: fastavro's refuses schemas for defaults that do not matter to a reader. Its
    # fingerprint is printed in wire order (little-endian), unlike the number in the specification.
    return bytes.fromhex(avro_fingerprint(canonical_form(tree), "CRC-64-AVRO"))


class SchemaStore:
    """Every schema this installation knows: the current three, all released versions, and the operator's directories.

    Immutable once built, so any thread may use it. Raises SchemaInvalid from the constructor, naming the file, for a
    file that is no Avro schema, and for one of tailrace's own three that is missing or not safe to read with.
    """

    def __init__(self, directory: Path | None = None, *, extra_directories: Sequence[Path] = ()) -> None:
        """Read `directory` (by default the shipped one), its `baseline/`, and `extra_directories`: each `*.avsc`."""
        home = directory or shipped_schema_directory()
        self._current = {
            name: _load_own(home / f"{name}.avsc") for name in (AGENT_EVENT, TELEMETRY_RECORD, HEALTH_RECORD)
        }
        files = [
            file for place in (home, home / "baseline", *extra_directories) for file in sorted(place.glob("*.avsc"))
        ]
        found = [_load(file) for file in files]
        self._known = {schema.fingerprint: schema for schema in found if schema.fingerprint}
        self._refused = tuple(schema for schema in found if isinstance(schema, RefusedSchema))

    def writer(self, fingerprint: bytes) -> WriterSchema | RefusedSchema | None:
        """The schema with this 8-byte wire fingerprint; None when nobody here has seen it."""
        return self._known.get(fingerprint)

    @property
    def agent_event(self) -> WriterSchema:
        """What events are read as."""
        return self._current[AGENT_EVENT]

    @property
    def telemetry_record(self) -> WriterSchema:
        """What sinks are written with."""
        return self._current[TELEMETRY_RECORD]

    @property
    def health_record(self) -> WriterSchema:
        """What the ledger is written with, and read as."""
        return self._current[HEALTH_RECORD]

    @property
    def known(self) -> Mapping[bytes, WriterSchema | RefusedSchema]:
        """Everything by fingerprint, for reports and for tests that walk all versions."""
        return MappingProxyType(self._known)

    @property
    def refused(self) -> tuple[RefusedSchema, ...]:
        """The files that will not be read with, so that a check of the configuration can say so."""
        return self._refused


def shipped_schema_directory() -> Path:
    """Where tailrace's own schemas are: inside an installed wheel, or at the root of a source checkout.

    Raises SchemaInvalid when neither holds them, which means that the installation is broken.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "schemas", package.parent.parent / "schemas"):
        if (candidate / f"{AGENT_EVENT}.avsc").is_file():
            return candidate
    raise SchemaInvalid(f"{AGENT_EVENT}.avsc", "", "not_installed")


def record_tree(schema: WriterSchema, source: str) -> Record:
    """The schema's tree as the record it must be. Raises SchemaInvalid when it is something else."""
    if not isinstance(schema.tree, Record):
        raise SchemaInvalid(source, "", "not_a_record")
    return schema.tree


def _load(file: Path) -> WriterSchema | RefusedSchema:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SchemaInvalid(str(file), "", "unreadable") from None
    return admit(text, str(file))


def _load_own(file: Path) -> WriterSchema:
    match _load(file):
        case WriterSchema() as schema:
            return schema
        case RefusedSchema(_, unsafe):
            raise SchemaInvalid(str(file), unsafe.path, unsafe.rule)
