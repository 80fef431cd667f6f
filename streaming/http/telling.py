"""Which connections the relayer is told of, and when: what has changed, and each before it must be.

Pure: no clock of its own. While a connection plays its figures change all the time. With few of
them each is told of with every message; with many less often, so that what the relayer has to take
in grows no further. What is no figure (a pause, an end, a first word) is told at once, and what
does not change at all is told of now and then, for its lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from streaming.session_state import STATE_INTERVAL_MS, ConnectionState, Lease

CONNECTIONS_PER_MESSAGE: Final = 1_500
TOLD_PER_S: Final = 5_000
"""So many states a second are told before each connection's interval grows."""
QUIET_S: Final = 4.0
"""Each connection is told of so often at least. Leases last 15 s, if credit does not end them."""
BEFORE_END_S: Final = 1.5
"""So long before a lease ends its connection is told of again: two messages and an answer."""


def interval_s(connections: int) -> float:
    """Tell how often each of so many connections is told of while it plays."""
    return min(QUIET_S, max(STATE_INTERVAL_MS / 1000, connections / TOLD_PER_S))


class _Told(msgspec.Struct):
    """What was told of a connection, and when; `lease_ends` is what was answered, if it is soon."""

    state: ConnectionState
    at: float
    lease_ends: float | None = None


class Telling:
    """What one link has told. Begin anew with each: the other side may have forgotten."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def choose(
        self,
        finals: Iterable[ConnectionState],
        connections: Sequence[ConnectionState],
        now: float,
    ) -> list[list[ConnectionState]]:
        """Give what is to be told now, in messages; one at least, since silence means away."""
        # a message is due each STATE_INTERVAL_MS, and timers are late rather than early
        every_s = interval_s(len(connections)) - STATE_INTERVAL_MS / 2000
        chosen = list(finals)
        for state in connections:
            told = self._told.get(state.connection)
            if told is None or self._is_due(told, state, now, every_s):
                self._told[state.connection] = _Told(state, now)
                chosen.append(state)
        if len(self._told) > len(connections):
            there = {state.connection for state in connections}
            self._told = {name: told for name, told in self._told.items() if name in there}
        size = CONNECTIONS_PER_MESSAGE
        return [chosen[first : first + size] for first in range(0, max(1, len(chosen)), size)]

    def answered(self, leases: Iterable[Lease], now: float) -> None:
        """Note the leases that end, or may be lifted, before their connections' next turn."""
        for lease in leases:
            told = self._told.get(lease.connection)
            if told is None:
                continue
            if lease.wait:
                told.lease_ends = now
            elif lease.lease_ms is not None:
                told.lease_ends = now + lease.lease_ms / 1000

    def _is_due(self, told: _Told, state: ConnectionState, now: float, every_s: float) -> bool:
        before = told.state
        if (state.paused, state.final, state.number) != (
            before.paused,
            before.final,
            before.number,
        ):
            return True
        waited_s = now - told.at
        if waited_s >= QUIET_S - STATE_INTERVAL_MS / 2000:
            return True
        if told.lease_ends is not None and now >= told.lease_ends - BEFORE_END_S:
            return True
        return waited_s >= every_s and state != before
