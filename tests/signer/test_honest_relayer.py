"""The policy refuses an honest relayer nothing: its days, good and bad, with a judge that signs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.relayer import rig as rigs
from tests.relayer import test_bad_days, test_path, test_subscriptions, test_zapping
from tests.relayer.rig import rig
from tests.signer.judged import JudgedKeyring

DAYS: list[Callable[[Path, MockClock], Awaitable[None]]] = [
    test_path.test_a_session_is_paid_to_the_second,
    test_zapping.test_twenty_looks_of_three_seconds_without_a_pause_are_served_and_paid,
    test_bad_days.test_media_stops_when_the_cap_is_used_up,
    test_bad_days.test_funds_are_raised_before_they_run_out,
    test_bad_days.test_the_node_gone_for_thirty_seconds_costs_nobody_anything,
    test_bad_days.test_lost_orders_are_sent_again,
    test_bad_days.test_a_reorganisation_leads_to_the_same_end,
    test_bad_days.test_a_viewer_who_stays_through_a_lapse_goes_on_in_another_session,
    test_subscriptions.test_a_viewer_who_asks_is_renewed_once_and_goes_on_at_the_discount,
    test_subscriptions.test_a_killed_relayer_renews_no_second_time,
]


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JudgedKeyring:
    made = JudgedKeyring(tmp_path / "signer")
    monkeypatch.setattr(rigs, "MemoryKeyring", lambda: made)
    return made


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.__name__.removeprefix("test_"))
async def test_nothing_is_refused(
    day: Callable[[Path, MockClock], Awaitable[None]],
    keyring: JudgedKeyring,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    await day(tmp_path, autojump_clock)
    keyring.close()
    assert keyring.signed > 2
    assert keyring.refused == []


async def test_a_killed_relayer_goes_on_and_is_refused_nothing(
    keyring: JudgedKeyring, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        alice = await r.ready_viewer("Alice")
        watching = await r.watch(alice)
        await trio.sleep(60)
        await r.crash()
        await trio.sleep(3)
        await r.start()
        await trio.sleep(30)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        again = await r.watch(alice)
        await trio.sleep(20)
        r.server.leave(again)
        await r.until(lambda: r.closed(again))
        assert r.earned() == sum(w.delivered_ms // 1000 for w in (watching, again))
    keyring.close()
    assert keyring.refused == []
