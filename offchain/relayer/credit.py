"""The arithmetic of one viewer's credit: what is spent, at risk, left and leased. Pure.

`budgets.py` says what the credit bounds and what its parts are, and keeps every viewer's.

Times are unix milliseconds and durations milliseconds, all passed in.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from streaming.session_state import LEASE_MS

CREDIT_MS: Final = 20_000
"""The default. A cadence of 6 s, a block of 6 s, and a second of reports make some 13."""
REFILL_DIVISOR: Final = 60
"""One second comes back in sixty."""
CREDIT_OVER_CADENCE_MS: Final = 10_000
"""What a credit must leave beside the cadence: a block, its transport, the viewer's reports."""

Cause: TypeAlias = Literal["block", "report", "refill"]
"""What a viewer waits for: a block that charges, reports of what arrived, or time to refill."""


class Spent(msgspec.Struct, frozen=True):
    """What one viewer has used up for good, as of a moment."""

    spent_ms: int = 0
    at_ms: int = 0


class Risk(msgspec.Struct, frozen=True):
    """What of one or more sessions is forwarded and may still be charged."""

    unconfirmed_ms: int = 0
    """Not yet known to be held."""
    uncharged_ms: int = 0
    """Delivered, and in no best block."""

    @property
    def total_ms(self) -> int:
        """Both."""
        return self.unconfirmed_ms + self.uncharged_ms

    def __add__(self, other: Risk) -> Risk:
        """Add another session's."""
        return Risk(
            self.unconfirmed_ms + other.unconfirmed_ms, self.uncharged_ms + other.uncharged_ms
        )


class RefillClock:
    """The clock by which credit comes back: the chain's, which nobody sets. What was lost while the
    machine's clock was behind would be back at once when that is set right.

    It goes on where blocks tell of less than has passed, as those of a fork do: what is lost
    meanwhile would be back too soon when they catch up.
    """

    __slots__ = ("_ahead_ms",)

    def __init__(self) -> None:
        self._ahead_ms = float("-inf")

    def ms(self, passed_ms: float, chain_ms: int) -> int:
        """Tell it, by a clock that only goes on and by the chain's."""
        self._ahead_ms = max(self._ahead_ms, chain_ms - passed_ms)
        return int(passed_ms + self._ahead_ms)


def risk_of(delivered_ms: int, unconfirmed_ms: int, charged_seconds: int) -> Risk:
    """Tell what of a session is at risk, `charged_seconds` being the best block's total.

    While it goes on, a second that is not whole yet is at risk, too.
    """
    return Risk(max(0, unconfirmed_ms), max(0, delivered_ms - charged_seconds * 1000))


def refilled(spent: Spent, now_ms: int) -> Spent:
    """Give what is spent as it stands at `now_ms`. A clock that went back refills nothing."""
    if spent.spent_ms == 0:
        return Spent(0, max(now_ms, spent.at_ms))
    gained_ms = max(0, now_ms - spent.at_ms) // REFILL_DIVISOR
    if gained_ms >= spent.spent_ms:
        return Spent(0, now_ms)
    # the part of a refill that is not whole yet stays on the clock
    return Spent(spent.spent_ms - gained_ms, spent.at_ms + gained_ms * REFILL_DIVISOR)


def spend(spent: Spent, amount_ms: int, now_ms: int) -> Spent:
    """Take what was forwarded and will never be charged. It may exceed the credit."""
    current = refilled(spent, now_ms)
    return Spent(current.spent_ms + max(0, amount_ms), current.at_ms)


def give_back(spent: Spent, amount_ms: int, now_ms: int) -> Spent:
    """Take back what was spent too early: it may be charged after all."""
    current = refilled(spent, now_ms)
    return Spent(max(0, current.spent_ms - max(0, amount_ms)), current.at_ms)


def returned_ms(taken_ms: int, true_ms: int, passed_ms: int) -> int:
    """Tell what is to be given back of `taken_ms` that were spent `passed_ms` ago, and `true_ms`
    should have been. What has come back by itself since is not given back once more."""
    gained_ms = max(0, passed_ms) // REFILL_DIVISOR
    return max(0, max(0, taken_ms - gained_ms) - max(0, true_ms - gained_ms))


def left_ms(credit_ms: int, spent: Spent, risk: Risk, now_ms: int) -> int:
    """Tell how much more may be forwarded; 0 or less means that media waits."""
    return credit_ms - refilled(spent, now_ms).spent_ms - risk.total_ms


def lease_ms(left_ms: int, connections: int) -> int:
    """Tell how long each of a viewer's connections may go on should the relayer fall silent now.

    No more than what is left of the credit is forwarded by all of them then.
    """
    return min(LEASE_MS, max(0, left_ms) // max(1, connections))


def wait_s(credit_ms: int, spent: Spent, risk: Risk, now_ms: int) -> int:
    """Tell after how many seconds something is left again, at the latest; 0 if it is now.

    What is at risk is not waited for longer than it would take to be refilled.
    """
    short_ms = 1 - left_ms(credit_ms, spent, risk, now_ms)
    return max(0, -(-short_ms * REFILL_DIVISOR // 1000))


def cause(spent: Spent, risk: Risk, now_ms: int) -> Cause:
    """Name what takes most of a credit that is used up."""
    shares: dict[Cause, int] = {
        "block": risk.uncharged_ms,
        "report": risk.unconfirmed_ms,
        "refill": refilled(spent, now_ms).spent_ms,
    }
    return max(shares, key=lambda name: shares[name])


def least_credit_ms(cadence_ms: int) -> int:
    """Tell the least credit with which media does not wait on a good day."""
    return cadence_ms + CREDIT_OVER_CADENCE_MS
