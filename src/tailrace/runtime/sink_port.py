"""What the runtime asks of a destination: the contract of a sink, and what may become of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import LaneItem
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Interrupt


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination has the whole batch for good."""


@dataclass(frozen=True, slots=True)
class Retriable:
    """The destination did not take the rest of the batch now; the same records may work later.

    `accepted_records` counts the records at the front of the batch that it does have. `retry_after_s` is the delay the
    destination itself asked for, None if it named none. `detail` is a constant code such as a Kafka error name: it goes
    to logs and the ledger, so it never holds a value, a key or a message text from outside.
    """

    accepted_records: int
    failure_kind: FailureKind
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The destination will never take some record among the next `suspect_records` after the accepted ones.

    With `suspect_records == 1` the culprit is found and its lane writes it off; with more, the lane exports smaller
    pieces until it is. Only for verdicts on records; a destination that refuses *everything* (no permission, no such
    topic) is `Retriable`, because the records are fine.
    """

    accepted_records: int
    suspect_records: int
    failure_kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The caller asked to give up; `accepted_records` at the front are known to be there, of the rest nobody knows."""

    accepted_records: int


ExportOutcome = Accepted | Retriable | Refused | Interrupted


Item_contra = TypeVar("Item_contra", bound=LaneItem, contravariant=True)


class Sink(Protocol[Item_contra]):
    """One destination. Used by one lane's thread alone; a new kind of sink is one file with one of these.

    A sink never raises out of `export`: a failure it did not foresee is the adapter's to translate.
    """

    def export(self, batch: Sequence[Item_contra], interrupt: Interrupt) -> ExportOutcome:
        """Hand over a non-empty batch in order and wait until its fate is known.

        Records must arrive in the order given: after a failure nothing behind the failed record may stay on its way.
        Returns within about 100 ms of `interrupt` being set.
        """
        ...

    def abandon(self) -> None:
        """Forget everything still on its way, so that none of it can arrive after this returns; stay usable."""
        ...

    def tend(self) -> None:
        """Do what cannot wait for the next batch. Called every second or so between batches; returns at once.

        A client that nobody listens to keeps what it has to say, without a bound.
        """
        ...

    def close(self, deadline: Deadline) -> None:
        """Release what the sink holds, by `deadline`. Nothing is on its way when this is called."""
        ...
