"""What the ledger has of our keys and the journal does not know is adopted."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offchain.journal import put_session
from offchain.ledger.orders import Open, Tick
from offchain.relayer.adoption import LOOK_EVERY_S, Adopter
from tests.journal.samples import session as sample
from tests.relayer import fake_chain
from tests.relayer.fake_chain import account, apply_order
from tests.relayer.rig import RATE, Rig, rig


async def opened_elsewhere(made: Rig, name: str = "Alice") -> int:
    """Let a session of our key be opened by somebody else who has it; gives its grant."""
    _, public = await made.keyring.delegate(account(name), 5)
    made.chain.add_funds(name, RATE * 3600)
    grant = made.chain.add_grant(name, public)
    now_ms = made.chain.state.now_ms
    order = Open(index=0, stream=1, rate_per_second=RATE, funds=RATE * 600, start_at=now_ms)
    assert isinstance(apply_order(made.chain.state.ledger, grant, order), list)
    return grant


@pytest.mark.parametrize("final_lag", [fake_chain.FINAL_LAG, 14])
async def test_a_session_that_is_ticked_is_left_to_who_ticks_it(
    final_lag: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    monkeypatch.setattr(fake_chain, "FINAL_LAG", final_lag)
    async with rig(tmp_path) as made:
        grant = await opened_elsewhere(made)
        core = made.relayer.core
        for turn in range(1, 31):
            await trio.sleep(6)
            tick = Tick(index=0, seconds=6 * turn)
            made.chain.pool[grant, 0, 1] = (tick, turn)
        assert core.book.sessions == {}
        await trio.sleep(2 * LOOK_EVERY_S)
        assert core.counters["sessions_adopted"] == 1
        assert made.chain.state.sessions == {}
        assert made.earned() == 180, "it was closed with what the ledger had charged"
        assert core.book.sessions == {}


async def test_a_session_that_another_relayer_of_the_journal_has_is_its_own(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as made:
        grant = await opened_elsewhere(made)
        core = made.relayer.core
        await core.journal.commit([put_session(sample(grant, phase="open"))])
        await trio.sleep(100)
        assert core.book.sessions == {}
        assert (grant, 0) in made.chain.state.sessions


async def test_an_attempt_that_the_journal_gave_up_and_the_ledger_has_is_closed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as made:
        grant = await opened_elsewhere(made)
        core = made.relayer.core
        await core.journal.commit([put_session(sample(grant, phase="failed", attempt=3))])
        await trio.sleep(100)
        assert made.chain.state.sessions == {}
        found = core.journal.session(grant, 0)
        assert found is not None
        assert (found.attempt, found.phase, found.end_reason) == (4, "closed", "adopted")


async def test_a_session_that_is_closed_while_the_list_is_read_stays_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as made:
        core = made.relayer.core
        watching = await made.watch(await made.ready_viewer())
        place = (watching.ref.grant, watching.ref.index)
        await trio.sleep(40)
        made.server.connections.remove(watching)
        await made.until(lambda: place not in made.chain.state.sessions)
        assert not made.closed(watching)
        listed = made.chain.open_sessions

        async def slowly(*, at: str | None = None) -> list[tuple[int, int]]:
            places = await listed(at=at)
            await made.until(lambda: watching.ref not in core.book.sessions)
            assert place in places
            return places

        monkeypatch.setattr(made.chain, "open_sessions", slowly)
        await Adopter(core, made.relayer.requests._delegates).look()
        assert core.book.sessions == {}
        found = core.journal.session(*place)
        assert found is not None
        assert (found.attempt, found.phase, found.end_reason) == (1, "closed", "vanished")


async def test_a_node_that_goes_away_delays_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as made:
        await opened_elsewhere(made)
        made.chain.unreachable = True
        await trio.sleep(60)
        made.chain.unreachable = False
        await trio.sleep(LOOK_EVERY_S + 60)
        assert made.chain.state.sessions == {}
