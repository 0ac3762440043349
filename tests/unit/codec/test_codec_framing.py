"""A value's first bytes name its schema, or the value is not read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.codec.framing import (
    Confluent,
    CutFrame,
    Frame,
    NoRegistry,
    SingleObject,
    Unframed,
    recognise,
    single_object_frame,
)
from tests.unit.codec.written import crc_64_avro, schema_json, store

CASES: list[tuple[bytes, Frame]] = [
    (b"\xc3\x01ABCDEFGH", SingleObject(b"ABCDEFGH", 10)),
    (b"\xc3\x01ABCDEFGHbody", SingleObject(b"ABCDEFGH", 10)),
    (b"\x00\x00\x00\x00\x2abody", Confluent(42, 5)),
    (b"\x00\xff\xff\xff\xff", Confluent(2**32 - 1, 5)),
    (b"\x00\x00\x00\x01", CutFrame()),
    (b"\x00", CutFrame()),
    (b"\xc3", CutFrame()),
    (b"\xc3\x01ABCDEFG", CutFrame()),
    (b"\xc3\x02ABCDEFGH", Unframed()),
    (b"\x01ABCDEFGHIJKLMNOPQR", Unframed()),
    (b"Obj\x01", Unframed()),
    (b"{}", Unframed()),
    (b"", Unframed()),
]


@pytest.mark.parametrize(("value", "frame"), CASES)
def test_the_prefix_decides(value: bytes, frame: Frame) -> None:
    assert recognise(value) == frame


@given(st.binary(max_size=20))
def test_any_bytes_are_one_of_the_four(value: bytes) -> None:
    match recognise(value):
        case SingleObject(fingerprint, start):
            assert value[:start] == b"\xc3\x01" + fingerprint
        case Confluent(schema_id, start):
            assert value[:start] == b"\x00" + schema_id.to_bytes(4, "big")
        case CutFrame():
            assert len(value) < 10
        case Unframed():
            assert not value.startswith((b"\x00", b"\xc3\x01"))


def test_what_is_written_is_single_object_encoding() -> None:
    frame = single_object_frame(store().telemetry_record)
    assert frame == b"\xc3\x01" + crc_64_avro(schema_json("telemetry_record")).to_bytes(8, "little")
    assert recognise(frame) == SingleObject(store().telemetry_record.fingerprint, 10)


def test_without_a_registry_every_id_is_unknown() -> None:
    assert NoRegistry().schema(1) is None
