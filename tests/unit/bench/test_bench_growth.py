"""A worker's memory is judged where it can rest, and a lane that is let go may take its reader once, not more."""

from bench.growth import MIB, Claim, Look, growth_claims

HEALTHY = ("analytics", "archive")
EVENTS = 2_000_000
READERS = {"analytics": 60.0 * MIB, "archive": 60.0 * MIB}


def look(mib: float, events: int, *, analytics: int | None = None, behind: int = 0) -> Look:
    """A look at a worker whose second lane is through with all that was read, and whose first may not be."""
    cursors = {"analytics": events if analytics is None else analytics, "archive": events}
    lanes = {
        sink_id: {"cursors": [at // 2, at - at // 2], "catching_up": behind if sink_id == "analytics" else 0}
        for sink_id, at in cursors.items()
    }
    return Look(0.0, events, int(mib * MIB), {**lanes, "stalled": {"cursors": [0, 0], "catching_up": 2}})


def judged(looks: list[Look]) -> list[Claim]:
    return growth_claims(looks, HEALTHY, EVENTS, READERS)


def test_what_buffers_take_at_first_does_not_count() -> None:
    looks = [look(100, 10_000), look(350, 150_000), look(351, 250_000), look(358, 1_000_000), look(356, EVENTS)]
    [claim] = judged(looks)
    assert claim.holds
    assert claim.text == (
        "all healthy lanes live: 351.0 MiB when settled, at most 358.0 MiB in 3 looks from there: +7.0 MiB, limit 10"
    )


def test_growth_while_all_are_live_does_not_hold() -> None:
    [claim] = judged([look(300, 0), look(350, 250_000), look(361, 1_000_000), look(350, EVENTS)])
    assert not claim.holds


def test_a_run_too_short_to_judge_does_not_hold() -> None:
    [claim] = judged([look(300, 0), look(350, 250_000)])
    assert not claim.holds
    assert "250000 events" in claim.text


LIVE = [look(300, 0), look(350, 250_000), look(352, 900_000)]
LET_GO = [
    look(370, 1_000_000, analytics=950_000, behind=1),
    look(378, 1_300_000, analytics=1_150_000, behind=2),
    look(379, 1_500_000, analytics=1_200_000, behind=2),
]
AT_END = [
    look(395, EVENTS, analytics=1_300_000, behind=2),
    look(399, EVENTS, analytics=1_500_000, behind=2),
    look(400, EVENTS, analytics=EVENTS),
]


def test_a_lane_let_go_takes_its_reader_and_rests_again() -> None:
    claims = judged([*LIVE, *LET_GO, *AT_END])
    assert all(claim.holds for claim in claims)
    assert [claim.text.partition(":")[0] for claim in claims] == [
        "all healthy lanes live",
        "analytics let go",
        "analytics let go, intake at the end",
        "in all, with the budget's log readers",
    ]
    assert claims[-1].text.endswith("+50.0 MiB, limit 70")


def test_a_reader_that_takes_more_than_its_line_does_not_hold() -> None:
    more = [look(one.rss_bytes / MIB + 25, one.events, analytics=1_400_000, behind=2) for one in LET_GO]
    held = [claim.holds for claim in judged([*LIVE, *more, *AT_END])]
    assert held[-1] is True  # 404 at most
    most = [look(one.rss_bytes / MIB + 50, one.events, analytics=1_400_000, behind=2) for one in LET_GO]
    claims = judged([*LIVE, *most, *AT_END])
    assert not claims[-1].holds


def test_a_lane_that_keeps_growing_once_it_was_let_go_does_not_hold() -> None:
    growing = look(390, 1_700_000, analytics=1_250_000, behind=2)
    claims = judged([*LIVE, *LET_GO, growing, *AT_END])
    assert [claim.holds for claim in claims] == [True, False, True, True]


def test_a_lane_that_comes_and_goes_gets_its_allowance_once() -> None:
    again = [look(379, 1_600_000), look(391, 1_700_000, analytics=1_650_000, behind=1), look(391, EVENTS)]
    claims = judged([*LIVE, *LET_GO, *again])
    assert [claim.text.partition(":")[0] for claim in claims][1] == "analytics let go"
    assert not claims[1].holds
