"""The C interface of librdkafka's mock cluster: where the library is, and one table of every prototype that is used.

The functions are exported by the library inside the confluent-kafka wheel but covered by no stability promise
(`rdkafka_mock.h`: experimental), which is why pyproject.toml pins the minor version and `open_mock_library` looks every
symbol up before anything is started.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tailrace.domain.errors import EmbeddedBrokerUnavailable

_INSTALL_THE_WHEEL = (
    "install the binary wheel, 'pip install --only-binary :all: --force-reinstall \"confluent-kafka>=2.16.1,<2.17\"', "
    "on a platform that has one (Linux and macOS, x86-64 and ARM), or name a real Kafka in the configuration"
)


class Prototype(NamedTuple):
    """What a C function returns and takes. A variadic one lists its fixed parameters; the rest are passed as c_int."""

    result: Any
    parameters: tuple[Any, ...]


_ERROR_CODE = ctypes.c_int  # rd_kafka_resp_err_t; 0 is success
_TEXT = ctypes.c_char_p
_HANDLE = ctypes.c_void_p  # rd_kafka_t *
_CLUSTER = ctypes.c_void_p  # rd_kafka_mock_cluster_t *
_REQUESTS = ctypes.POINTER(ctypes.c_void_p)  # rd_kafka_mock_request_t **

PROTOTYPES: dict[str, Prototype] = {
    "rd_kafka_conf_new": Prototype(ctypes.c_void_p, ()),
    "rd_kafka_conf_set": Prototype(ctypes.c_int, (ctypes.c_void_p, _TEXT, _TEXT, _TEXT, ctypes.c_size_t)),
    "rd_kafka_new": Prototype(_HANDLE, (ctypes.c_int, ctypes.c_void_p, _TEXT, ctypes.c_size_t)),
    "rd_kafka_destroy": Prototype(None, (_HANDLE,)),
    "rd_kafka_err2name": Prototype(_TEXT, (_ERROR_CODE,)),
    "rd_kafka_mock_cluster_new": Prototype(_CLUSTER, (_HANDLE, ctypes.c_int)),
    "rd_kafka_mock_cluster_destroy": Prototype(None, (_CLUSTER,)),
    "rd_kafka_mock_cluster_bootstraps": Prototype(_TEXT, (_CLUSTER,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": Prototype(None, (_CLUSTER, ctypes.c_int32)),
    "rd_kafka_mock_topic_create": Prototype(_ERROR_CODE, (_CLUSTER, _TEXT, ctypes.c_int, ctypes.c_int)),
    "rd_kafka_mock_topic_delete": Prototype(_ERROR_CODE, (_CLUSTER, _TEXT)),
    "rd_kafka_mock_topic_set_error": Prototype(None, (_CLUSTER, _TEXT, _ERROR_CODE)),
    "rd_kafka_mock_partition_set_leader": Prototype(_ERROR_CODE, (_CLUSTER, _TEXT, ctypes.c_int32, ctypes.c_int32)),
    "rd_kafka_mock_partition_delete_records": Prototype(_ERROR_CODE, (_CLUSTER, _TEXT, ctypes.c_int32, ctypes.c_int64)),
    "rd_kafka_mock_partition_push_request_errors": Prototype(
        _ERROR_CODE, (_CLUSTER, _TEXT, ctypes.c_int32, ctypes.c_int16, ctypes.c_size_t)
    ),
    "rd_kafka_mock_coordinator_set": Prototype(_ERROR_CODE, (_CLUSTER, _TEXT, _TEXT, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_down": Prototype(_ERROR_CODE, (_CLUSTER, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": Prototype(_ERROR_CODE, (_CLUSTER, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_rtt": Prototype(_ERROR_CODE, (_CLUSTER, ctypes.c_int32, ctypes.c_int)),
    "rd_kafka_mock_push_request_errors_array": Prototype(
        None, (_CLUSTER, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(_ERROR_CODE))
    ),
    "rd_kafka_mock_clear_request_errors": Prototype(None, (_CLUSTER, ctypes.c_int16)),
    "rd_kafka_mock_start_request_tracking": Prototype(None, (_CLUSTER,)),
    "rd_kafka_mock_stop_request_tracking": Prototype(None, (_CLUSTER,)),
    "rd_kafka_mock_clear_requests": Prototype(None, (_CLUSTER,)),
    "rd_kafka_mock_get_requests": Prototype(_REQUESTS, (_CLUSTER, ctypes.POINTER(ctypes.c_size_t))),
    "rd_kafka_mock_request_api_key": Prototype(ctypes.c_int16, (ctypes.c_void_p,)),
    "rd_kafka_mock_request_destroy_array": Prototype(None, (_REQUESTS, ctypes.c_size_t)),
}


def _installed_libraries() -> Iterator[Path]:
    """Where the installed confluent-kafka keeps librdkafka: the wheel layouts first, then its own extension module."""
    package = find_spec("confluent_kafka")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent
    yield from sorted((folder.parent / "confluent_kafka.libs").glob("librdkafka*"))  # auditwheel (Linux), delvewheel
    yield from sorted((folder / ".dylibs").glob("librdkafka*.dylib"))  # delocate (macOS)
    # An installation built from source links a librdkafka of the system: a symbol asked of the extension module is
    # also looked up in the libraries it was linked with, so it leads to the very library that the clients use.
    extension = find_spec("confluent_kafka.cimpl")
    if extension is not None and extension.origin is not None:
        yield Path(extension.origin)


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        raise unavailable(f"{path.name} cannot be loaded") from None
    missing = []
    for name, prototype in PROTOTYPES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            missing.append(name)
        else:
            function.restype = prototype.result
            function.argtypes = list(prototype.parameters)
    if missing:
        raise unavailable(f"{path.name} lacks {len(missing)} of {len(PROTOTYPES)} functions, first {missing[0]}")
    return library


def unavailable(reason: str, remedy: str = _INSTALL_THE_WHEEL) -> EmbeddedBrokerUnavailable:
    """The error to raise, with this machine's platform filled in."""
    where = f"{platform.system() or sys.platform} {platform.machine()}".strip()
    return EmbeddedBrokerUnavailable(platform=where, reason=reason, remedy=remedy)


def open_mock_library(path: Path | None = None) -> ctypes.CDLL:
    """The librdkafka that this process's confluent-kafka uses, with every prototype of the table declared.

    `path` names one library instead of searching. Raises EmbeddedBrokerUnavailable if there is none, it cannot be
    loaded, or it does not export the mock cluster. Any thread.
    """
    if path is not None:
        return _load(path)
    refusal = unavailable("confluent-kafka is not installed, or has no librdkafka beside it")
    for candidate in _installed_libraries():
        try:
            return _load(candidate)
        except EmbeddedBrokerUnavailable as unusable:
            refusal = unusable
    raise refusal
