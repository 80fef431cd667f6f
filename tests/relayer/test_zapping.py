"""An honest viewer who looks into streams for three seconds each (case 51) stays welcome."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from tests.relayer.rig import Rig, Watching, rig

LOOKS = 20
WITHHELD_MS = 200


def is_open(r: Rig, watching: Watching) -> bool:
    session = r.relayer.core.book.sessions.get(watching.ref)
    return session is not None and not session.done


async def test_twenty_looks_of_three_seconds_in_a_row_are_admitted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What the media server withholds of each connection, and what is cut off to whole seconds,
    is not taken from the credit: as the meter has it, in `forwarded_ms` neither is in."""
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=4)
        paid = 0
        for look in range(LOOKS):
            watching = await r.watch(token)  # raises when it is refused
            watching.delivered_ms = -WITHHELD_MS
            await trio.sleep(3)
            assert watching.lease is not None
            assert watching.lease.allowed
            # Whole milliseconds of two sums differ by one now and then.
            watching.forwarded_ms = watching.delivered_ms + look % 2
            r.server.leave(watching)
            paid += watching.delivered_ms // 1000
            # The ledger takes a grant's sessions one after the other, at its own pace.
            with trio.fail_after(60):
                while is_open(r, watching):  # noqa: ASYNC110
                    await trio.sleep(0.1)
        assert r.earned() == paid == 2 * LOOKS
        spent = r.relayer.core.book.budgets
        assert all(each.spent_ms <= LOOKS for each in spent.values())
