"""The laws that hold on every broker; a test module gives them a broker and a class to be collected by."""

import pytest

from tests.canary.configurations import ALL, OFF, RAW_LETTERS
from tests.canary.outing import Field, Outcome
from tests.canary.verdicts import (
    assert_eventful,
    assert_nothing_left,
    assert_raw_letters,
    assert_the_search_would_find,
)

Outcomes = dict[str, Outcome]


class CanarySuite:
    """Derive a class whose name begins with Test, in a module with the fixtures `field` and `outcomes`."""

    def test_every_canary_is_in_the_events_and_would_be_found(self, field: Field, outcomes: Outcomes) -> None:
        """So that whatever is not found elsewhere is not there."""
        assert_the_search_would_find(field.sowing, field.events())

    @pytest.mark.parametrize("name", [each.name for each in ALL])
    def test_every_outing_had_its_troubles_and_lost_nothing(self, outcomes: Outcomes, name: str) -> None:
        """Otherwise what follows would be true of workers that did nothing."""
        assert_eventful(outcomes[name])

    def test_where_nothing_is_configured_nothing_of_any_content_leaves(self, field: Field, outcomes: Outcomes) -> None:
        """Not in records, health, letters, files, log or cursors, nor in what the commands print."""
        assert_nothing_left(field.sowing, outcomes[OFF.name])

    def test_raw_letters_hold_what_nobody_could_read_and_nothing_else_does(
        self, field: Field, outcomes: Outcomes
    ) -> None:
        """The operator asked for key and value of undecodable events; headers are nobody's."""
        assert_raw_letters(field.sowing, outcomes[RAW_LETTERS.name])
