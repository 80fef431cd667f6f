"""The judges can fail: each is shown what it is there to see."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import trio

from offchain.ledger.orders import Close, Open, encode_order
from offchain.relayer.belief import Belief
from streaming.session_state import SessionRef
from tests.simulation.blockchain import Blockchain
from tests.simulation.media_server import now_ms
from tests.simulation.oracles import Bounds, Failure, Judges, sizes
from tests.simulation.story import Story
from tests.simulation.witness import Witness
from tests.simulation.world import World, told


def _found(tale: Any, **options: Any) -> list[Failure]:
    _, judges, _ = told(tale, **options)
    return judges.failures


def test_a_second_that_never_arrived_and_is_charged_is_seen_at_once() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(24.5)  # five seconds and more after a tick, so that another is due
        watching.lost_ms += 6_000  # the server told of them, and the viewer never had them
        watching.frozen = True
        await trio.sleep(10)
        assert w.judges.failures

    assert {each.oracle for each in _found(tale)} == {"charged"}


def test_a_session_that_is_charged_and_was_never_admitted_is_seen() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(4)
        w.judges.groups.clear()
        await trio.sleep(20)

    found = _found(tale)
    assert "nobody was ever admitted" in found[0].what


def test_a_session_that_is_over_for_the_relayer_alone_is_seen() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.forked_at, w.node.lies = 1, True
        await trio.sleep(30)

    assert not _found(tale), "the node is not believed"
    with mock.patch.object(Belief, "_hold_against", return_value=None):
        assert "decided" in {each.oracle for each in _found(tale)}


def test_more_than_the_credit_is_seen_and_as_much_is_not() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(60)
        w.judges.judge_credit()

    assert not _found(tale, bounds=Bounds(credit_ms=12_000))
    assert [each.oracle for each in _found(tale, bounds=Bounds(credit_ms=2_000))] == ["credit"]


def test_what_is_lost_for_good_comes_back_by_a_second_a_minute() -> None:
    async def tale(w: World) -> None:
        account = w.judges.accounts["somebody"]
        account.lost_ms, account.at_ms = 10_000, now_ms()
        await trio.sleep(120)
        assert w.judges.unpaid_ms("somebody") == 8_000
        await trio.sleep(1_000)
        assert w.judges.unpaid_ms("somebody") == 0

    assert not _found(tale)


def test_what_is_lost_comes_back_from_its_end_on_and_not_from_when_it_is_asked_for() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        watching.lost_ms = 10_000  # the first ten seconds never arrive
        await trio.sleep(20)
        watching.end("left")
        await trio.sleep(10)
        assert not w.judges.open_sessions()
        await trio.sleep(300)
        unpaid_ms = w.judges.unpaid_ms(viewer.address)
        assert 3_000 < unpaid_ms < 5_500, unpaid_ms

    assert not _found(tale)


def test_a_viewer_who_left_while_another_session_was_on_its_way_is_no_stranger_to_it() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(40)
        assert not w.judges.open_sessions()  # it lapsed
        w.chain.takes = lambda grant, order: not isinstance(order, Open)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(5)
        watching.end("left")
        await trio.sleep(20)
        assert not w.judges.unpaid_ms(viewer.address) > 8_000
        w.chain.takes = lambda grant, order: True
        await trio.sleep(20)
        assert w.judges.opened == 2
        assert w.judges.unpaid_ms(viewer.address) < 1_000

    assert not _found(tale)


def test_a_session_that_follows_is_its_own_connections_and_not_another_window_s() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=30_000, sessions_max=2)
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(40)
        assert not w.judges.open_sessions()  # it lapsed
        other = await viewer.watch()
        await trio.sleep(6)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(10)
        assert w.judges.opened == 3
        [ref] = w.judges.groups.keys() - {watching.ref, other.ref}
        assert w.judges.groups[ref] is w.judges.groups[watching.ref]
        assert w.judges.groups[other.ref].sessions == [other.ref]

    assert not _found(tale)


def test_a_session_that_follows_nothing_that_was_ever_opened_is_judged_all_the_same() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(4)
        group = w.judges.groups.pop(watching.ref)
        group.sessions.clear()  # as where its one session never came to the chain
        await trio.sleep(10)
        w.judges._adopt(watching.ref, viewer.address, 1, ())
        assert w.judges.groups[watching.ref] is group

    _found(tale)


def test_a_viewer_who_comes_back_to_a_session_on_its_way_pays_for_what_came_before() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(40)
        w.chain.takes = lambda grant, order: not isinstance(order, Open)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(5)
        watching.end("left")
        again = await viewer.join(resume=watching.resume)
        assert again is not None
        assert again.resumed
        assert again.ref != watching.ref
        w.chain.takes = lambda grant, order: True
        await trio.sleep(12)
        assert w.judges.groups[again.ref] is w.judges.groups[watching.ref]
        assert w.judges.charged[again.ref]

    assert not _found(tale)


def test_a_viewer_who_comes_back_to_a_session_that_seemed_too_late_pays_for_what_came_before() -> (
    None
):
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.node.swallows = True
        watching = await viewer.watch()
        await trio.sleep(3)
        w.crash_server("A")  # its viewer may come back for a minute
        await trio.sleep(12)  # to every block that comes now the open is too late
        w.judges.unpaid_ms(viewer.address)
        again = await viewer.join(resume=watching.resume)
        assert again is not None
        assert again.resumed
        assert again.ref == watching.ref
        assert w.judges.groups[again.ref].connections == [watching, again]

    assert not _found(tale)


def test_what_an_open_that_never_came_leaves_unpaid_comes_back_from_when_that_is_final() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.node.swallows = True  # by whatever way the order goes
        watching = await viewer.watch()
        await trio.sleep(30)
        watching.end("left")
        await trio.sleep(10)
        lost_ms = w.judges.unpaid_ms(viewer.address)
        assert lost_ms > 5_000
        await trio.sleep(120)
        assert w.judges.unpaid_ms(viewer.address) <= lost_ms - 2_000

    assert not _found(tale)


def test_a_fork_that_a_slow_node_tells_late_is_not_held_against_who_asks_it() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.chain.final_lag = 12
        watching = await viewer.watch()
        await trio.sleep(40)
        w.node.slow_s = slow_s
        await trio.sleep(10)
        charged = w.charged(watching)
        w.chain.takes = lambda grant, order: False
        w.chain.reorganise(10, keep_orders=False)
        assert w.charged(watching) < charged - 12
        if not slow_s:  # one that could know at once, and does not, is judged
            w.judges.blind = lambda: False
            w.node.silence()
        await trio.sleep(60)
        w.judges.judge_credit()

    slow_s = 1.5
    assert not _found(tale)
    slow_s = 0
    assert [each.oracle for each in _found(tale)] == ["credit"]


def test_a_charge_that_a_fork_takes_away_is_unpaid_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.chain.final_lag = 12
        watching = await viewer.watch()
        while not w.charged(watching):
            await w.blocks(1)
        w.chain.takes = lambda grant, order: False
        w.chain.reorganise(2, keep_orders=False)
        assert not w.charged(watching)

    assert not _found(tale)


def test_a_slot_that_stays_taken_is_seen() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(10)
        w.relayer.keep_down = True
        w.relayer.kill("for good")
        await w.end()

    found = [
        each for each in _found(tale, bounds=Bounds(ends_within_s=60)) if each.oracle == "ends"
    ]
    assert any("holds a slot" in each.what for each in found)


def test_containers_are_found_wherever_they_are() -> None:
    @dataclass
    class Inner:
        many: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(9), 0))

    @dataclass
    class Outer:
        inner: list[Inner] = field(default_factory=lambda: [Inner()])

    Inner.__module__ = Outer.__module__ = "offchain.of.a.test"
    found = dict(sizes([("it", Outer())]))
    assert found == {"it.inner": 1, "it.inner[].many": 9}


def test_tasks_that_are_left_over_are_seen() -> None:
    async def tale(w: World) -> None:
        w.judges.judge_tasks(5, 6)
        w.judges.judge_tasks(6, 6)

    assert [each.what for each in _found(tale)] == [
        "tasks: 6 run when nothing is open, 5 at the start"
    ]


async def test_a_total_of_the_streams_that_is_not_what_was_charged_is_seen() -> None:
    judges = Judges(Blockchain(), Story(), Bounds())
    judges.charged[SessionRef(0, 0)] = 5
    judges.judge_charges()
    assert [each.oracle for each in judges.failures] == ["charged"]


def test_an_order_that_the_journal_does_not_have_is_seen(tmp_path: Path) -> None:
    found: list[tuple[str, str, str]] = []
    witness = Witness(tmp_path / "journal.sqlite", lambda *words: found.append(words))
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute("CREATE TABLE orders (grant_id, body, signature)")
    connection.execute("CREATE TABLE sessions (grant_id, idx, done)")
    order = Close(index=0, seconds=5)
    witness.signs(7, order)
    assert found == [("written", "close of grant 7", "it is signed before the journal has it")]
    with connection:
        connection.execute("INSERT INTO orders VALUES (7, ?, NULL)", (encode_order(order),))
    found.clear()
    witness.signs(7, order)
    assert not found
    witness.sends(7, order)
    what = "it is sent before the journal has its signature"
    assert found == [("written", "close of grant 7", what)]
    with connection:
        connection.execute("UPDATE orders SET signature = ?", (b"s",))
    found.clear()
    witness.sends(7, order)
    assert not found
    with connection:
        connection.execute("DELETE FROM orders")
    witness.sends(7, order)
    assert found
    found.clear()
    with connection:  # with a session that has ended its orders go
        connection.execute("INSERT INTO sessions VALUES (7, 0, 1)")
    connection.close()
    witness.sends(7, order)
    assert not found


def test_a_visit_that_is_not_paid_on_a_good_day_is_seen() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.end("left")
        await trio.sleep(10)
        w.judges.judge_paid(watching)
        w.judges.judge_orders(0)
        assert not w.judges.failures
        watching.sent_ms += 3_000
        w.judges.judge_paid(watching)
        w.judges.judge_orders(2)

    assert [each.what for each in _found(tale)] == [
        "session 0-0: 4.0 s of 23.0 s are not charged",
        "orders: 2 were ahead of the chain's clock",
    ]
