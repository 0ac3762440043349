"""What the compiled projector does where it does not run straight through."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tailrace.codec.compiled_bytes import unusual
from tailrace.codec.compiled_plan import MAX_STEPS
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import RefusedSchema, WriterSchema
from tailrace.domain.projected import ProjectorCounts, Undecodable
from tailrace.runtime.ports import Projector
from tailrace.synthetic import SyntheticEvents
from tests.unit.codec.spelling import BLOCKS, CANONICAL, LONG_VARINTS, Speller
from tests.unit.codec.written import (
    COST,
    MINIMAL,
    USAGE,
    Event,
    frame,
    framed,
    schema_json,
    spliced,
    store,
    store_with,
    write,
)
from tests.unit.opcodes import opcodes

TOPIC = "agent.events"
CONTENT = {"capture_kind": "turn_chat", "thread_id": "t", "turn_number": 1, "system_instructions": None}


ANSWER = {"event_family": "model", "event_kind": "model_message_completed", "usage": USAGE, "cost": COST}
"""What an event that has content is about."""


def with_content(size_bytes: int) -> Event:
    half = b"\xff" * (size_bytes // 2)
    return {**MINIMAL, "content": {**CONTENT, "input_messages": half, "output_messages": half}}


def test_fits_the_port() -> None:
    projector: Projector = CompiledProjector(TOPIC, store())
    assert [type(one) for one in projector.project_all(0, [0], [None], [None])] == [Undecodable]


def test_a_schema_too_large_to_compile_is_left_to_the_reference(tmp_path: Path) -> None:
    """Same records, said once, counted for each event."""
    writer = schema_json("agent_event")
    wide = [{"name": f"f{number}", "type": "int"} for number in range(MAX_STEPS // 10)]
    for number in range(11):
        named = {"type": "record", "name": f"Wide{number}", "fields": wide}
        writer["fields"].append({"name": f"wide{number}", "type": named})
    body = write(schema_json("agent_event"), MINIMAL) + bytes(11 * len(wide))
    schemas = store_with(tmp_path, large=writer)
    said: list[bytes] = []
    projector = CompiledProjector(TOPIC, schemas, on_out_of_reach=said.append)
    reference = ReferenceProjector(TOPIC, schemas)
    for offset in range(3):
        wanted = reference.project(0, offset, None, frame(writer) + body)
        assert isinstance(wanted, tuple)
        assert projector.project(0, offset, None, frame(writer) + body) == wanted
    assert said == [frame(writer)]
    assert projector.counts() == ProjectorCounts(by_reference=3)


def test_legal_bytes_that_nobody_writes_take_the_long_way_and_are_counted() -> None:
    """A varint longer than it needs to be gives the same records as a short one."""
    projector = CompiledProjector(TOPIC, store())
    short = projector.project(0, 7, None, spliced(MINIMAL, event_seq=b"\x02"))
    assert projector.rewritten == 0
    assert projector.project(0, 7, None, spliced(MINIMAL, event_seq=b"\x82\x80\x00")) == short
    assert projector.counts() == ProjectorCounts(rewritten=1)


@pytest.mark.parametrize("spelling", [CANONICAL, BLOCKS])
def test_what_libraries_write_never_takes_the_long_way(spelling: str) -> None:
    """Sized blocks and several of them, as some write arrays, are no reason to walk twice."""
    import random  # noqa: PLC0415 - named here because the module's own name is used below

    chance = random.Random(spelling)
    projector = CompiledProjector(TOPIC, store())
    speller = Speller(chance, schema_json("agent_event"), spelling)
    taken = 0
    for offset in range(300):
        taken += isinstance(
            projector.project(0, offset, None, frame(schema_json("agent_event")) + speller.value()), tuple
        )
    assert taken > 50
    assert projector.rewritten == 0


def test_an_event_that_only_the_reference_takes_is_a_disagreement() -> None:
    """The seam by which the property tests see a function that refuses too much: said once, counted for each."""
    said: list[str] = []
    projector = CompiledProjector(TOPIC, store(), on_disagreement=lambda: said.append("disagreement"))

    def refuses(*_: object) -> Any:
        unusual()

    value = framed(MINIMAL)
    projector._functions[value[:10]] = refuses
    projector._own = refuses
    wanted = ReferenceProjector(TOPIC, store()).project(0, 1, None, value)
    assert [projector.project(0, 1, None, value) for _ in range(2)] == [wanted, wanted]
    assert said == ["disagreement"]
    assert projector.disagreements == 2


def test_a_registry_s_schemas_are_compiled_by_id() -> None:
    """Schemas may share a fingerprint and differ in logical types: what is cached goes by the frame."""

    class Ids:
        asked = 0

        def schema(self, schema_id: int) -> WriterSchema | RefusedSchema | None:
            self.asked += 1
            return store().agent_event if schema_id == 7 else None

    ids = Ids()
    projector = CompiledProjector(TOPIC, store(), ids=ids)
    body = framed(MINIMAL)[10:]
    wanted = projector.project(0, 3, None, framed(MINIMAL))
    assert [projector.project(0, 3, None, b"\x00\x00\x00\x00\x07" + body) for _ in range(5)] == [wanted] * 5
    assert ids.asked == 1
    unknown = projector.project(0, 3, None, b"\x00\x00\x00\x00\x08" + body)
    assert isinstance(unknown, Undecodable)
    assert unknown.reason == "unknown_schema"


def test_ignored_usage_is_counted_once_whatever_the_way() -> None:
    """Straight through, by the long way and by the reference: one event, one count."""
    projector = CompiledProjector(TOPIC, store())
    event = {**MINIMAL, "event_family": "unknown", "usage": USAGE}
    for value in (spliced(event), spliced(event, event_seq=b"\x82\x00")):
        before = projector.usage_ignored
        assert isinstance(projector.project(0, 0, None, value), tuple)
        assert projector.usage_ignored == before + 1
    assert projector.rewritten == 1


@pytest.mark.parametrize(
    "offset", [0, 1, 63, 64, 127, 128, 8_191, 8_192, 2**20 - 1, 2**20, 2**40, 2**63 - 1, -1, -64, -65]
)
def test_offsets_are_written_as_the_reference_writes_them(offset: int) -> None:
    """Also when the neighbours come first, whose bytes are kept."""
    projector, reference = CompiledProjector(TOPIC, store()), ReferenceProjector(TOPIC, store())
    value = framed(MINIMAL)
    for near in (offset, max(offset - 1, -(2**63)), min(offset + 1, 2**63 - 1), offset):
        assert projector.project(5, near, None, value) == reference.project(5, near, None, value)


# ------------------------------------------------------------------------------------------------- content


def test_content_costs_the_same_whatever_its_size() -> None:
    """Not one instruction more for a conversation fifty times as long, and few more than for none."""
    projector = CompiledProjector(TOPIC, store())
    counted = {}
    for size in (0, 20_000, 1_000_000):
        value = framed({**with_content(size), **ANSWER} if size else {**MINIMAL, **ANSWER})
        assert isinstance(projector.project(0, 1_000, None, value), tuple)
        counted[size] = opcodes(lambda value=value: projector.project(0, 1_000, None, value))  # type: ignore[misc]
    assert counted[20_000] == counted[1_000_000]
    assert counted[0] < counted[20_000] < 1.15 * counted[0]


def test_no_copy_is_made_of_content() -> None:
    """What a megabyte of conversation makes the projector allocate is what a small event makes it allocate."""
    projector = CompiledProjector(TOPIC, store())
    value = framed(with_content(1_000_000))
    projector.project(0, 0, None, value)
    tracemalloc.start()
    try:
        projector.project(0, 0, None, value)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000


def test_an_event_costs_few_instructions() -> None:
    """What is measured in microseconds elsewhere, held fast where clocks cannot be trusted: instructions per event."""
    projector = CompiledProjector(TOPIC, store())
    values = [event.value for event in SyntheticEvents(seed=5).take(300)]
    for offset, value in enumerate(values, 1_000):
        projector.project(0, offset, None, value)

    def all_of_them() -> None:
        for offset, value in enumerate(values, 1_000):
            projector.project(0, offset, None, value)

    assert opcodes(all_of_them) / len(values) < INSTRUCTIONS_PER_EVENT


INSTRUCTIONS_PER_EVENT = 1_300


def test_a_rewritten_event_with_content_is_read_like_any_other() -> None:
    """The long way goes over content, too, and ends in the same records."""
    import random  # noqa: PLC0415 - as above

    schema = schema_json("agent_event")
    speller = Speller(random.Random(4), schema, LONG_VARINTS)
    projector, reference = CompiledProjector(TOPIC, store()), ReferenceProjector(TOPIC, store())
    for offset in range(200):
        value = frame(schema) + speller.value()
        assert projector.project(0, offset, None, value) == reference.project(0, offset, None, value)
    assert projector.rewritten > 20
