"""What every capture store keeps to, whatever it does with content: docs/PRIVACY.md, Stores."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace import (
    CaptureFailed,
    CaptureKind,
    CaptureResult,
    CaptureStore,
    Inline,
    InlineStore,
    Omit,
    OmitStore,
    PayloadBundle,
    RedactedPart,
    Reference,
)
from tailrace.adapters.reference_store import ReferenceStore
from tailrace.domain.capture import EventContent, ModelCall, capture_prepared, prepare_content
from tests.contract.fake_objects import fake_objects
from tests.unit.domain.capture_stores import MarkingRedactor

PROMPT = "please keep this"
MESSAGES = f'[{{"role":"user","parts":[{{"type":"text","content":"{PROMPT}"}}]}}]'.encode()


def bundle(**changes: Any) -> PayloadBundle:
    fields: dict[str, Any] = {
        "capture_id": "capture.1",
        "capture_kind": CaptureKind.TURN_CHAT,
        "thread_id": "thread.1",
        "turn_number": 0,
        "provider_name": "openai",
        "provider_id": "openai-responses",
        "span_is_recording": True,
        "request_model": "m-1",
        "response_model": None,
        "system_instructions": None,
        "input_messages": RedactedPart(MESSAGES),
        "output_messages": RedactedPart(b"[]"),
    }
    return PayloadBundle(**(fields | changes))


@pytest.fixture(params=["omit", "inline", "memory", "directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CaptureStore]:
    redactor = MarkingRedactor()
    if request.param == "s3":
        with fake_objects(monkeypatch.setenv):
            yield ReferenceStore("s3://bucket/kept", name="payloads", redactor=redactor, plain_http=True)
    else:
        made: dict[str, Callable[[], CaptureStore]] = {
            "omit": OmitStore,
            "inline": lambda: InlineStore(redactor),
            "memory": lambda: ReferenceStore("memory:///", name="payloads", redactor=redactor),
            "directory": lambda: ReferenceStore(tmp_path.as_uri(), name="payloads", redactor=redactor),
        }
        yield made[request.param]()


def test_each_part_that_is_there_gets_a_decision(store: CaptureStore) -> None:
    result = store.capture(bundle())
    assert isinstance(result, CaptureResult)
    for decision in (result.system_instructions, result.input_messages, result.output_messages):
        assert isinstance(decision, Inline | Reference | Omit)


def test_part_that_is_not_there_gets_no_reference(store: CaptureStore) -> None:
    """There is nothing it could name."""
    result = store.capture(bundle(system_instructions=None, input_messages=None))
    assert isinstance(result, CaptureResult)
    assert not isinstance(result.system_instructions, Reference)
    assert not isinstance(result.input_messages, Reference)


def test_span_that_was_not_recording_is_captured_all_the_same(store: CaptureStore) -> None:
    assert store.capture(bundle(span_is_recording=False)) == store.capture(bundle(span_is_recording=True))


def test_store_that_vouches_has_a_redactor_that_masks(store: CaptureStore) -> None:
    """Else everything it calls inline would stay out, with a warning."""
    if store.acknowledge_pii_redaction():
        assert not store.redactor().is_noop
    assert store.redactor() is store.redactor()


def test_bundle_is_as_it_was(store: CaptureStore) -> None:
    given = bundle()
    store.capture(given)
    assert given == bundle()


def test_decisions_tell_nothing_of_the_content(store: CaptureStore) -> None:
    result = store.capture(bundle())
    assert PROMPT not in repr(result)
    assert "keep" not in repr(result)


def test_whole_way_from_an_event_ends_in_decisions(store: CaptureStore) -> None:
    """The store's own redactor, one bundle, no failure."""
    content = EventContent(
        capture_kind=CaptureKind.TURN_CHAT,
        thread_id="thread.1",
        turn_number=0,
        span_is_recording=True,
        input_messages=MESSAGES,
        output_messages=MESSAGES,
    )
    prepared = prepare_content(content, store)
    captured = capture_prepared(store, prepared, ModelCall(), part_limit_bytes=10**6, new_capture_id=lambda: "c.1")
    assert not isinstance(captured.result, CaptureFailed)
    assert captured.warning is None
