"""A capture store that keeps redacted parts in an object store and gives records a reference to them.

    <url>/sha256/<first two digits>/<digest>.json        where a part is kept
    <name>:sha256/<first two digits>/<digest>.json       what a record says of it

The object store is reached through obstore: one wheel without Python dependencies for local directories, S3 and what
speaks it, Google Cloud Storage and Azure, with time-outs and retries of its own. Credentials come from the environment,
under the names of each cloud's own tools (`AWS_ACCESS_KEY_ID`, …); a URL with any in it is refused. Source:
docs/PRIVACY.md, Stores.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from tailrace.adapters.bounded_call import BoundedCall, Overdue, Raised, Returned
from tailrace.domain.capture_store import (
    CaptureFailed,
    CaptureResult,
    CaptureStore,
    Omit,
    PayloadBundle,
    Reference,
    StoreProblem,
)
from tailrace.domain.errors import ConfigurationNeeded, InvalidField
from tailrace.domain.payload import PayloadRedactor, RedactedPart

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SETTING: Final = "capture.store"

_SCHEMES: Final = frozenset(("file", "memory", "s3", "gs", "az"))
_REJECTIONS: Final = frozenset(
    ("PermissionDeniedError", "UnauthenticatedError", "InvalidPathError", "NotSupportedError", "PreconditionError")
)
_OWNER_ONLY: Final = 0o700


class ReferenceStore(CaptureStore):
    """Keeps every part it gets under the digest of its bytes, and decides on a reference to it.

    A reference is given out only after the object was written and found again with its full size; in a local directory
    it is on disk by then. The same bytes are the same object, written again at each capture, so that a bucket's expiry
    counts from the last one. Nothing is ever deleted: how long parts are kept is the bucket's own rule.

    For one thread. `capture` ends within `bound_s` seconds; after a call that did not, captures fail at once until it
    has ended. Failures hold no content, no place and no text of an error.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        redactor: PayloadRedactor,
        bound_s: float = 10.0,
        plain_http: bool = False,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """`url` is `file:///directory`, `s3://bucket/prefix`, `gs://…`, `az://…` or `memory:///`.

        `name` is what records call this store, so that they tell no bucket and no path. `plain_http` allows an
        endpoint without TLS. A capture under way ends early, as a failure, once `given_up` says so. Raises
        ConfigurationNeeded if the URL is none of these or holds credentials or a query, if the name is no name, if
        `redactor` masks nothing, or if obstore is not installed.
        """
        if redactor.is_noop:
            raise ConfigurationNeeded(SETTING, "needs a redactor that masks: a noop one would keep text as it was said")
        try:
            Reference(f"{name}:")
        except InvalidField:
            raise ConfigurationNeeded(SETTING, "needs a name without control characters") from None
        self._name, self._redactor = name, redactor
        self._calls = BoundedCall(bound_s, given_up)
        self._objects = _objects_at(url, bound_s, plain_http=plain_http)

    def capture(self, bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        match self._calls.run(lambda: self._kept_all(bundle)):
            case Returned(value=result):
                return result
            case Raised(error_type=error_type):
                rejected = error_type in _REJECTIONS
                return CaptureFailed(StoreProblem.REJECTED if rejected else StoreProblem.UNAVAILABLE, error_type)
            case Overdue():
                return CaptureFailed(StoreProblem.TIMED_OUT)

    def redactor(self) -> PayloadRedactor:
        return self._redactor

    def _kept_all(self, bundle: PayloadBundle) -> CaptureResult:
        return CaptureResult(
            system_instructions=self._kept(bundle.system_instructions),
            input_messages=self._kept(bundle.input_messages),
            output_messages=self._kept(bundle.output_messages),
        )

    def _kept(self, part: RedactedPart | None) -> Reference | Omit:
        if part is None:
            return Omit()
        self._objects.write(_key_of(part), part.encoded)
        return reference_to(self._name, part)


def reference_to(name: str, part: RedactedPart) -> Reference:
    """What a record says of a part that the store of this name keeps. It says nothing about whether it does."""
    return Reference(f"{name}:{_key_of(part)}")


def _key_of(part: RedactedPart) -> str:
    return f"sha256/{part.sha256[:2]}/{part.sha256}.json"


class _NotThere(Exception):  # noqa: N818 - ends up as the name of its class only
    """What was written is not found again, or not with its size."""


class _Objects:
    """Writes objects under one URL, and makes sure of them."""

    def __init__(self, store: "ObjectStore", directory: Path | None) -> None:
        self._store, self._directory = store, directory

    def write(self, key: str, content: bytes) -> None:
        """Write the object whole, or raise whatever the library raises."""
        import obstore  # noqa: PLC0415 - an extra of the package, needed by this store alone

        obstore.put(self._store, key, content, mode="overwrite", use_multipart=False)
        if obstore.head(self._store, key)["size"] != len(content):
            raise _NotThere
        if self._directory is not None:
            # The library renames a finished file into place, and leaves it to the system when that reaches the disk.
            _flush(self._directory / key)
            for directory in (self._directory / key).parents[: key.count("/") + 1]:
                _flush(directory)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _objects_at(url: str, bound_s: float, *, plain_http: bool) -> _Objects:
    place = urlsplit(url)
    if place.scheme not in _SCHEMES:
        raise ConfigurationNeeded(SETTING, f"needs a URL that begins with one of {', '.join(sorted(_SCHEMES))}")
    if place.username or place.password or place.query or place.fragment:
        raise ConfigurationNeeded(SETTING, "takes credentials and options from the environment, never from its URL")
    try:
        return _opened(url, place, bound_s, plain_http=plain_http)
    except ImportError:
        raise ConfigurationNeeded(SETTING, "needs obstore: install tailrace with the extra object-store") from None
    except (OSError, ValueError, LookupError):
        raise ConfigurationNeeded(SETTING, "has a URL that cannot be opened") from None


def _opened(url: str, place: SplitResult, bound_s: float, *, plain_http: bool) -> _Objects:
    from obstore.exceptions import BaseError  # noqa: PLC0415
    from obstore.store import LocalStore, MemoryStore, from_url  # noqa: PLC0415

    if place.scheme == "memory":
        return _Objects(MemoryStore(), None)
    if place.scheme == "file":
        directory = Path(unquote(place.path))
        if place.netloc or not directory.is_absolute():
            raise ConfigurationNeeded(SETTING, "needs a directory of this machine, as in file:///directory")
        directory.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        return _Objects(LocalStore(directory), directory)
    bound = timedelta(seconds=bound_s)
    options: Any = {"timeout": bound, "connect_timeout": bound / 2, "allow_http": plain_http}
    try:
        store = from_url(url, client_options=options, retry_config={"max_retries": 2, "retry_timeout": bound})
    except BaseError:
        raise ConfigurationNeeded(SETTING, "has a URL that cannot be opened") from None
    return _Objects(store, None)
