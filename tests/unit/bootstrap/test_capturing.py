"""What an operator wrote about captures is what a lane captures with."""

from collections.abc import Sequence
from threading import Event

from tailrace.bootstrap.capturing import Capturing, make_redactor, make_store
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture_store import CaptureFailed, InlineStore, OmitStore
from tailrace.domain.payload import RedactedJson
from tailrace.domain.projected import LaneItem
from tailrace.runtime.clock import Deadline
from tailrace.runtime.content_stage import ContentStage
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.sink_port import Accepted, ExportOutcome
from tailrace.settings import Settings
from tailrace.settings.capture import (
    InlineStoreSettings,
    OmitStoreSettings,
    PatternSettings,
    RedactionSettings,
    ReferenceStoreSettings,
)
from tests.contract.test_capture_store_contract import bundle
from tests.unit.runtime.fakes import FakeClock, FakeLog


class Nowhere:
    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        del batch, interrupt
        return Accepted()

    def abandon(self) -> None: ...

    def tend(self) -> None: ...

    def close(self, deadline: Deadline) -> None: ...


def settings(mode: str) -> Settings:
    return Settings(  # type: ignore[call-arg]
        kafka={"bootstrap_servers": "127.0.0.1:1"},  # type: ignore[arg-type]
        events={"topic": "agent.events", "group": "g"},  # type: ignore[arg-type]
        capture={"policies": {"all": {}}},  # type: ignore[arg-type]
        sinks={"s": {"kind": "test", "content": {"mode": mode, "policy": "all"}}, "off": {"kind": "test"}},  # type: ignore[dict-item]
    )


def test_the_operators_patterns_and_keys_are_masked_beside_the_usual_ones() -> None:
    redactor = make_redactor(
        RedactionSettings(
            policy_id="ours",
            patterns=(PatternSettings(category="employee_id", pattern="E[0-9]{6}"),),
            sensitive_keys=("matricula",),
        )
    )
    redacted = redactor.redact_json({"matricula": "blue", "said": "E123456 wrote to a@example.com", "other": "blue"})
    assert isinstance(redacted, RedactedJson)
    assert redacted.value == {
        "matricula": "[REDACTED:sensitive_key]",
        "said": "[REDACTED:employee_id] wrote to [REDACTED:email]",
        "other": "blue",
    }


def test_only_a_sink_that_may_get_content_has_a_stage() -> None:
    capturing = Capturing.of(settings("payload_refs"), SchemaStore(), FakeClock(), FakeLog())
    sink = Nowhere()
    assert isinstance(capturing.before("s", sink), ContentStage)
    assert capturing.before("off", sink) is sink
    assert Capturing.of(settings("off"), SchemaStore(), FakeClock(), FakeLog()).before("s", sink) is sink


def test_each_kind_of_store_is_made_as_written() -> None:
    redactor = make_redactor(RedactionSettings())
    assert isinstance(make_store(OmitStoreSettings(kind="omit"), redactor, lambda: False), OmitStore)
    inline = make_store(InlineStoreSettings(kind="inline"), redactor, lambda: False)
    assert isinstance(inline, InlineStore)
    assert inline.redactor() is redactor


def test_a_capture_ends_when_its_export_is_called_off() -> None:
    """Where it had ten seconds more: called off from the start, the store is not waited for at all."""
    off = Event()
    store = make_store(
        ReferenceStoreSettings(kind="reference", url="memory:///", name="kept"),
        make_redactor(RedactionSettings()),
        off.is_set,
    )
    assert not isinstance(store.capture(bundle()), CaptureFailed)
    off.set()
    assert isinstance(store.capture(bundle()), CaptureFailed)
