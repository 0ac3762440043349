"""What a producer could send that has canaries in it: good events of every sort, and records that nobody can decode."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer

from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore
from tests.canary.canaries import CATEGORIES, PLAIN, Canary, Patch, Planter, Reach, conversation, unreadable_parts

MAX_EVENT_BYTES = 131_072
DAY_US = 86_400 * 1_000_000

FEW = (PLAIN, "email", "card", "anthropic_key", "cpf")
"""The categories that stand for all where an event only tells whether anything gets out."""


class Group(StrEnum):
    """Sorts of events that differ in who may have their content."""

    ORDINARY = "ordinary events"
    SECRET = "secret events"  # noqa: S105 - a privacy class
    REFS_ONLY = "events for references only"
    CHILD = "a child agent's events"
    EXTENSION = "an extension's events"
    SILENT = "events whose source permits nothing"
    HALF_SILENT = "events whose source permits references"
    OLD = "events of ten days ago"
    UNREADABLE = "events with unreadable content"
    FACTS = "facts that are not exported"
    ENVELOPE = "keys and headers"
    IDENTIFIERS = "malformed identifiers"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Sent:
    """A Kafka record as a producer hands it over."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    sort: tuple[str, str]
    """Which group's, and whose category its canaries are of."""
    event_id: str = ""
    """As it was sent; empty for what is no event."""


@dataclass(frozen=True, slots=True)
class Sowing:
    """Records, and every canary that is in them."""

    records: tuple[Sent, ...]
    canaries: tuple[Canary, ...]

    def of(self, *groups: Group) -> frozenset[Canary]:
        return frozenset(canary for canary in self.canaries if canary.group in groups)

    def event_ids(self, group: Group) -> frozenset[str]:
        return frozenset(record.event_id for record in self.records if record.sort[0] == group)


TRAITS: Mapping[Group, Mapping[str, Any]] = {
    Group.ORDINARY: {},
    Group.SECRET: {"privacy": "secret"},
    Group.REFS_ONLY: {"privacy": "content_refs_only"},
    Group.CHILD: {"source": {"kind": "subagent", "id": "host-1"}},
    Group.EXTENSION: {"subject_ref": {"kind": "extension_action", "id": "action-1"}},
    Group.SILENT: {"content_capture": "off"},
    Group.HALF_SILENT: {"content_capture": "payload_refs"},
    Group.OLD: {},
}


def sow(seed: int, now_us: int) -> Sowing:
    """All of it, the same for the same seed and time; events are dated just before `now_us`, or ten days before."""
    return Sowing(*_Sower(seed, now_us).all())


class Encoder:
    """Events as a producer frames them, from their fields by name; what is left out has the schema's default."""

    def __init__(self, schemas: SchemaStore) -> None:
        self._frame = single_object_frame(schemas.agent_event)
        self._avro = parse_schema(schemas.agent_event.json)  # type: ignore[arg-type]

    def encode(self, fields: Mapping[str, Any]) -> bytes:
        out = BytesIO()
        schemaless_writer(out, self._avro, dict(fields))
        return self._frame + out.getvalue()


class _Sower:
    def __init__(self, seed: int, now_us: int) -> None:
        self._planter = Planter(seed)
        self._now_us = now_us
        self._encoder = Encoder(SchemaStore())
        self._made = 0

    def all(self) -> tuple[tuple[Sent, ...], tuple[Canary, ...]]:
        records = [*self._good(), *self._unreadable(), *self._facts(), *self._identifiers(), *self._poison()]
        return tuple(self._enveloped(number, record) for number, record in enumerate(records)), tuple(
            self._planter.planted
        )

    # ------------------------------------------------------------------------------------------------- good events

    def _good(self) -> Iterator[Sent]:
        for group, traits in TRAITS.items():
            for category in CATEGORIES if group is Group.ORDINARY else FEW:
                age_us = 10 * DAY_US if group is Group.OLD else 0
                fields = {**self._fields(age_us), **traits, "content": self._content(self._planter.at(group, category))}
                yield self._sent(fields, group, category)

    def _unreadable(self) -> Iterator[Sent]:
        for category in FEW:
            for place, part in unreadable_parts(self._planter.at(Group.UNREADABLE, category)).items():
                content = {**_NO_CONTENT, "input_messages" if len(place) % 2 else "output_messages": part}
                yield self._sent({**self._fields(), "content": content}, Group.UNREADABLE, category)

    def _facts(self) -> Iterator[Sent]:
        for category in FEW:
            patch = self._planter.at(Group.FACTS, category)
            fields = {**self._fields(), "tags": [patch.kept("tag"), "nightly"]}
            yield self._sent(fields, Group.FACTS, category)

    def _content(self, patch: Patch) -> dict[str, object]:
        said = conversation(patch)
        return {
            **_NO_CONTENT,
            "system_instructions": said.system_instructions,
            "input_messages": said.input_messages,
            "output_messages": said.output_messages,
        }

    # ------------------------------------------------------------------------------------------------- identifiers

    def _identifiers(self) -> Iterator[Sent]:
        for category in FEW:
            patch = self._planter.at(Group.IDENTIFIERS, category)

            def spoken(field: str, patch: Patch = patch) -> str:
                # Blanks are outside the grammar of identifiers, whatever the canary looks like.
                return f"user said {patch.bare(field, Reach.NOWHERE)} ok"

            plain = {name: spoken(name) for name in _ID_FIELDS}
            nested = {
                "subject_ref": {"kind": "run", "id": spoken("subject_ref")},
                "source": {"kind": "host", "id": spoken("source")},
                "destination": {"kind": "tool", "id": spoken("destination")},
                "related_refs": [{"kind": "message", "id": spoken("related_refs")}],
                "policy_refs": [{"kind": "permission", "id": spoken("policy_refs")}],
                "causal_refs": [
                    {
                        "event_id": spoken("causal_refs.event_id"),
                        "subject_ref": {"kind": "run", "id": spoken("causal_refs.subject_ref")},
                        "reason": spoken("causal_refs.reason"),
                    }
                ],
                "correlation": [{"key": spoken("correlation.key"), "value": spoken("correlation.value")}],
                "cost": {
                    "amount_micros": 1,
                    "currency": spoken("cost.currency"),
                    "rate_table_version": spoken("cost.rate_table_version"),
                    "status": "corrected",
                    "corrects": spoken("cost.corrects"),
                },
                "content": {**_NO_CONTENT, "thread_id": spoken("content.thread_id")},
            }
            yield self._sent({**self._fields(), **plain, **nested}, Group.IDENTIFIERS, category)

    # ------------------------------------------------------------------------------------------------------ poison

    def _poison(self) -> Iterator[Sent]:
        for category in FEW:
            for name, make in _POISONS.items():
                patch = self._planter.at(Group.POISON, category)
                yield Sent(None, make(self, patch, name), (), (Group.POISON, category))

    def poisoned_event(self, patch: Patch, name: str, **fields: Any) -> bytes:
        """An event with a canary in a tag and in its content, which would be good without what is done to it."""
        said = f'[{{"role":"user","parts":[{{"type":"text","content":"{patch.bare(f"{name}: content", Reach.NOWHERE)}'
        content = {**_NO_CONTENT, "input_messages": said.encode(), "output_messages": b'"}]}]'}
        tags = [patch.kept(f"{name}: tag")]
        return self._encoder.encode({**self._fields(), "tags": tags, "content": content, **fields})

    # ----------------------------------------------------------------------------------------------------- records

    def _fields(self, age_us: int = 0) -> dict[str, Any]:
        self._made += 1
        number = self._made
        at_us = self._now_us - age_us - 1_000_000 + number
        return {
            "event_id": f"event-{number}",
            "event_seq": number,
            "event_family": "model",
            "event_kind": "model_message_completed",
            "terminal": True,
            "timestamp": at_us,
            "recorded_at": at_us,
            "run_id": f"run-{number}",
            "agent_id": "agent.support",
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "subject_ref": {"kind": "run", "id": f"run-{number}"},
            "source": {"kind": "host", "id": "host-1"},
            "delivery_semantics": "best_effort_live",
            "privacy": "internal",
            "content_capture": "raw_content",
            "redaction_policy_id": "producer-1",
            "provider_id": "alder-responses",
            "provider_name": "alder",
            "model_id": "alder-large",
            "usage": {"input_tokens": number, "output_tokens": 1} if number % 2 else None,
        }

    def _sent(self, fields: Mapping[str, Any], group: Group, category: str) -> Sent:
        return Sent(None, self._encoder.encode(fields), (), (group, category), fields["event_id"])

    def _enveloped(self, number: int, record: Sent) -> Sent:
        """With a canary in the message's key, and in a header's name and value."""
        patch = self._planter.at(Group.ENVELOPE, CATEGORIES[number % len(CATEGORIES)])
        key = patch.bare("message key", Reach.NOWHERE).encode()
        header = (patch.bare("header name", Reach.NOWHERE), patch.kept("header value").encode())
        return replace(record, key=key, headers=(header, ("content-type", b"application/avro")))


_NO_CONTENT: Mapping[str, object] = {
    "capture_kind": "turn_chat",
    "thread_id": "thread-1",
    "turn_number": 0,
    "span_is_recording": True,
    "system_instructions": None,
    "input_messages": b"[]",
    "output_messages": b"[]",
}

_ID_FIELDS = (
    "event_id",
    "event_kind",
    "run_id",
    "session_id",
    "agent_id",
    "turn_id",
    "attempt_id",
    "message_id",
    "context_item_id",
    "trace_id",
    "span_id",
    "parent_event_id",
    "parent_span_id",
    "journal_cursor",
    "redaction_policy_id",
    "runtime_package_fingerprint",
    "provider_id",
    "provider_name",
    "model_id",
    "response_model",
    "tool_name",
    "finish_reason",
    "error_type",
)


def _broken_text(sower: _Sower, patch: Patch, name: str) -> bytes:
    kept = patch.kept(f"{name}: agent id")
    value = sower.poisoned_event(patch, name, agent_id=kept + "@@broken@@")
    return value.replace(b"@@broken@@", b"\xff\xfe\xc3\x28\xf0\x9f!!!!")


def _unknown_schema(sower: _Sower, patch: Patch, name: str) -> bytes:
    value = sower.poisoned_event(patch, name)
    return value[:2] + b"\xab" * 8 + value[10:]


def _oversize(sower: _Sower, patch: Patch, name: str) -> bytes:
    return sower.poisoned_event(patch, name, model_id="m " * (MAX_EVENT_BYTES // 2))


_POISONS: Mapping[str, Callable[[_Sower, Patch, str], bytes | None]] = {
    "null value": lambda *_: None,
    "unframed": lambda _, patch, name: f'{{"prompt": "{patch.bare(name, Reach.NOWHERE)}"}}'.encode(),
    "truncated": lambda sower, patch, name: sower.poisoned_event(patch, name)[:-3],
    "trailing bytes": lambda sower, patch, name: (
        sower.poisoned_event(patch, name) + patch.kept(f"{name}: tail").encode()
    ),
    "bad UTF-8": _broken_text,
    "unknown schema": _unknown_schema,
    "oversize": _oversize,
    "misplaced usage": lambda sower, patch, name: sower.poisoned_event(
        patch, name, event_family="tool", usage={"input_tokens": 1}
    ),
}
