"""The store that keeps parts in an object store: docs/PRIVACY.md, Stores."""

import hashlib
import json
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace import CaptureFailed, CaptureResult, ConfigurationNeeded, Omit, RedactedPart, Reference, StoreProblem
from tailrace.adapters.bounded_call import BoundedCall, Overdue, Raised, Returned
from tailrace.adapters.reference_store import ReferenceStore
from tailrace.domain.payload import NOOP_REDACTOR
from tests.contract.fake_objects import FakeObjects, fake_objects
from tests.contract.test_capture_store_contract import MESSAGES, PROMPT, bundle
from tests.unit.domain.capture_stores import MarkingRedactor

DIGEST = hashlib.sha256(MESSAGES).hexdigest()
KEY = f"sha256/{DIGEST[:2]}/{DIGEST}.json"


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeObjects]:
    with fake_objects(monkeypatch.setenv) as running:
        yield running


def store_in(directory: Path) -> ReferenceStore:
    return ReferenceStore(directory.as_uri(), name="payloads", redactor=MarkingRedactor())


def store_on_s3(bound_s: float = 10.0) -> ReferenceStore:
    return ReferenceStore(
        "s3://bucket/kept", name="payloads", redactor=MarkingRedactor(), bound_s=bound_s, plain_http=True
    )


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def test_part_is_kept_under_its_digest_and_named_without_its_place(tmp_path: Path) -> None:
    """The reference tells the store's name and the digest; neither path nor content."""
    result = store_in(tmp_path / "kept").capture(bundle())
    assert isinstance(result, CaptureResult)
    assert result.input_messages == Reference(f"payloads:{KEY}")
    assert files_in(tmp_path / "kept") == {KEY: MESSAGES, _key(b"[]"): b"[]"}
    assert str(tmp_path) not in repr(result)


def test_directory_that_was_made_is_its_owners_alone(tmp_path: Path) -> None:
    store_in(tmp_path / "deep" / "kept")
    assert stat.S_IMODE((tmp_path / "deep" / "kept").stat().st_mode) == 0o700


def test_same_part_is_one_object_whoever_sends_it(tmp_path: Path) -> None:
    """Content names itself, so a second capture adds nothing, and a capture that was cut short is repaired."""
    store = store_in(tmp_path)
    first = store.capture(bundle(capture_id="capture.1"))
    (tmp_path / KEY).write_bytes(MESSAGES[:5])
    assert store.capture(bundle(capture_id="capture.2", thread_id="thread.2")) == first
    assert files_in(tmp_path) == {KEY: MESSAGES, _key(b"[]"): b"[]"}


def test_part_that_is_not_there_is_not_kept(tmp_path: Path) -> None:
    result = store_in(tmp_path).capture(bundle(input_messages=None, output_messages=None))
    assert result == CaptureResult.all_parts(Omit())
    assert files_in(tmp_path) == {}


def test_reference_is_given_out_after_the_object_was_found_again(objects: FakeObjects) -> None:
    """Written, then looked for, part by part; signed with what the environment holds."""
    result = store_on_s3().capture(bundle(output_messages=None))
    assert isinstance(result, CaptureResult)
    assert result.input_messages == Reference(f"payloads:{KEY}")
    assert objects.objects == {f"/bucket/kept/{KEY}": MESSAGES}
    assert objects.requests == ["PUT", "HEAD"]
    assert all("key-of-the-environment" in signature for signature in objects.signed_by)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(403, StoreProblem.REJECTED), (401, StoreProblem.REJECTED), (503, StoreProblem.UNAVAILABLE)],
)
def test_refusal_is_a_failure_of_the_store(objects: FakeObjects, status: int, problem: StoreProblem) -> None:
    """The kind of problem and the name of a class, and no word of place or content."""
    objects.status = status
    failure = store_on_s3(bound_s=5.0).capture(bundle())
    assert isinstance(failure, CaptureFailed)
    assert failure.problem is problem
    for word in (PROMPT, "bucket", "127.0.0.1", DIGEST):
        assert word not in repr(failure)


def test_object_that_is_not_found_again_gives_no_reference(objects: FakeObjects) -> None:
    """A server that says yes and keeps nothing."""
    objects.forgets = True
    failure = store_on_s3().capture(bundle())
    assert isinstance(failure, CaptureFailed)
    assert failure.problem is StoreProblem.UNAVAILABLE


def test_object_that_was_cut_short_gives_no_reference(objects: FakeObjects) -> None:
    objects.cut_bytes = 1
    assert store_on_s3().capture(bundle()) == CaptureFailed(StoreProblem.UNAVAILABLE, "_NotThere")


def test_server_that_does_not_answer_costs_bounded_time(objects: FakeObjects) -> None:
    """It is a failure like any other, and after the server is back all is well."""
    objects.answering.clear()
    store = store_on_s3(bound_s=0.5)
    assert isinstance(store.capture(bundle()), CaptureFailed)
    requests = len(objects.requests)
    assert requests > 0
    objects.answering.set()
    for thread in threading.enumerate():
        if thread.name == "tailrace-bounded-call":
            thread.join(10)
    assert isinstance(store.capture(bundle()), CaptureResult)


def test_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_objects(monkeypatch.setenv):
        pass
    failure = store_on_s3(bound_s=5.0).capture(bundle())
    assert isinstance(failure, CaptureFailed)
    assert failure.problem is StoreProblem.UNAVAILABLE


def test_directory_that_is_gone_for_a_file_is_a_failure_without_its_place(tmp_path: Path) -> None:
    store = store_in(tmp_path / "kept")
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").write_bytes(b"")
    failure = store.capture(bundle())
    assert isinstance(failure, CaptureFailed)
    assert "kept" not in repr(failure)


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/kept",
        "s3://bucket/kept?X-Amz-Signature=secret",
        "s3://bucket/kept#secret",
        "ftp://host/kept",
        "https://bucket.example/kept",
        "kept",
        "",
        "file://host/kept",
        "file:kept",
        "s3://",
    ],
)
def test_url_that_is_none_or_holds_a_credential_is_refused(url: str) -> None:
    """And not repeated in the refusal."""
    with pytest.raises(ConfigurationNeeded) as refused:
        ReferenceStore(url, name="payloads", redactor=MarkingRedactor())
    assert "secret" not in str(refused.value)


def test_noop_redactor_is_refused() -> None:
    """What this store keeps would be text as it was said."""
    with pytest.raises(ConfigurationNeeded):
        ReferenceStore("memory:///", name="payloads", redactor=NOOP_REDACTOR)


def test_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationNeeded):
        ReferenceStore("memory:///", name="a\nb", redactor=MarkingRedactor())


def test_server_without_tls_needs_a_word(objects: FakeObjects) -> None:
    """Content does not cross a network in the clear because an endpoint was set."""
    store = ReferenceStore("s3://bucket/kept", name="payloads", redactor=MarkingRedactor())
    assert isinstance(store.capture(bundle()), CaptureFailed)
    assert objects.requests == []


def test_kept_part_is_the_json_it_was(tmp_path: Path) -> None:
    part = RedactedPart('[{"text":"<é>"}]'.encode())
    store_in(tmp_path).capture(bundle(input_messages=part))
    assert json.loads((tmp_path / _key(part.encoded)).read_bytes()) == [{"text": "<é>"}]


def test_bounded_call_answers_raises_and_gives_up() -> None:
    """A call that hangs is left behind; another is refused until it has ended, and no thread is added for it."""
    calls, hang = BoundedCall(0.05), threading.Event()

    def panic() -> int:
        raise BaseException(PROMPT)  # noqa: TRY002 - as a panic of a Rust library arrives

    assert calls.run(lambda: 3) == Returned(3)
    assert calls.run(panic) == Raised("BaseException")
    begun_s = time.monotonic()
    assert calls.run(hang.wait) == Overdue()
    assert time.monotonic() - begun_s < 2.0
    threads = threading.active_count()
    assert calls.run(lambda: 3) == Overdue()
    assert threading.active_count() == threads
    hang.set()
    for thread in threading.enumerate():
        if thread.name == "tailrace-bounded-call":
            thread.join(10)
    assert calls.run(lambda: 4) == Returned(4)


def test_bounded_call_ends_when_its_caller_is_called_off() -> None:
    """Long before its bound: a revocation does not wait for a dead store."""
    hang, off = threading.Event(), threading.Event()
    calls = BoundedCall(60.0, given_up=off.is_set)

    def hanging() -> int:
        off.set()
        return int(hang.wait())

    begun_s = time.monotonic()
    assert calls.run(hanging) == Overdue()
    assert time.monotonic() - begun_s < 30.0
    hang.set()


def _key(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"sha256/{digest[:2]}/{digest}.json"
