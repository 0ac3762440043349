"""What a telemetry record is put together from, piece by piece, whoever puts it together.

    head │ event id │ source │ offset │ cursor │ the event's fields, and constants │ the tail

Generated functions render the pieces as Python, the native program as numbers. Pieces that only come with an event, or
with what the rules planned for it, are the expressions named here. Immutable; any thread.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Piece, merged, written
from tailrace.codec.compiled_records import archive_cursor
from tailrace.codec.encoding import encode_long
from tailrace.codec.record_layout import RecordLayout

HEAD: Final = Expression("planned.heads[len(event_id)]")
EVENT_ID: Final = Expression("event_id")
SOURCE: Final = Expression("place.source")
OFFSET: Final = Expression("at")
ARCHIVE: Final = Expression("place.archives[len(digits)]")
DIGITS: Final = Expression("digits")
"""The place on Kafka as a text: what comes before its offset, and the offset."""

NULL: Final = encode_long(0)


def fixed(name: str) -> Expression:
    """A field that the rules alone decide."""
    return Expression(f"planned.fixed[{name!r}]")


class RecordPieces:
    """The records of one layout, made of the event's `fields`: the pieces of each field of it that they need."""

    def __init__(self, layout: RecordLayout, fields: Mapping[str, Sequence[Piece]]) -> None:
        self._layout = layout
        self._fields = fields

    def record(self, cursor: Sequence[Piece], amounts: Mapping[str, Piece] | None = None) -> list[Piece]:
        """The record's pieces; without `amounts` for an event that has neither usage nor cost."""
        pieces: list[Piece] = [HEAD, EVENT_ID]
        names = self._layout.prefix_names
        for name in names[names.index("projection_id") + 1 :]:
            if name == "source_cursor":
                pieces += cursor
            elif name in {"usage", "cost"}:
                # What is absent is copied from the event, if it can be, so that one slice goes over it.
                absent = [_null(self._fields[name][0])]
                pieces += absent if amounts is None else [amounts[name]]
            else:
                pieces += self._prefix_field(name)
        return [*pieces, *self.tail()]

    def tail(self) -> list[Piece]:
        """What depends on the sink, for one that gets no content."""
        layout = self._layout
        pieces: list[Piece] = []
        for name in layout.tail_names:
            constant = layout.no_content.get(name)
            pieces += self._fields[layout.copied[name]] if constant is None else [Constant(constant)]
        return merged(pieces)

    def journal(self, text: Piece) -> list[Piece]:
        """The source cursor of an event with a journal, whose text with its length is this piece."""
        return self._cursor({"type": "journal", "cursor": [text]})

    def own(self) -> list[Piece]:
        """The source cursor of usage without a journal."""
        return self._cursor(
            {"type": "event", "cursor": self._fields["event_id"], "event_seq": self._fields["event_seq"]}
        )

    def archive(self) -> list[Piece]:
        """The source cursor of anything else without a journal."""
        _, _, *after = archive_cursor(self._layout)
        return [ARCHIVE, DIGITS, *after]

    def _prefix_field(self, name: str) -> Sequence[Piece]:
        layout = self._layout
        match name:
            case "source":
                return [SOURCE, OFFSET]
            case "event_cursor":
                event = {own: self._fields[own] for own in ("event_id", "event_seq")}
                return written(layout.record.field(name).type, {"scope": "run", **event})
            case _ if name in layout.copied:
                return self._fields[layout.copied[name]]
            case _:
                return [fixed(name)]

    def _cursor(self, values: Mapping[str, object]) -> list[Piece]:
        return written(self._layout.record.field("source_cursor").type, values)


def _null(piece: Piece) -> Piece:
    return piece if isinstance(piece, Copied) else Constant(NULL)
