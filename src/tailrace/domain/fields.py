"""What a field of a domain value may hold beyond its type, declared at the field and checked whenever a value is made.

    run_id: Identifier            not empty, at most 512 bytes of UTF-8, no control character
    dropped_count: Count          0 to 2**64 - 1
    queue_capacity: PositiveCount 1 to 2**64 - 1

A value that exists is therefore valid, wherever it came from, and its JSON form can be read back.
"""

import functools
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from tailrace.domain.errors import InvalidField

MAX_IDENTIFIER_BYTES = 512
"""The longest identifier of the agent SDK whose events these are; a longer one cannot have come from it."""

Check = Callable[[Any], str | None]
"""Says what is wrong with a value of the declared type, or None. Never repeats the value."""


def identifier_problem(text: str) -> str | None:
    """What keeps `text` from being an identifier, in words that follow a field's name; None if it is one."""
    if not text:
        return "must not be empty"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_IDENTIFIER_BYTES:
        return f"must not be longer than {MAX_IDENTIFIER_BYTES} bytes"
    # isprintable() is one pass in C and settles nearly every identifier; what it refuses may still be allowed.
    if not text.isprintable() and any(unicodedata.category(character) == "Cc" for character in text):
        return "must not contain control characters"
    return None


def _within(least: int, most: int) -> Check:
    def problem(number: int) -> str | None:
        return None if least <= number <= most else f"must be between {least} and {most}"

    return problem


Identifier = Annotated[str, identifier_problem]
Version = Annotated[int, _within(0, 2**16 - 1)]
Count = Annotated[int, _within(0, 2**64 - 1)]
PositiveCount = Annotated[int, _within(1, 2**64 - 1)]


class Checked:
    """Makes a frozen dataclass refuse, with `InvalidField`, a value that breaks the check its field declares.

    An optional field is checked unless it is None.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        owner: Any = type(self)
        for name, check in _checks(owner):
            value = getattr(self, name)
            if value is not None and (problem := check(value)) is not None:
                raise InvalidField(name, problem)


@functools.cache
def _checks(owner: type) -> tuple[tuple[str, Check], ...]:
    return tuple(
        (name, check)
        for name, hint in get_type_hints(owner, include_extras=True).items()
        if get_origin(hint) is not tuple
        for part in (hint, *get_args(hint))
        if get_origin(part) is Annotated
        for check in part.__metadata__
        if callable(check)
    )
