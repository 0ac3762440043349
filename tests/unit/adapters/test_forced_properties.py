"""Whatever tailrace sets on a client itself cannot also be set by the user: one of the two would lose in silence."""

from tailrace.adapters.kafka_fetch import READER
from tailrace.adapters.kafka_log import log_properties
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, PREFERRED
from tailrace.adapters.kafka_source import source_properties
from tailrace.settings import BatchSettings, EventsSettings
from tailrace.settings.budget import (
    catch_up_properties,
    intake_properties,
    journal_producer_properties,
    sink_producer_properties,
)
from tailrace.settings.passthrough import refusal

EVENTS = EventsSettings(topic="agent.events", group="tailrace")

FORCED = {
    "bootstrap.servers",
    "client.id",
    "on_commit",
    *READER,
    *ORDERED_PRODUCER,
    *source_properties("tailrace", 45_000),
    *log_properties("tailrace.analytics"),
    *intake_properties(EVENTS),
    *catch_up_properties(),
    *sink_producer_properties(BatchSettings(), EVENTS),
    *journal_producer_properties(EVENTS),
}


def test_every_property_that_is_forced_is_refused_in_the_pass_through() -> None:
    assert sorted(name for name in FORCED if refusal(name) is None) == []


def test_every_property_that_is_preferred_is_the_users_to_change() -> None:
    assert [name for name in PREFERRED if refusal(name) is not None] == []
    assert PREFERRED.keys().isdisjoint(FORCED)
