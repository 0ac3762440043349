"""Events that no producer sends on purpose: each made from a good one, and wrong in exactly one way."""

from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from itertools import count, islice
from random import Random
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import UndecodableReason
from tailrace.synthetic import SyntheticEvent, SyntheticEvents

FRAME_BYTES = 10


@cache
def _schema() -> tuple[bytes, Any]:
    schema = SchemaStore().agent_event
    return single_object_frame(schema), parse_schema(schema.json)  # type: ignore[arg-type]


def rewritten(event: SyntheticEvent, **fields: Any) -> SyntheticEvent:
    """The event with other values in these fields."""
    frame, schema = _schema()
    assert event.value is not None
    decoded = schemaless_reader(BytesIO(event.value[FRAME_BYTES:]), schema, None)
    assert isinstance(decoded, dict)
    out = BytesIO()
    schemaless_writer(out, schema, {**decoded, **fields})
    return SyntheticEvent(event.key, frame + out.getvalue(), event.poison)


_NAME_CHARACTERS = 160
"""Within the grammar of identifiers: a longer one would be replaced, and the record be small after all."""


def large(event: SyntheticEvent, size_bytes: int) -> SyntheticEvent:
    """The event with so many policies that its record is as large; of digits, so that nothing packs it smaller."""
    chance = Random(size_bytes)
    names = (f"{chance.getrandbits(_NAME_CHARACTERS * 4):0{_NAME_CHARACTERS}x}" for _ in count())
    refs = [{"kind": "privacy", "id": name} for name in islice(names, size_bytes // _NAME_CHARACTERS + 1)]
    return rewritten(event, policy_refs=refs)


def good(seed: int) -> SyntheticEvent:
    """The first event of a run."""
    return next(SyntheticEvents(seed=seed, active_runs=1))


def _with_value(change: Callable[[bytes], bytes | None]) -> Callable[[SyntheticEvent], SyntheticEvent]:
    def changed(event: SyntheticEvent) -> SyntheticEvent:
        assert event.value is not None
        return SyntheticEvent(event.key, change(event.value), None)

    return changed


USAGE = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 1)

POISONS: Mapping[str, tuple[UndecodableReason, Callable[[SyntheticEvent], SyntheticEvent]]] = {
    "null value": (UndecodableReason.NULL_VALUE, _with_value(lambda _: None)),
    "no frame": (UndecodableReason.UNFRAMED, _with_value(lambda _: b"{}")),
    "a frame cut short": (UndecodableReason.TRUNCATED, _with_value(lambda value: value[:6])),
    "truncated": (UndecodableReason.TRUNCATED, _with_value(lambda value: value[:-3])),
    "trailing bytes": (UndecodableReason.TRAILING_BYTES, _with_value(lambda value: value + b"\0\0")),
    "unknown fingerprint": (
        UndecodableReason.UNKNOWN_SCHEMA,
        _with_value(lambda value: value[:2] + b"\xab" * 8 + value[FRAME_BYTES:]),
    ),
    "unknown registry id": (
        UndecodableReason.UNKNOWN_SCHEMA,
        _with_value(lambda value: b"\0\0\0\0\x07" + value[FRAME_BYTES:]),
    ),
    "usage of a tool": (
        UndecodableReason.MISPLACED_USAGE,
        lambda event: rewritten(event, event_family="tool", usage=USAGE),
    ),
    "oversize": (UndecodableReason.OVERSIZE, lambda event: large(event, 20_000)),
}
"""What can be wrong, and what a dead letter has to call it."""
