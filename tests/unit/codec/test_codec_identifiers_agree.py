"""Whatever stands in an event's identifiers, both projectors put the same in the records, and nothing foreign."""

from random import Random
from typing import Any

import pytest

from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.identifier_fields import COST_TEXT_PATHS, REF_SIDES, TEXT_KINDS, text_paths
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import AGENT_EVENT, record_tree
from tailrace.domain.identifiers import IdentifierPolicy, RefTreatment
from tailrace.domain.projected import Projected
from tailrace.synthetic import SyntheticEvents
from tests.unit.codec.oracle import decoded
from tests.unit.codec.written import MINIMAL, framed, store

TOPIC = "agent.events"
KEY = b"a key of sixteen"
HOSTILE = (
    "",
    "a b",
    "someone@example.com",
    "é",
    "漢字" * 60,
    "x" * 200,
    "x" * 201,
    "/home/u",
    "a/b",
    "nul\x00nul",
    "@" * 36,
)
TEXTS = sorted(name for name in TEXT_KINDS if "." not in name)


class Two:
    """Both projectors with one policy; asks both."""

    def __init__(self, policy: IdentifierPolicy) -> None:
        self.compiled = CompiledProjector(TOPIC, store(), identifiers=policy)
        self._reference = ReferenceProjector(TOPIC, store(), identifiers=policy)

    def project(self, value: bytes) -> Projected:
        wanted = self._reference.project(3, 77, b"key", value)
        assert self.compiled.project(3, 77, b"key", value) == wanted
        assert self.compiled.disagreements == 0
        return wanted


POLICIES = {
    "without a key": IdentifierPolicy(),
    "with a key": IdentifierPolicy(KEY),
    "everything kept": IdentifierPolicy(KEY, {"subject.artifact": RefTreatment.KEEP, "source.user": RefTreatment.KEEP}),
    "aliases": IdentifierPolicy(
        KEY,
        {"subject.run": RefTreatment.ALIAS, "source.host": RefTreatment.ALIAS, "policy.permission": RefTreatment.HASH},
        {"subject.run": {"run-1": "first"}, "source.host": {"host-1": "host-1"}},
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("field", [*TEXTS, "subject_ref", "source", "policy_refs", "cost"])
def test_every_field_with_every_hostile_text(field: str, policy: str) -> None:
    """One at a time, among events whose shape is known, so that the short way is met as well."""
    two = Two(POLICIES[policy])
    for _ in range(3):
        two.project(framed({**MINIMAL}))
    for text in HOSTILE:
        records = two.project(framed({**MINIMAL, field: _with(field, text)}))
        assert isinstance(records, tuple)
        if text in {"a b", "someone@example.com", "é", "漢字" * 60, "x" * 201, "nul\x00nul", "@" * 36}:
            for record in records:
                assert text.encode() not in record.value + record.key
                assert text not in str(decoded(record))


def _with(field: str, text: str) -> Any:
    match field:
        case "subject_ref":
            return {"kind": "tool_call", "id": text}
        case "source":
            return {"kind": "host", "id": text}
        case "policy_refs":
            return [{"kind": "permission", "id": "one"}, {"kind": "privacy", "id": text}]
        case "cost":
            texts = {"currency": text, "rate_table_version": text, "corrects": f"telemetry.cost.{text}"}
            return {"amount_micros": 5, "status": "corrected", **texts}
        case _:
            return text


@pytest.mark.parametrize("policy", POLICIES)
def test_known_shapes_with_bytes_changed_anywhere(policy: str) -> None:
    """A byte, or two, of real events changed at random after their like has been seen: never another answer."""
    chance = Random(9)
    two = Two(POLICIES[policy])
    values = [event.value or b"" for event in SyntheticEvents(seed=8).take(250)]
    for value in values * 2:
        two.compiled.project(3, 77, b"key", value)
    likely = bytes(range(0, 128, 2)) + b" @/aZ09\xc3\xa9"
    taken = 0
    for _ in range(3_000):
        mutant = bytearray(chance.choice(values))
        for _ in range(chance.choice((1, 1, 2))):
            mutant[chance.randrange(10, len(mutant))] = chance.choice(likely)
        taken += isinstance(two.project(bytes(mutant)), tuple)
    assert taken > 500
    assert two.compiled.replaced > 150


def test_a_text_that_moves_over_a_length_is_seen() -> None:
    """The outline of a shape can be had with other lengths, and a blank where a length stood: the pins tell."""
    two = Two(IdentifierPolicy())
    # 24 characters and 16: the first length looks like a character, the second is a blank.
    for _ in range(2):
        two.project(framed({**MINIMAL, "trace_id": "a" * 24, "span_id": "b" * 16}))
    value = framed({**MINIMAL, "trace_id": "a" * 23, "span_id": "b" * 17})
    for first in range(24):
        two.project(framed({**MINIMAL, "trace_id": "a" * first, "span_id": "b" * (40 - first - 17) + " " + "b" * 16}))
    assert isinstance(two.project(value), tuple)


def test_workers_with_one_key_agree_and_with_another_do_not() -> None:
    """Runs with foreign ids can be followed over workers, and not from one key to the next."""
    value = framed({**MINIMAL, "run_id": "run of someone@example.com"})
    keys = []
    for policy in (IdentifierPolicy(KEY), IdentifierPolicy(KEY), IdentifierPolicy(b"b" * 16)):
        records = Two(policy).project(value)
        assert isinstance(records, tuple)
        assert records[0].key == records[0].run_key.encode() == decoded(records[0])["run_id"].encode()
        keys.append(records[0].key)
    assert keys[0] == keys[1] != keys[2]
    assert all(key.startswith(b"hashed:") for key in keys)


def test_projection_id_and_cursors_have_the_id_as_replaced() -> None:
    """The id is in three places of a record."""
    records = Two(IdentifierPolicy(KEY)).project(framed({**MINIMAL, "event_id": "not an id"}))
    assert isinstance(records, tuple)
    fields = decoded(records[0])
    shown = fields["event_cursor"]["event_id"]
    assert shown.startswith("hashed:")
    assert fields["projection_id"] == f"telemetry.progress.{shown}"


def test_every_text_of_a_record_is_decided() -> None:
    """A new text in the schemas has to be thought about, and named."""
    schemas = store()
    event = record_tree(schemas.agent_event, AGENT_EVENT)
    copied = {*RecordLayout(TOPIC, schemas).copied.values(), "event_id"}
    found = {path for name in copied for path in text_paths(event.field(name).type, name)}
    assert found == {*TEXT_KINDS, *COST_TEXT_PATHS, *(f"{name}.id" for name in REF_SIDES)}
