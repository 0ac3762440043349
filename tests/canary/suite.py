"""The laws that hold on every broker; a test module gives them a broker and a class to be collected by."""

from collections.abc import Mapping

import pytest

from tests.canary.canaries import Canary
from tests.canary.configurations import (
    ALL,
    CLOSED,
    INLINE,
    INLINE_SINKS,
    NO_REDACTION_GATES,
    NO_REDACTION_POLICY,
    OMIT_AND_RAW_LETTERS,
    REFERENCE_SINKS,
    REFERENCES,
    Capturing,
    gates_to_name,
)
from tests.canary.events import Group, Sowing
from tests.canary.outing import Configured, Field, Outcome
from tests.canary.verdicts import (
    assert_eventful,
    assert_gates_named,
    assert_nothing_left,
    assert_only,
    assert_raw_letters,
    assert_the_search_would_find,
    assert_there,
    granted,
)

Outcomes = dict[str, Outcome]


class CanarySuite:
    """Derive a class whose name begins with Test, in a module with the fixtures `field` and `outcomes`."""

    def test_every_canary_is_in_the_events_and_would_be_found(self, field: Field, outcomes: Outcomes) -> None:
        """So that whatever is not found elsewhere is not there."""
        assert_the_search_would_find(field.sowing, field.events())

    @pytest.mark.parametrize("configured", ALL, ids=lambda each: each.name)
    def test_every_outing_had_its_troubles_and_lost_nothing(self, outcomes: Outcomes, configured: Configured) -> None:
        """Otherwise what follows would be true of workers that did nothing."""
        assert_eventful(outcomes[configured.name], killed=configured.killed)

    @pytest.mark.parametrize("configured", CLOSED, ids=lambda each: each.name)
    def test_where_content_is_granted_to_nobody_nothing_leaves(
        self, field: Field, outcomes: Outcomes, configured: Configured
    ) -> None:
        """Not in records, health, letters, files, log or cursors, nor in what the commands print."""
        assert_nothing_left(field.sowing, outcomes[configured.name])

    def test_raw_letters_hold_what_nobody_could_read_and_nothing_else_does(
        self, field: Field, outcomes: Outcomes
    ) -> None:
        """The operator asked for key and value of undecodable events; the store leaves content out, gates or not."""
        assert_raw_letters(field.sowing, outcomes[OMIT_AND_RAW_LETTERS.name])

    def test_inline_content_is_redacted_and_only_where_it_was_granted(self, field: Field, outcomes: Outcomes) -> None:
        """Of what passes the allow-list the plain words, at the sinks that were granted them; elsewhere nothing."""
        places = inline_places(field.sowing, INLINE_SINKS)
        # What would be on the records of all sinks together is what an operator is shown.
        shown = {"privacy explain --event": frozenset().union(*places.values())}
        assert_only(field.sowing, outcomes[INLINE.name], {**places, **shown})

    def test_records_name_the_gates_that_are_closed(self, field: Field, outcomes: Outcomes) -> None:
        """Each gate by itself, also where another protection would have kept the content back without it."""
        assert_gates_named(field.sowing, outcomes[INLINE.name], gates_to_name(INLINE_SINKS))
        assert_gates_named(field.sowing, outcomes[NO_REDACTION_POLICY.name], NO_REDACTION_GATES)

    def test_inline_content_is_all_there_where_it_was_granted(self, field: Field, outcomes: Outcomes) -> None:
        """Every plain word inside the allow-list, at every sink that was to get it."""
        shown = {"privacy explain --event": granted(field.sowing, Group.ORDINARY)}
        for place, canaries in {**inline_places(field.sowing, INLINE_SINKS), **shown}.items():
            assert_there(field.sowing, outcomes[INLINE.name], place, canaries)

    def test_references_lead_to_redacted_content_and_hold_none(self, field: Field, outcomes: Outcomes) -> None:
        """The store has the plain words of what passes the allow-list; records, and all the rest, have nothing.

        But for what an operator is shown, who asks what would be in the store.
        """
        kept = granted(field.sowing, *_groups(REFERENCE_SINKS))
        assert_only(field.sowing, outcomes[REFERENCES.name], {"files of store": kept, "privacy explain --event": kept})
        assert_there(field.sowing, outcomes[REFERENCES.name], "files of store", kept)
        shown = granted(field.sowing, Group.ORDINARY)
        assert_there(field.sowing, outcomes[REFERENCES.name], "privacy explain --event", shown)


def inline_places(sowing: Sowing, sinks: Mapping[str, Capturing]) -> dict[str, frozenset[Canary]]:
    """Where plain words of whose content may, and must, be."""
    return {
        f"files of {sink}" if of.kind == "local_diagnostic" else f"sink {sink}: values": granted(sowing, *of.gets)
        for sink, of in sinks.items()
        if of.gets
    }


def _groups(sinks: Mapping[str, Capturing]) -> frozenset[Group]:
    return frozenset(group for sink in sinks.values() for group in sink.gets)
