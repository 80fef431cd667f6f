"""How long it takes from delivered to journaled, included and finalized."""

from __future__ import annotations

from offchain.relayer.lags import BLOCKS_MAX, Lags


class Session:
    """What is noted of one."""

    def __init__(self) -> None:
        self.reported_seconds: int | None = None
        self.included_from = 0
        self.waits_since: float | None = None
        self.opens_since: float | None = None
        self.delivers_since: float | None = None


def measured() -> tuple[Lags, list[tuple[str, float]]]:
    lags, seen = Lags(), []
    lags.observe = lambda lag, seconds: seen.append((lag, seconds))
    return lags, seen


def test_the_oldest_second_that_waits_is_measured() -> None:
    (lags, seen), one = measured(), Session()
    lags.delivered(one, 0, 0.0)
    lags.delivered(one, 1, 1.0)
    lags.delivered(one, 2, 2.0)
    lags.included(one, 0, 7, 3.0)
    assert seen == []
    lags.included(one, 2, 8, 6.0)
    assert seen == [("included", 5.0)]
    lags.included(one, 2, 9, 8.0)
    lags.finalized(7, 8.0)
    assert len(seen) == 1
    lags.finalized(9, 10.0)
    assert seen[1:] == [("finalized", 4.0)]
    assert lags.delivered_seconds == 2


def test_an_admission_is_measured_until_its_block_and_its_first_second() -> None:
    (lags, seen), one = measured(), Session()
    lags.admitted(one, 1.0)
    lags.delivered(one, 0, 1.5)
    lags.delivered(one, 1, 3.0)
    lags.opened(one, 4.0)
    assert seen == [("delivered", 2.0), ("opened", 3.0)]
    lags.opened(one, 9.0)  # after a reorganisation
    lags.delivered(one, 2, 9.0)
    assert len(seen) == 2


def test_what_goes_on_with_a_connection_is_measured_until_its_block_alone() -> None:
    (lags, seen), one, old = measured(), Session(), Session()
    lags.admitted(one, 1.0, delivers=False)
    lags.delivered(one, 3, 2.0)
    lags.opened(one, 3.0)
    lags.opened(old, 3.0)
    lags.delivered(old, 1, 3.0)
    assert seen == [("opened", 2.0)]


def test_what_was_delivered_before_the_start_is_not_measured_again() -> None:
    (lags, seen), one = measured(), Session()
    lags.delivered(one, 50, 0.0)
    lags.included(one, 50, 1, 1.0)
    assert (seen, lags.delivered_seconds) == ([], 0)


def test_a_snapshot_that_fails_goes_on_waiting() -> None:
    (lags, seen), one, two = measured(), Session(), Session()
    for total in (0, 1, 2):
        lags.delivered(one, total, float(total))
    since = lags.journaling()
    lags.delivered(two, 0, 2.5)
    lags.delivered(two, 1, 3.0)
    lags.journaled(since, 3.5, written=False)
    assert seen == []
    lags.journaled(lags.journaling(), 5.0, written=True)
    assert seen == [("journaled", 4.0)]
    assert lags.journaling() is None
    lags.journaled(None, 6.0, written=True)
    assert len(seen) == 1


def test_blocks_that_never_become_final_are_forgotten() -> None:
    lags, seen = measured()
    for block in range(2 * BLOCKS_MAX):
        session = Session()
        lags.delivered(session, 0, 0.0)
        lags.delivered(session, 1, 0.0)
        lags.included(session, 1, block, 1.0)
    assert len(seen) == 2 * BLOCKS_MAX
    assert len(lags._included) == BLOCKS_MAX
