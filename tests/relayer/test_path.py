"""The relayer's main path on a fake chain: admit, open, tick, close, and its ends."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.relayer.rig import RATE, rig


async def test_a_session_is_paid_to_the_second(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        watching = await r.watch(token)
        await trio.sleep(30.2)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        assert watching.delivered_ms >= 29_500
        assert r.earned() == watching.delivered_ms // 1000
        await trio.sleep(10)
        listed = await r.result("sessions", token=token)
        [session] = listed["sessions"]
        assert session["status"] == "closed"
        assert session["paid_seconds"] == r.earned()
        assert session["paid"] == str(r.earned() * RATE)
        assert session["delivered_ms"] == watching.delivered_ms
        assert session["close_reason"] == "Order"
        assert session["ticks"] >= 4
        assert watching.acknowledged
