"""The configurations under which nothing may get out, and those under which something may, and what.

An *open* policy lets everything through that a policy can let through without naming anything foreign. Each closed one
differs from it in one thing, so that what it keeps back is kept back by that thing alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.canary.events import Group
from tests.canary.outing import TROUBLE, Configured

LIMIT_BYTES: Final = 131_072  # above every part of every event here
RAW: Final = {"mode": "raw_content"}
OPEN: Final[Mapping[str, Any]] = {
    "mode": "raw_content",
    "part_limit_bytes": LIMIT_BYTES,
    "event_limit_bytes": LIMIT_BYTES,
    "agents": {"otherwise": RAW},
    "families": {"otherwise": RAW},
    "privacy": {"otherwise": RAW},
    "retention_s": {"run_scoped": 86_400},
    "sample": {"rate": 1.0},
}
_NO_CHANGE: Final[Mapping[str, Any]] = {}
SAMPLE_KEYS: Final = {"canary": "a sample key of a test"}


Gates = tuple[str, ...]
"""Names of closed gates, in the order in which records name them."""

_BY_MODE: Final[Gates] = ("policy_mode", "policy_complete")
_BY_NO_CAP: Final[Gates] = (*_BY_MODE, "byte_limit")
_BY_SOURCE: Final[Gates] = ("policy_complete", "source")
_BY_SINK: Final[Gates] = ("policy_complete", "sink")


ROOM: Final = {"memory_limit_bytes": 4 * 2**30}
"""The budget of twenty lanes, which is what they could take and nothing they do."""


@dataclass(frozen=True, slots=True)
class Capturing:
    """A sink for content: the mode it declares, what its policy changes of the open one, whose content it gets.

    `closed` are the gates that it closes for events that close none themselves; None where that depends on the event.
    """

    mode: str = "raw_content"
    changes: Mapping[str, Any] = field(default_factory=dict)
    gets: tuple[Group, ...] = ()
    kind: str = "durable_trace"
    closed: Gates | None = ()

    def keys(self, policy: str) -> dict[str, Any]:
        content = {"content": {"mode": self.mode, "policy": policy}}
        return {**FAILING, **content} if self.kind == "test" else {"kind": self.kind, **content}


FAILING: Final[Mapping[str, Any]] = {
    "kind": "test",
    "script": list(TROUBLE),
    "batch": {"records": 8, "linger_ms": 5},
}
"""A sink that is out for a while and refuses records: each of those becomes a dead letter."""

_CLOSED: Final[Mapping[str, Capturing]] = {
    # The sink's own word.
    "sink-metadata": Capturing("metadata_only", closed=_BY_SINK),
    "sink-off": Capturing("off"),
    "sink-refs": Capturing("payload_refs", closed=_BY_SINK),
    # The gates that a policy decides about, one by one.
    "policy-summary": Capturing(changes={"mode": "redacted_summary"}, closed=_BY_MODE),
    "policy-refs": Capturing(changes={"mode": "payload_refs"}, closed=_BY_MODE),
    "retention-over": Capturing(changes={"retention_s": {"run_scoped": 1}}, closed=("retention",)),
    "sample": Capturing(changes={"sample": {"rate": 1e-12, "key": "canary"}}, closed=("sample",)),
    "byte-limit": Capturing(changes={"event_limit_bytes": 700}, closed=("byte_limit",)),
    "part-limit": Capturing(changes={"part_limit_bytes": 20}, closed=("byte_limit",)),
    # A policy that is not complete: without a window, without a sample. (One without a limit is refused.)
    "no-window": Capturing(changes={"retention_s": {}}, closed=("policy_complete", "retention")),
    "no-sample": Capturing(changes={"sample": {"rate": 0.0}}, closed=("policy_complete", "sample")),
    # The axes, one by one.
    "agent": Capturing(changes={"agents": {"named": {"agent.billing": RAW}}}, closed=_BY_MODE),
    "family": Capturing(changes={"families": {"named": {"tool": RAW}}}, closed=_BY_MODE),
    "privacy": Capturing(changes={"privacy": {"named": {"public": RAW}}}, closed=_BY_MODE),
}

INLINE_SINKS: Final[Mapping[str, Capturing]] = {
    "granted": Capturing(gets=(Group.ORDINARY,)),
    "granted-file": Capturing(kind="local_diagnostic", gets=(Group.ORDINARY,)),
    "secrets": Capturing(
        changes={"privacy": {"otherwise": RAW, "named": {"secret": RAW}}}, gets=(Group.ORDINARY, Group.SECRET)
    ),
    "foreign": Capturing(
        changes={"origins": ["child_agent", "extension"]}, gets=(Group.ORDINARY, Group.CHILD, Group.EXTENSION)
    ),
    "patient": Capturing(changes={"retention_s": {"run_scoped": 8_640_000}}, gets=(Group.ORDINARY, Group.OLD)),
    "trouble": Capturing(kind="test"),
    # Some of its parts are left out and not all: what of an event is too much for it depends on the event.
    "part-limit-some": Capturing(changes={"part_limit_bytes": 100}, closed=None),
    **_CLOSED,
}

_REFERENCES_FOR: Final = (Group.ORDINARY, Group.REFS_ONLY, Group.HALF_SILENT)
REFERENCE_SINKS: Final[Mapping[str, Capturing]] = {
    "granted": Capturing(gets=_REFERENCES_FOR),
    "refs": Capturing("payload_refs", {"mode": "payload_refs"}, gets=_REFERENCES_FOR),
    "trouble": Capturing(kind="test"),
    **{name: _CLOSED[name] for name in ("policy-summary", "retention-over", "sample", "byte-limit", "family")},
}

ONE_SINK: Final[Mapping[str, Capturing]] = {"granted": Capturing(), "trouble": Capturing(kind="test")}


def _capturing(name: str, sinks: Mapping[str, Capturing], *, killed: bool = False, **capture: Any) -> Configured:
    policies = {sink: {**OPEN, **capturing.changes} for sink, capturing in sinks.items()}
    section = {
        "redaction": {"policy_id": "redaction-of-the-canaries"},
        "sample_keys": SAMPLE_KEYS,
        "policies": policies,
        **capture,
    }
    keys = {sink: capturing.keys(sink) for sink, capturing in sinks.items()}
    return Configured(
        name, {**keys, "plain": {"kind": "durable_trace"}}, {"capture": section, "worker": ROOM}, killed=killed
    )


OFF = Configured(
    "off",
    {"plain": {"kind": "durable_trace"}, "diagnostic": {"kind": "local_diagnostic"}, "trouble": FAILING},
    killed=True,
)
"""What an operator gets who never heard of content."""


def inline(name: str, sinks: Mapping[str, Capturing], *, killed: bool = False) -> Configured:
    """These sinks, with everything open that is the whole worker's."""
    return _capturing(name, sinks, killed=killed, payloads=True, store={"kind": "inline"})


INLINE = inline("inline", INLINE_SINKS, killed=True)
"""Everything an operator can open is open somewhere, and closed by one thing at a time elsewhere."""

REFERENCES = _capturing(
    "references",
    REFERENCE_SINKS,
    killed=True,
    store={"kind": "reference", "url": "file://{folder}/store", "name": "archive"},
)
"""Redacted parts in a directory, references on records."""

PAYLOADS_OFF = _capturing("payloads off", ONE_SINK, store={"kind": "inline"})
"""Everything open but the operator's switch."""

NO_REDACTION_POLICY = _capturing("no redaction policy", ONE_SINK, payloads=True, store={"kind": "inline"}, redaction={})
"""Everything open, but nobody named the redaction: a policy that is not complete."""

NO_REDACTION_GATES: Final[Mapping[tuple[str, Group], Gates]] = {("granted", Group.ORDINARY): ("policy_complete",)}

OMIT_AND_RAW_LETTERS = _capturing("omit", ONE_SINK).with_sections({"dead_letter": {"raw": True}})
"""Everything open but the store, and dead letters with what nobody could read, because the operator wants that."""

CLOSED = (OFF, PAYLOADS_OFF, NO_REDACTION_POLICY)
"""Those that grant nobody anything."""

CLOSED_BY_EVENTS: Final[Mapping[Group, Gates]] = {
    Group.SECRET: _BY_NO_CAP,
    Group.REFS_ONLY: _BY_MODE,
    Group.CHILD: _BY_NO_CAP,
    Group.EXTENSION: _BY_NO_CAP,
    Group.SILENT: _BY_SOURCE,
    Group.HALF_SILENT: _BY_SOURCE,
    Group.OLD: ("retention",),
}
"""The gates that an event closes itself, at a sink that closes none."""


def gates_to_name(sinks: Mapping[str, Capturing]) -> dict[tuple[str, Group], Gates]:
    """By sink and group of events, the gates that records have to name: closed by the sink, or else by the event."""
    ordinary = {
        (name, Group.ORDINARY): sink.closed
        for name, sink in sinks.items()
        # At a sink that is off nothing is decided.
        if sink.kind == "durable_trace" and sink.mode != "off" and sink.closed is not None
    }
    return {**ordinary, **{("granted", group): gates for group, gates in CLOSED_BY_EVENTS.items()}}


ALL = (*CLOSED, INLINE, REFERENCES, OMIT_AND_RAW_LETTERS)
