"""What a rough day draws, counts and judges, without the day itself."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from offchain.cli.audit import History, SessionHistory
from offchain.ledger.types import Event, Grant
from rough_day import judges
from rough_day.cable import Cable
from rough_day.faults import Backup, Kill, Measure, Partition, Restore, Stop, drawn
from rough_day.options import parse
from rough_day.unpaid import Account, Unpaid
from tests.scripts.test_demo_facts import FakeLedger

RATE = 10**9


# --- what strikes --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_everything_that_strikes_has_its_place_in_the_day(seed: int) -> None:
    measure = Measure(seconds=300, kills=20)
    day = drawn(seed, measure)
    assert day == drawn(seed, measure)
    assert sum(isinstance(fault, Kill) for fault in day) == 20
    assert all(0 <= fault.at_s <= 300 for fault in day)
    (backup,) = (fault for fault in day if isinstance(fault, Backup))
    (restore,) = (fault for fault in day if isinstance(fault, Restore))
    (stop,) = (fault for fault in day if isinstance(fault, Stop))
    (partition,) = (fault for fault in day if isinstance(fault, Partition))
    assert restore.at_s - backup.at_s >= 120
    assert restore.at_s + restore.alone_s <= 300
    assert abs(stop.at_s - partition.at_s) >= 60, "each is seen alone"
    assert max(stop.at_s, partition.at_s) + 60 <= 300


def test_another_seed_is_another_day_and_parts_can_be_chosen() -> None:
    measure = Measure(seconds=300, kills=20, parts=("relayer",))
    assert drawn(1, measure) != drawn(2, measure)
    killed = [fault.part for fault in drawn(1, measure) if isinstance(fault, Kill | Stop)]
    assert set(killed) == {"relayer"}


def test_what_is_not_wanted_does_not_strike() -> None:
    day = drawn(3, Measure(seconds=30, kills=2, hold_s=0, backup_age_s=0, alone_s=0))
    assert all(isinstance(fault, Kill) for fault in day)


def test_the_defaults_are_twenty_kills_and_one_of_everything_else() -> None:
    options = parse([])
    assert (options.viewers, options.seed, options.measure.kills) == (5, 1, 20)
    assert options.measure == Measure(seconds=300, kills=20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kill", "relayer,chain"], "--kill chain: give relayer, node, server"),
        (["--kill", ""], "--kill: give at least one"),
        (["--viewers", "0"], "--viewers 0: give 1"),
        (["--kills", "-1"], "--kills -1: give 0"),
        (["--hold", "nan"], "--hold nan: give 0"),
        (["--seconds", "100"], "takes at least 145"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# --- the cable -----------------------------------------------------------------------------


async def test_a_held_cable_lets_nothing_through_and_then_all_of_it(nursery: trio.Nursery) -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, echo, listeners)
    cable = Cable(listeners[0].socket.getsockname()[1])
    await nursery.start(cable.serve)
    async with await trio.open_tcp_stream("127.0.0.1", cable.port) as stream:
        await stream.send_all(b"before")
        assert await stream.receive_some() == b"before"
        cable.hold()
        await stream.send_all(b"meanwhile")
        with trio.move_on_after(0.1) as waiting:
            await stream.receive_some()
        assert waiting.cancelled_caught
        cable.release()
        assert await stream.receive_some() == b"meanwhile"


async def test_who_connects_to_a_held_cable_waits(nursery: trio.Nursery) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    came = trio.Event()

    async def greet(stream: trio.SocketStream) -> None:
        came.set()
        await stream.send_all(b"hello")

    nursery.start_soon(trio.serve_listeners, greet, listeners)
    cable = Cable(listeners[0].socket.getsockname()[1])
    await nursery.start(cable.serve)
    cable.hold()
    async with await trio.open_tcp_stream("127.0.0.1", cable.port) as stream:
        with trio.move_on_after(0.1):
            await came.wait()
        assert not came.is_set()
        cable.release()
        assert await stream.receive_some() == b"hello"
        assert await stream.receive_some() == b"", "the far end's end comes through"


async def test_a_cable_that_is_torn_out_breaks_and_refuses_and_is_plugged_in_again(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)

    with socket.socket(socket.AF_UNIX) as far:
        far.bind(str(tmp_path / "far.sock"))
        far.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(far))
        nursery.start_soon(trio.serve_listeners, echo, [listener])
        cable = Cable(tmp_path / "far.sock")
        await nursery.start(cable.serve)
        async with await trio.open_tcp_stream("127.0.0.1", cable.port) as stream:
            await stream.send_all(b"before")
            assert await stream.receive_some() == b"before"
            cable.tear_out()
            assert await stream.receive_some() == b""
        with pytest.raises(OSError, match="connect"):
            await trio.open_tcp_stream("127.0.0.1", cable.port)
        cable.plug_in()
        await trio.testing.wait_all_tasks_blocked()
        async with await trio.open_tcp_stream("127.0.0.1", cable.port) as stream:
            await stream.send_all(b"after")
            assert await stream.receive_some() == b"after"
        nursery.cancel_scope.cancel()


# --- what is unpaid ------------------------------------------------------------------------


def test_what_is_watched_and_not_paid_is_unpaid() -> None:
    account = Account()
    account.watched_ms = 12_000
    account.look(0)
    account.paid_ms = 9_000
    assert account.unpaid_ms(1_000) == 3_000
    assert account.worst_ms == 12_000


def test_what_an_ended_session_left_comes_back_by_a_second_a_minute() -> None:
    account = Account(watched_ms=10_000, paid_ms=4_000)
    account.ended(0)
    assert account.unpaid_ms(0) == 5_000, "a second is rounding"
    assert account.unpaid_ms(60_000) == 4_000
    assert account.unpaid_ms(600_000) == 0
    account.watched_ms += 2_000
    assert account.unpaid_ms(600_000) == 2_000


def test_what_a_killed_server_cannot_have_told_is_forgiven_once() -> None:
    account = Account(watched_ms=10_000, paid_ms=6_500)
    account.server_killed(0)
    assert account.unpaid_ms(0) == 2_500
    account.ended(0)
    assert account.unpaid_ms(0) == 1_500
    account.watched_ms += 3_000
    assert account.unpaid_ms(0) == 4_500


def test_what_was_watched_while_the_relayer_was_away_dies_with_the_server() -> None:
    account = Account(watched_ms=10_000, paid_ms=10_000)
    account.relayer_away(0)
    account.watched_ms = 14_000
    account.relayer_back(5_000)
    account.relayer_away(6_000)  # too soon to have heard of the 4 s
    account.watched_ms = 16_000
    account.server_killed(8_000)
    assert account.untold_ms == 6_000
    assert account.unpaid_ms(8_000) == 6_000 - 6_000 - 1_000
    account.server_killed(9_000)
    assert account.untold_ms == 6_000, "once"
    account.relayer_back(10_000)
    account.watched_ms = 60_000
    account.server_killed(20_000)
    assert account.untold_ms == 6_000, "it was told"
    account.relayer_away(30_000)
    account.watched_ms = 90_000
    account.server_killed(60_000)
    assert account.untold_ms == 6_000 + 15_000, "a lease is the most"


def event(name: str, **fields: Any) -> Event:
    named = {"grant": 1, "index": 0, "stream": 4, **fields}
    return Event(pallet="PayStream", name=name, fields=named, extrinsic_index=1)


def test_blocks_say_what_is_paid_and_when_a_session_has_ended() -> None:
    unpaid = Unpaid(4, {"alice": Account(), "bob": Account()})
    unpaid.watched("alice", 8_000, 1_000)
    opened = event("SessionOpened", viewer="alice", rate_per_second=RATE, funds=60 * RATE)
    unpaid.block(7, [opened], 1_000)
    assert unpaid.accounts["alice"].unpaid_ms(1_000) == 8_000
    ticked = event("Ticked", seconds=6, charged_seconds=6, amount=6 * RATE)
    unpaid.block(8, [ticked], 3_000)
    assert unpaid.accounts["alice"].unpaid_ms(3_000) == 2_000
    closed = event("SessionClosed", reason="Order", paid=6 * RATE, refunded=54 * RATE, seconds=6)
    unpaid.block(9, [closed], 5_000)
    assert unpaid.accounts["alice"].unpaid_ms(5_000) == 1_000
    assert unpaid.worst_ms == 8_000
    assert unpaid.accounts["bob"].worst_ms == 0
    unpaid.watched("alice", 7_000, 6_000)
    assert unpaid.accounts["alice"].watched_ms == 8_000, "a total never falls"


# --- the judges ----------------------------------------------------------------------------


def test_sockets_that_stay_are_named() -> None:
    before = {"relayer": 4, "server": 10}
    assert judges.sockets_left(before, {"relayer": 6, "server": 9}) == []
    (said,) = judges.sockets_left(before, {"relayer": 4, "server": 13})
    assert "the server had 10" in said


def test_sessions_that_the_relayer_does_not_call_over_are_named() -> None:
    sessions = [
        {"grant": 1, "index": 0, "status": "closed"},
        {"grant": 1, "index": 1, "status": "closing"},
        {"grant": 2, "index": 0, "status": "failed"},
    ]
    assert judges.open_in_book(sessions) == ["session 1-1 is closing in the relayer's book"]


def test_a_settled_session_may_leave_a_credit_unpaid() -> None:
    result = {"viewers": [{"session": "1-0+1-1"}, {"session": "2-0"}], "kills": {"server": 3}}
    closed = SessionHistory(viewer="alice", close_reason="Order")
    assert judges.tails(result, History(0, sessions={(1, 0): closed, (2, 0): closed})) == 5
    settled = SessionHistory(viewer="alice", close_reason="Settled")
    assert judges.tails(result, History(0, sessions={(1, 0): settled, (2, 0): closed})) == 10


async def ending(**changed: Any) -> judges.Ending:
    grant: Grant = await FakeLedger({}).grant(1)
    fields: dict[str, Any] = {
        "grants": {1: type(grant)(**{**_fields(grant), "cap_left": 5, "spent": 10, "cap": 15})},
        "sessions_open": {1: 0},
        "sessions_of_stream": 0,
        "vaults": 7,
        "unclaimed": 2,
        "owed": 9,
        "pot": 9,
    }
    return judges.Ending(**{**fields, **changed})


def _fields(entry: Grant) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sessions_open": {1: 1}}, "open slots"),
        ({"sessions_of_stream": 2}, "counts 2 open sessions"),
        ({"vaults": 6}, "owes 9, but vaults have 6"),
        ({"pot": 8}, "its pot has 8"),
    ],
)
async def test_every_slot_and_coin_must_be_free_again(changed: dict[str, Any], said: str) -> None:
    assert list((await ending()).problems()) == []
    (problem,) = (await ending(**changed)).problems()
    assert said in problem


async def test_a_cap_must_be_left_or_spent() -> None:
    whole = await ending()
    grant = whole.grants[1]
    short = type(grant)(**{**_fields(grant), "cap_left": 4})
    (problem,) = (await ending(grants={1: short})).problems()
    assert "4 are left and 10 spent" in problem
