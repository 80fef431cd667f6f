"""How long it takes from delivered to journaled, included and finalized."""

from __future__ import annotations

from offchain.relayer.lags import BLOCKS_MAX, Lags
from streaming.session_state import SessionRef

ONE, TWO = SessionRef(1, 0), SessionRef(2, 0)


def measured() -> tuple[Lags, list[tuple[str, float]]]:
    lags, seen = Lags(), []
    lags.observe = lambda lag, seconds: seen.append((lag, seconds))
    return lags, seen


def test_the_oldest_second_that_waits_is_measured() -> None:
    lags, seen = measured()
    lags.delivered(ONE, 0, 0.0)
    lags.delivered(ONE, 1, 1.0)
    lags.delivered(ONE, 2, 2.0)
    lags.included(ONE, 0, 7, 3.0)
    assert seen == []
    lags.included(ONE, 2, 8, 6.0)
    assert seen == [("included", 5.0)]
    lags.included(ONE, 2, 9, 8.0)
    lags.finalized(7, 8.0)
    assert len(seen) == 1
    lags.finalized(9, 10.0)
    assert seen[1:] == [("finalized", 4.0)]
    assert lags.delivered_seconds == 2


def test_what_was_delivered_before_the_start_is_not_measured_again() -> None:
    lags, seen = measured()
    lags.delivered(ONE, 50, 0.0)
    lags.included(ONE, 50, 1, 1.0)
    assert (seen, lags.delivered_seconds) == ([], 0)


def test_a_snapshot_that_fails_goes_on_waiting() -> None:
    lags, seen = measured()
    for total in (0, 1, 2):
        lags.delivered(ONE, total, float(total))
    since = lags.journaling()
    lags.delivered(TWO, 0, 2.5)
    lags.delivered(TWO, 1, 3.0)
    lags.journaled(since, 3.5, written=False)
    assert seen == []
    lags.journaled(lags.journaling(), 5.0, written=True)
    assert seen == [("journaled", 4.0)]
    assert lags.journaling() is None
    lags.journaled(None, 6.0, written=True)
    assert len(seen) == 1


def test_what_has_ended_leaves_nothing_behind() -> None:
    lags, seen = measured()
    for grant in range(2 * BLOCKS_MAX):
        ref = SessionRef(grant, 0)
        lags.delivered(ref, 0, 0.0)
        lags.delivered(ref, 1, 0.0)
        lags.included(ref, 1, grant, 1.0)
        lags.delivered(ref, 2, 2.0)
        lags.forget(ref)
        lags.included(ref, 2, grant, 3.0)
    assert len(seen) == 2 * BLOCKS_MAX
    assert not lags._totals
    assert not lags._unpaid
    assert len(lags._included) == BLOCKS_MAX
