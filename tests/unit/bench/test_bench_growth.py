"""A worker's memory is judged where it can rest, and a lane that is let go may take its reader once, not more."""

from bench.growth import MIB, Claim, Look, growth_claims, stretches

HEALTHY = ("analytics", "archive")
EVENTS = 5_000_000


def run_of(*looks: tuple[float, int, int], archive_behind: bool = False) -> list[Look]:
    """Looks of (MiB, events read, events that analytics has not got: 0 while it is live); archive has them all."""
    return [_look(number, *look, archive_behind=archive_behind) for number, look in enumerate(looks)]


def _look(number: int, mib: float, events: int, missing: int, *, archive_behind: bool) -> Look:
    at = {"analytics": events - missing, "archive": events}
    behind = {"analytics": 3 if missing else 0, "archive": int(archive_behind)}
    lanes = {s: {"cursors": [at[s] // 2, at[s] - at[s] // 2], "catching_up": behind[s]} for s in HEALTHY}
    stalled = {"cursors": [0, 0], "catching_up": 2}
    return Look(2.0 * number, events, int(mib * MIB), {**lanes, "stalled": stalled})


def judged(looks: list[Look]) -> list[Claim]:
    return growth_claims(stretches(looks, HEALTHY, EVENTS))


def names(claims: list[Claim]) -> list[str]:
    return [claim.text.partition(":")[0] for claim in claims]


def test_what_buffers_take_at_first_does_not_count() -> None:
    [claim] = judged(
        run_of((100, 10_000, 0), (350, 150_000, 0), (351, 250_000, 0), (358, 900_000, 0), (356, EVENTS, 0))
    )
    assert claim.holds
    assert claim.text == (
        "all healthy lanes live: 351.0 MiB when settled, at most 358.0 MiB in 3 looks from there: "
        "rose by 7.0 MiB, limit 10"
    )


def test_growth_while_all_are_live_does_not_hold() -> None:
    [claim] = judged(run_of((300, 0, 0), (350, 250_000, 0), (361, 1_000_000, 0), (350, EVENTS, 0)))
    assert not claim.holds


def test_memory_that_was_given_back_is_no_room_to_grow_into() -> None:
    [claim] = judged(run_of((300, 0, 0), (350, 250_000, 0), (338, 1_000_000, 0), (349, EVENTS, 0)))
    assert not claim.holds


def test_a_run_too_short_to_judge_does_not_hold() -> None:
    [claim] = judged(run_of((300, 0, 0), (350, 250_000, 0)))
    assert not claim.holds


LIVE = ((300, 0, 0), (350, 250_000, 0), (352, 2_400_000, 0))
BESIDE = ((370, 2_500_000, 20_000), (374, 2_800_000, 317_000), (376, 4_500_000, 2_000_000))
"""Let go beside a busy intake a lane gets on with a hundredth of its pace: it settles by what the intake reads."""
AT_END = ((377, EVENTS, 2_450_000), (379, EVENTS, 2_200_000), (380, EVENTS, 100_000))
AGAIN = ((355, EVENTS, 0),)


def test_a_lane_let_go_takes_its_reader_and_rests_again() -> None:
    claims = judged(run_of(*LIVE, *BESIDE, *AT_END, *AGAIN))
    assert all(claim.holds for claim in claims)
    assert names(claims) == [
        "all healthy lanes live",
        "analytics let go",
        "analytics let go, intake at the end",
        "in all, with analytics let go",
    ]
    assert claims[-1].text == (
        "in all, with analytics let go: rose by 30.0 MiB, limit 35; "
        "too short to judge alone: all healthy lanes live (1 looks)"
    )


def test_a_reader_that_takes_more_than_was_measured_does_not_hold() -> None:
    """36 MiB was what it took with garbage that waited for the collector, 46 with larger responses as well."""
    for mib in (386.0, 396.0):
        claims = judged(run_of(*LIVE, *BESIDE, *((mib, events, missing) for _, events, missing in AT_END)))
        assert [claim.holds for claim in claims] == [True, True, True, False]
        assert f"rose by {mib - 350} MiB" in claims[-1].text


def test_what_was_given_back_before_a_lane_was_let_go_is_no_room_either() -> None:
    lower = [(350, 250_000, 0), (320, 2_400_000, 0)]
    claims = judged(run_of((300, 0, 0), *lower, *BESIDE))
    assert [claim.holds for claim in claims] == [True, True, False]


def test_a_lane_behind_from_the_beginning_has_its_reader_already() -> None:
    early = [(300, 0, 10_000), (370, 250_000, 200_000), (372, 450_000, 390_000)]
    live = [(360, 2_000_000, 0), (371, 2_300_000, 0), (372, 2_400_000, 0), (381, EVENTS, 0)]
    claims = judged(run_of(*early, *live))
    assert [claim.holds for claim in claims] == [True, True, False]
    assert claims[-1].text.startswith("in all, with analytics let go: rose by 21.0 MiB, limit 10")


def test_two_lanes_let_go_may_take_two_readers() -> None:
    larger = [(mib + 30, events, missing) for mib, events, missing in BESIDE]
    whole = judged([*run_of(*LIVE), *(late(look, 10) for look in run_of(*larger, archive_behind=True))])[-1]
    assert whole.holds
    assert whole.text == "in all, with analytics and archive let go: rose by 56.0 MiB, limit 60"


def late(look: Look, by_s: float) -> Look:
    return Look(look.at_s + by_s, look.events, look.rss_bytes, look.lanes)


def test_growth_beside_a_busy_intake_does_not_hold() -> None:
    claims = judged(run_of(*LIVE, *BESIDE, (384.5, 4_800_000, 2_290_000), *AT_END))
    assert [claim.holds for claim in claims] == [True, False, True, True]


def test_growth_of_a_lane_that_reads_alone_does_not_hold() -> None:
    claims = judged(run_of(*LIVE, *BESIDE, *AT_END, (389.5, EVENTS, 50_000)))
    assert [claim.holds for claim in claims] == [True, True, False, False]


def test_stretches_too_short_to_judge_are_named() -> None:
    """A lane that comes and goes makes such: the run as a whole has its limit all the same."""
    claims = judged(run_of(*LIVE, (374, 2_500_000, 10_000), (374, 2_550_000, 0), (393, 2_600_000, 10_000)))
    assert names(claims) == ["all healthy lanes live", "in all, with analytics let go"]
    assert not claims[-1].holds
    assert claims[-1].text.endswith(
        "alone: analytics let go (1 looks), all healthy lanes live (1 looks), analytics let go (1 looks)"
    )
