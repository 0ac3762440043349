"""The peers do the same job: their projection and the reference projector agree on every event, byte for byte."""

from itertools import islice

import pytest

from bench.backlog import DEMONSTRATION, Mix
from bench.contestants import SCHEMAS
from bench.latency import SourceReader
from bench.peers.projection import Projection
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import Undecodable

TOPIC = "agent-events"


@pytest.mark.parametrize(
    "mix", [DEMONSTRATION, Mix(one_record_each=True), Mix(content_bytes=3_000)], ids=["mix", "one record", "content"]
)
def test_the_same_records_from_every_event(mix: Mix) -> None:
    theirs, ours = Projection(TOPIC, SCHEMAS), ReferenceProjector(TOPIC, SchemaStore())
    kinds = set()
    poison = 0
    for offset, event in enumerate(islice(mix.events(seed=5), 1_500)):
        projected = ours.project(2, offset, event.key, event.value)
        if isinstance(projected, Undecodable):
            poison += 1
            expected = []
        else:
            expected = [record.value for record in projected]
            kinds |= {record.kind for record in projected}
        assert theirs.records(event.value, 2, offset) == expected
    assert poison > 5 or not mix.poison_rate
    assert len(kinds) == 5 or mix.one_record_each


def test_one_record_each_means_one() -> None:
    projection = Projection(TOPIC, SCHEMAS)
    events = list(islice(Mix(one_record_each=True).events(seed=5), 500))
    assert {len(projection.records(event.value, 0, 0)) for event in events} == {1}


def test_the_same_seed_gives_the_same_events() -> None:
    def values(seed: int) -> list[bytes | None]:
        return [event.value for event in islice(Mix(content_bytes=500).events(seed), 50)]

    assert values(5) == values(5)
    assert values(5) != values(6)


@pytest.mark.parametrize("content_bytes", [2_700, 99_700])
def test_a_conversation_makes_an_event_larger_by_its_size(content_bytes: int) -> None:
    plain = islice(Mix(one_record_each=True).events(seed=5), 20)
    large = islice(Mix(one_record_each=True, content_bytes=content_bytes).events(seed=5), 20)
    for without, with_content in zip(plain, large, strict=True):
        assert without.value is not None
        assert with_content.value is not None
        grown_bytes = len(with_content.value) - len(without.value)
        assert content_bytes <= grown_bytes <= content_bytes + 60


def test_where_a_records_event_stands_is_read_from_its_bytes() -> None:
    (record,) = Projection(TOPIC, SCHEMAS).records(next(Mix(one_record_each=True).events(seed=5)).value, 3, 70_000)
    assert SourceReader(SCHEMAS).of(record) == (3, 70_000)
