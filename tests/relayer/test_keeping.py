"""Keeping the journal: what changed and nothing else, and nothing that a crash could falsify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from offchain.journal import JournalUnavailable
from offchain.ledger.orders import Open
from offchain.relayer import credit
from offchain.relayer.credit import refilled
from tests.relayer.fake_chain import account
from tests.relayer.rig import Rig, Watching, rig, unix_ms


@contextmanager
def written(r: Rig) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """Collect what goes to the disk."""
    journal, seen = r.relayer.core.journal, []
    execute = journal._execute

    def watched(statements: list[Any]) -> Any:
        seen.extend(statements)
        return execute(statements)

    journal._execute = watched  # type: ignore[method-assign]
    yield seen
    journal._execute = execute  # type: ignore[method-assign]


def connections_of(statements: list[tuple[str, tuple[Any, ...]]]) -> set[str]:
    return {json.loads(values[3])[2][0] for sql, values in statements if "INTO connections" in sql}


def hold(r: Rig) -> None:
    """Let the disk get nothing of what changes, until the next crash."""

    async def nothing(*, probe: bool = False) -> None:
        await trio.lowlevel.checkpoint()

    r.relayer.core.keeper.flush = nothing  # type: ignore[method-assign]


async def again(r: Rig) -> None:
    await r.crash()
    await r.start()


def spent_ms(r: Rig, name: str) -> int:
    budget = r.relayer.core.book.budgets.spent.get(account(name))
    return 0 if budget is None else refilled(budget, unix_ms()).spent_ms


# --- what is written ---------------------------------------------------------------------


async def test_only_the_connections_that_changed_are_written(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        moving = await r.watch(await r.ready_viewer("Alice"))
        frozen = await r.watch(await r.ready_viewer("Bob"))
        await trio.sleep(5)
        frozen.frozen = True
        await trio.sleep(2)
        with written(r) as statements:
            await trio.sleep(5)
        assert connections_of(statements) == {moving.connection}
        frozen.frozen = False
        with written(r) as statements:
            await trio.sleep(2)
        assert connections_of(statements) == {moving.connection, frozen.connection}


async def test_nothing_is_written_where_nothing_changes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        await trio.sleep(5)
        core = r.relayer.core
        core.view.finalized = None
        core.book.unwritten.take()
        with written(r) as statements:
            await core.keeper.flush()
            assert statements == []
            await core.keeper.flush(probe=True)
            assert [values[0] for _, values in statements] == ["finalized_block", "final"]
        assert core.keeper.written == core.keeper.gathered


async def test_an_ended_session_leaves_no_rows_behind(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(5)
        assert len(r.relayer.core.journal.load().connections) == 1
        r.server.leave(watching)
        await r.until(lambda: not r.relayer.core.book.sessions)
        loaded = r.relayer.core.journal.load()
        assert loaded.sessions == loaded.connections == loaded.orders == []


async def test_a_budget_that_is_full_again_is_forgotten(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        r.relayer.core.book.budgets.charge(account("Alice"), 500, unix_ms())
        await trio.sleep(2)
        assert [kept.spent_ms for kept in r.relayer.core.journal.load().budgets] == [
            485
        ]  # as it stands when it is written
        await trio.sleep(95)  # half a second is refilled in 30, and it is noticed each minute
        assert r.relayer.core.book.budgets.spent == {}
        assert r.relayer.core.journal.load().budgets == []


# It once was so (seed 7034): what is lost while the node stands still counts as lost long before.
async def test_what_is_lost_under_old_blocks_is_not_back_when_new_ones_come(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        core, alice = r.relayer.core, account("Alice")
        before_ms = core.refill_ms()
        core.view.best_ms -= 200_000
        assert core.refill_ms() == before_ms
        core.book.budgets.charge(alice, 10_000, core.refill_ms())
        core.view.best_ms += 200_000
        assert credit.refilled(core.book.budgets.spent[alice], core.refill_ms()).spent_ms == 10_000


# --- what an acknowledgement means ---------------------------------------------------------


async def test_what_is_acknowledged_is_on_the_disk(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(5.2)
        r.chain.unreachable = True  # so that nothing but the journal has it
        r.server.leave(watching)
        await r.until(lambda: watching.acknowledged)
        (kept,) = r.relayer.core.journal.load().connections
        assert (kept.connection.final, kept.connection.end_reason) == (True, "left")
        assert kept.connection.delivered_ms == watching.delivered_ms


async def test_nothing_is_acknowledged_while_the_disk_refuses(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(5.2)
        journal = r.relayer.core.journal
        journal._execute = lambda statements: JournalUnavailable("full")  # type: ignore[method-assign]
        r.server.leave(watching)
        await trio.sleep(20)
        assert not watching.acknowledged
        del journal._execute
        await r.until(lambda: watching.acknowledged, 10)
        r.chain.unreachable = True
        await again_without_chain(r)
        (session,) = r.relayer.core.book.sessions.values()
        assert session.delivered_ms == watching.delivered_ms


async def again_without_chain(r: Rig) -> None:
    await r.crash()
    await r.nursery.start(r._run)


async def test_a_final_that_is_told_again_after_a_restart_is_acknowledged(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(5.2)
        r.chain.unreachable = True
        r.server.leave(watching)
        await r.until(lambda: watching.acknowledged)
        watching.acknowledged = False  # its server may not have heard
        await again_without_chain(r)
        await r.until(lambda: watching.acknowledged, 10)


async def test_a_write_that_was_given_up_is_made_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A relayer that stops while its disk refuses: the last write has what the one before had."""
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(5.2)
        core = r.relayer.core
        core.journal._execute = lambda statements: JournalUnavailable("full")  # type: ignore[method-assign]
        await trio.sleep(0.6)
        with trio.move_on_after(0) as scope:
            scope.cancel()
            await core.keeper.flush()
        del core.journal._execute
        await core.keeper.flush()
        (kept,) = core.journal.load().connections
        assert kept.connection.delivered_ms == watching.delivered_ms


# --- M15 -----------------------------------------------------------------------------------


async def test_what_was_paid_is_not_counted_twice_after_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A viewer comes back, which is written at once, between a finalized tick and its block."""
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await r.watch(token)
        await trio.sleep(4)
        hold(r)
        await r.until(lambda: live(r, first).record.ticks == 2)
        paid = live(r, first).record.paid
        r.server.leave(first, "vanished")
        await trio.sleep(1)
        again_watching = await r.watch(token, resume=first.resume)
        assert again_watching.ref == first.ref
        await again(r)
        await trio.sleep(2)
        record = live(r, first).record
        assert (record.paid, record.ticks) == (paid, 2)
        assert record.paid == record.paid_seconds * record.rate_per_second


def live(r: Rig, watching: Watching) -> Any:
    return r.relayer.core.book.sessions[watching.ref]


async def test_what_is_shown_as_paid_does_not_fall_after_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        watching = await r.watch(token)
        named = {"token": token, "grant": watching.ref.grant, "index": watching.ref.index}
        await r.until(lambda: bool(r.chain.state.sessions))
        await r.until(lambda: r.chain.state.sessions[0, 0].seconds > 8)
        await trio.sleep(0.1)
        before = (await r.result("session", **named))["paid_seconds"]
        r.chain.unreachable = True
        await again_without_chain(r)
        for method in ("session", "sessions"):
            asked = named if method == "session" else {"token": token}
            response = await r.ask(method, **asked)
            assert response.problem is not None
            assert response.problem.code == "chain-unavailable"
        r.chain.unreachable = False
        await r.until(lambda: r.relayer.core.view.usable)
        assert (await r.result("session", **named))["paid_seconds"] >= before


async def abandoned(r: Rig, token: str) -> Watching:
    """Let a viewer watch 3 seconds of a session that the chain then refuses, until it is over."""
    r.chain.hold_opens = True
    watching = await r.watch(token)
    await r.until(lambda: watching.delivered_ms >= 3_000)
    watching.frozen = True
    await trio.sleep(5)
    hold(r)
    r.chain.pool.clear()
    r.chain.refuse = lambda _, order: "RateMismatch" if isinstance(order, Open) else None
    await r.until(lambda: live(r, watching).record.phase == "failed", 600)
    r.chain.hold_opens = False
    r.chain.refuse = lambda _, order: None
    return watching


async def test_an_abandoned_attempt_is_charged_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        watching = await abandoned(r, token)
        spent = spent_ms(r, "Alice")
        assert 2_900 <= spent <= watching.delivered_ms
        second = await r.watch(token)
        assert second.ref == watching.ref
        assert spent_ms(r, "Alice") <= spent


async def test_what_was_lost_is_charged_once_over_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What looked lost may turn out to have arrived: what follows is charged beyond the most."""
    async with rig(tmp_path) as r:
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(10)
        watching.frozen = True
        watching.forwarded_ms = watching.delivered_ms + 4_000
        await trio.sleep(2)
        watching.delivered_ms += 4_000
        await trio.sleep(2)
        spent = spent_ms(r, "Alice")
        assert 3_900 <= spent <= 4_000
        await again(r)
        watching.forwarded_ms = watching.delivered_ms + 3_000
        await trio.sleep(2)
        assert spent_ms(r, "Alice") <= spent


async def test_a_concurrent_write_does_not_undo_an_admission(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """An attempt that was given up is still to be written when the next one has its name."""
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await abandoned(r, token)
        core = r.relayer.core
        del core.keeper.flush  # type: ignore[method-assign]
        admitted: list[Watching] = []

        async def admit() -> None:
            admitted.append(await r.watch(token))

        async with trio.open_nursery() as nursery:
            await core.journal._turn.acquire()  # the disk is slow
            nursery.start_soon(admit)
            await wait_all_tasks_blocked()
            nursery.start_soon(core.keeper.flush)
            await wait_all_tasks_blocked()
            core.journal._turn.release()
        assert admitted[0].ref == first.ref
        await r.crash()
        await r.start()
        assert live(r, admitted[0]).record.number == admitted[0].number
        await trio.sleep(30)
        assert admitted[0].playing
        r.server.leave(admitted[0])
        await r.until(lambda: r.closed(admitted[0]))
        assert r.earned() == admitted[0].delivered_ms // 1000


async def test_a_damaged_row_is_told_and_the_others_go_on(
    tmp_path: Path, autojump_clock: MockClock, caplog: Any
) -> None:
    async with rig(tmp_path) as r:
        damaged = await r.watch(await r.ready_viewer("Alice"))
        whole = await r.watch(await r.ready_viewer("Bob"))
        await trio.sleep(20)
        damage = (
            "UPDATE connections SET checksum = 1 WHERE grant_id = ?",
            (damaged.ref.grant,),
        )
        await r.relayer.core.journal.commit([damage])
        await again(r)
        told = [text for text in caplog.messages if "event=journal-damaged" in text]
        assert len(told) == 1
        assert f"connections {damaged.ref.grant}-{damaged.ref.index}-1" in told[0]
        await trio.sleep(20)
        assert whole.playing
        assert damaged.playing
        for watching in (damaged, whole):
            r.server.leave(watching)
        await r.until(lambda: not r.relayer.core.book.sessions)
        delivered_s = [watching.delivered_ms // 1000 for watching in (damaged, whole)]
        assert r.earned() == sum(delivered_s)  # the server told its figures again
