"""The audit and the projector agree on what stands in place of identifiers, each by its own code."""

from typing import Any

import pytest

from tailrace.audit.identifiers import Identifiers
from tailrace.audit.verdicts import Judge, Readable
from tailrace.audit.wire import Schemas
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.domain.identifiers import REF_KINDS, IdentifierPolicy, RefTreatment
from tests.unit.codec.oracle import decoded
from tests.unit.codec.written import MINIMAL, framed, schema_json, store

KEY = b"a key of sixteen"
HOSTILE = ("", "plain", "a b", "someone@example.com", "é", "x" * 201, "a/b")
ALIASED = {"source.host": {"plain": "named"}}


def _kinds() -> list[tuple[str, str]]:
    fields = {"subject": "subject_ref", "source": "source", "policy": "policy_refs"}
    return [(fields[side], kind) for side, _, kind in (one.partition(".") for one in sorted(REF_KINDS))]


def _events() -> list[dict[str, Any]]:
    texts = [
        one["name"] for one in schema_json("agent_event")["fields"] if one["type"] in ("string", ["null", "string"])
    ]
    events: list[dict[str, Any]] = [{**MINIMAL, name: text} for name in texts for text in HOSTILE]
    for field, kind in _kinds():
        for text in HOSTILE:
            ref = {"kind": kind, "id": text}
            events.append({**MINIMAL, field: [ref] if field == "policy_refs" else ref})
    for text in HOSTILE:
        cost = {"amount_micros": 1, "currency": text, "rate_table_version": text, "status": "corrected"}
        events += [{**MINIMAL, "cost": {**cost, "corrects": one}} for one in (None, text, f"telemetry.cost.{text}")]
    return events


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
def test_an_audit_expects_what_the_projector_writes(key: bytes | None) -> None:
    """Every field and every kind of reference, with every hostile text: a replaced id is no finding."""
    policy = IdentifierPolicy(key, {"source.host": RefTreatment.ALIAS, "source.user": RefTreatment.KEEP}, ALIASED)
    projector = ReferenceProjector("agent.events", store(), identifiers=policy)
    judge = Judge(
        Schemas(()), "agent.events", 1 << 20, Identifiers(key, {"source.host": "alias", "source.user": "keep"}, ALIASED)
    )
    for event in _events():
        value = framed(event)
        records, expected = projector.project(1, 2, None, value), judge.judge(1, 2, value)
        assert isinstance(records, tuple)
        assert isinstance(expected, Readable)
        assert [decoded(record) for record in records] == [dict(one.record) for one in expected.expected]
        assert expected.agent == records[0].agent_id == event["agent_id"]
