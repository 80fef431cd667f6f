"""Which connections the relayer is told of: counted, on a clock that the test moves."""

from __future__ import annotations

import msgspec
import pytest

from streaming.http.connections import Connection, Connections
from streaming.http.telling import (
    BEFORE_END_S,
    CONNECTIONS_PER_MESSAGE,
    QUIET_S,
    TOLD_PER_S,
    Telling,
    interval_s,
)
from streaming.session_state import ConnectionState, Lease, Leases, SessionRef


def state(number: int, delivered_ms: int = 0, *, paused: bool = False) -> ConnectionState:
    return ConnectionState(
        connection=f"c{number}",
        session=SessionRef(number, 0),
        number=1,
        delivered_ms=delivered_ms,
        paused=paused,
    )


def told(
    telling: Telling, connections: list[ConnectionState], now: float, *finals: ConnectionState
) -> list[str]:
    messages = telling.choose(finals, connections, now)
    assert messages
    assert all(len(message) <= CONNECTIONS_PER_MESSAGE for message in messages)
    return [each.connection for message in messages for each in message]


def test_what_is_new_is_told_and_what_has_not_changed_is_not() -> None:
    telling = Telling()
    assert told(telling, [state(1), state(2)], 0.0) == ["c1", "c2"]
    assert told(telling, [state(1), state(2, 500)], 0.5) == ["c2"]
    assert told(telling, [state(1), state(2, 500)], 1.0) == []


def test_a_few_that_play_are_told_with_every_message() -> None:
    telling = Telling()
    for turn in range(10):
        playing = [state(number, 500 * turn) for number in range(100)]
        assert len(told(telling, playing, turn / 2)) == 100


@pytest.mark.parametrize("count", [2_500, 10_000, 15_000])
def test_many_that_play_are_told_in_turn_at_the_rate_that_is_allowed(count: int) -> None:
    telling, counts = Telling(), []
    for turn in range(40):
        playing = [state(number, 500 * turn) for number in range(count)]
        counts.append(len(told(telling, playing, turn / 2)))
    first, *later = counts
    assert first == count
    assert sum(later) <= TOLD_PER_S * 20 + count


def test_however_many_there_are_each_is_told_within_its_time() -> None:
    assert interval_s(1) == interval_s(2_500) == 0.5
    assert interval_s(10_000) == 2.0
    assert interval_s(10**6) == QUIET_S
    telling = Telling()
    last = dict.fromkeys(range(100), 0.0)
    for turn in range(100):
        names = told(telling, [state(number) for number in range(100)], turn / 2)
        for number in range(100):
            if f"c{number}" in names:
                last[number] = turn / 2
            assert turn / 2 - last[number] <= QUIET_S


def test_a_pause_is_told_at_once_and_finals_always() -> None:
    telling = Telling()
    crowd = [state(number) for number in range(10_000)]
    told(telling, crowd, 0.0)
    crowd[7] = state(7, 10, paused=True)
    final = msgspec.structs.replace(state(10_001), final=True)
    assert told(telling, crowd, 0.1, final) == ["c10001", "c7"]
    assert told(telling, crowd, 0.2, final) == ["c10001"]


def test_a_lease_that_ends_soon_is_renewed_in_time() -> None:
    telling = Telling()
    crowd = [state(number) for number in range(10)]
    told(telling, crowd, 0.0)
    short = Lease(connection="c3", allowed=True, lease_ms=2_000)
    telling.answered([short, Lease(connection="gone", allowed=True, lease_ms=1)], 0.0)
    assert told(telling, crowd, 0.4) == []
    assert told(telling, crowd, 2.0 - BEFORE_END_S) == ["c3"]


def test_what_waits_is_told_each_time_so_that_it_goes_on_at_once() -> None:
    telling = Telling()
    crowd = [state(number) for number in range(10)]
    told(telling, crowd, 0.0)
    telling.answered([Lease(connection="c4", allowed=True, wait=True)], 0.0)
    assert told(telling, crowd, 0.5) == ["c4"]


def test_nothing_is_kept_of_connections_that_have_gone() -> None:
    telling = Telling()
    told(telling, [state(number) for number in range(1_000)], 0.0)
    told(telling, [state(1)], 0.5)
    assert list(telling._told) == ["c1"]


class Held:
    """A subscription, as far as leases go."""

    def __init__(self) -> None:
        self.reasons: set[str] = set()

    def hold(self, reason: str) -> None:
        self.reasons.add(reason)

    def release(self, reason: str) -> None:
        self.reasons.discard(reason)


def test_an_answer_prolongs_the_leases_that_it_names_and_no_other() -> None:
    """Or a connection that is not told of would be forwarded to beyond its viewer's credit."""
    connections = Connections("b")
    made = []
    for number in (1, 2):
        one = Connection(
            connection=f"c{number}",
            session=SessionRef(number, 0),
            number=1,
            stream=1,
            subscription=Held(),  # type: ignore[arg-type]
            lease_ms=1_000,
            pauses_per_second=1.0,
        )
        connections._by_id[one.connection] = one
        made.append((one, one.lease_until_s))
    lease = Lease(connection="c1", allowed=True, lease_ms=9_000)
    connections.take_leases(Leases(sequence=1, lease_ms=15_000, leases=[lease]))
    (named, before), (other, unchanged) = made
    assert before + 7 < named.lease_until_s < before + 9
    assert other.lease_until_s == unchanged
