"""What a viewer may watch without it ever being paid: ten seconds, refilled slowly.

Everything that is forwarded and not paid comes out of one budget per viewer: media before the
session's block, an unconfirmed tail, seconds that were lost on the way. What is merely at risk
(still unconfirmed, still before the block) is held against it and comes back when it is paid.
Pure: no clock, no I/O. Times are unix milliseconds.
"""

from __future__ import annotations

from typing import Final

import msgspec

CAPACITY_MS: Final = 10_000
REFILL_DIVISOR: Final = 60
"""One second comes back in sixty."""


class Budget(msgspec.Struct, frozen=True):
    """What one viewer has used up, as of a moment."""

    spent_ms: int = 0
    at_ms: int = 0


def refilled(budget: Budget, now_ms: int) -> Budget:
    """Give the budget as it stands at `now_ms`. A clock that went back refills nothing."""
    if budget.spent_ms == 0:
        return Budget(0, max(now_ms, budget.at_ms))
    gained_ms = max(0, now_ms - budget.at_ms) // REFILL_DIVISOR
    if gained_ms >= budget.spent_ms:
        return Budget(0, now_ms)
    # the part of a refill that is not whole yet stays on the clock
    return Budget(budget.spent_ms - gained_ms, budget.at_ms + gained_ms * REFILL_DIVISOR)


def spend(budget: Budget, amount_ms: int, now_ms: int) -> Budget:
    """Take what was forwarded and will never be paid. It may go below empty, by what it is."""
    current = refilled(budget, now_ms)
    return Budget(current.spent_ms + max(0, amount_ms), current.at_ms)


def wait_s(budget: Budget, now_ms: int, at_risk_ms: int = 0) -> int:
    """Tell after how many seconds something is left again, at the latest; 0 if it is now.

    What is at risk is not waited for longer than it would take to be refilled.
    """
    short_ms = 1 - left_ms(budget, now_ms, at_risk_ms)
    return max(0, -(-short_ms * REFILL_DIVISOR // 1000))


def left_ms(budget: Budget, now_ms: int, at_risk_ms: int = 0) -> int:
    """Tell how much more may be forwarded unpaid; 0 or less means that media waits."""
    return CAPACITY_MS - refilled(budget, now_ms).spent_ms - at_risk_ms
