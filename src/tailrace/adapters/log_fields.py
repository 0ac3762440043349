"""The vocabulary of log lines: every field that may stand in one, and what its values may look like.

A log line has no content because it cannot have any: a field that is not in this table is left out, and a value that
is not of its field's form is replaced. Forms are narrow on purpose. A sentence, a JSON document or a key with a space
in it fits none of them.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

WITHHELD = "(withheld)"
"""What stands in a line in place of a value that is not of its field's form."""

Form = Callable[[object], bool]

_TOKEN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,248}")
_ADDRESSES = re.compile(r"[A-Za-z0-9_.:/,\[\]-]{1,1000}")
_PATH = re.compile(r"[A-Za-z0-9_.:~/\\-]{1,400}")
_CLIENT = re.compile(r"[A-Za-z0-9_.#-]{1,160}")
_CLIENT_TEXT = re.compile(r"[\x20-\x7e]{1,400}")


def _token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _counts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_count, value))


def _tokens(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_token, value))


def _matches(pattern: re.Pattern[str]) -> Form:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


FIELDS: Mapping[str, Form] = MappingProxyType(
    {
        # Whose line it is: identifiers from the configuration, and names of the program's own parts.
        "sink": _token,
        "sinks": _tokens,
        "journal": _token,
        "crashed": _tokens,
        "committed": _flag,
        "client": _matches(_CLIENT),
        "group": _token,
        "topic": _token,
        "topics": _tokens,
        "start_id": _token,
        "version": _token,
        "worker": _count,
        "pid": _count,
        "config": _matches(_PATH),
        "path": _matches(_PATH),
        "bootstrap_servers": _matches(_ADDRESSES),
        # Where: partitions and offsets.
        "partition": _count,
        "partitions": _counts,
        "offset": _count,
        "cursor": _count,
        "cursors": _counts,
        "positions": _counts,
        "first_offset": _count,
        "last_offset": _count,
        # What: words of closed vocabularies, names of error codes and of exception classes.
        "state": _token,
        "mode": _token,
        "origin": _token,
        "reason": _token,
        "failure": _token,
        "detail": _token,
        "code": _token,
        "error": _token,
        "facility": _token,
        # How much, and for how long.
        "records": _count,
        "events": _count,
        "lanes": _count,
        "assigned": _count,
        "halted": _count,
        "catching_up": _count,
        "buffered": _count,
        "lag": _count,
        "undecodable": _count,
        "by_reference": _count,
        "rewritten": _count,
        "replaced": _count,
        "usage_ignored": _count,
        "disagreements": _count,
        "exported": _count,
        "filtered": _count,
        "dropped": _count,
        "inline": _count,
        "references": _count,
        "omitted": _count,
        "failed": _count,
        "workers": _count,
        "restarts": _count,
        "size_bytes": _count,
        "failed_for_ms": _count,
        "deadline_s": _seconds,
        "elapsed_s": _seconds,
        "cpu_s": _seconds,
        "lived_s": _seconds,
        "wait_s": _seconds,
        "exit_code": _count,
        "in_time": _flag,
        # What librdkafka says of its connections. It never has a message in it; no other part may use this field.
        "repeats": _count,
        "client_text": _matches(_CLIENT_TEXT),
    }
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 ,:'-]{2,99}")


def is_name(name: object) -> bool:
    """Whether `name` can be the name of an event: one plain phrase, as a constant in the program is."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def permitted(fields: Mapping[str, object]) -> dict[str, object]:
    """The declared fields, values of another form withheld; `undeclared_fields` counts what was left out. Pure."""
    kept = {name: value if FIELDS[name](value) else WITHHELD for name, value in fields.items() if name in FIELDS}
    if len(kept) < len(fields):
        kept["undeclared_fields"] = len(fields) - len(kept)
    return kept
