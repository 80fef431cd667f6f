"""The JSON-RPC client: errors that say what to do, and a connection that comes back."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from offchain.ledger import rpc as rpc_module
from offchain.ledger.endpoints import PAUSE_MAX_S
from offchain.ledger.errors import NodeUnreachable, RpcError
from offchain.ledger.rpc import Lagged, Reconnected, open_rpc
from tests.ledger.fake_node import SILENT, SUBSCRIBED, FakeNode, Refuse

URL = "ws://node:9944"


@pytest.fixture
def node() -> FakeNode:
    node = FakeNode()
    node.answers = {
        "add": sum,
        "silent": lambda _params: SILENT,
        "subscribe": lambda _params: SUBSCRIBED,
        "unsubscribe": lambda _params: True,
    }
    return node


async def test_calls_are_answered_each_with_its_own(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    results: dict[int, int] = {}
    async with open_rpc(URL, connect=node.connect) as rpc, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            results[number] = await rpc.call("add", [number, 1])

        for number in range(600):  # more than may be under way at once
            nursery.start_soon(ask, number)
    assert results == {number: number + 1 for number in range(600)}


async def test_an_error_names_the_method(node: FakeNode, autojump_clock: MockClock) -> None:
    def refuse(_params: list[object]) -> None:
        raise Refuse(1010, "Invalid Transaction", "Transaction is outdated")

    node.answers["refuse"] = refuse
    async with open_rpc(URL, connect=node.connect) as rpc:
        with pytest.raises(RpcError, match=r"refused refuse .1010.: Invalid") as raised:
            await rpc.call("refuse")
    assert (raised.value.code, raised.value.data) == (1010, "Transaction is outdated")


async def test_a_missing_node_is_named_at_once(node: FakeNode, autojump_clock: MockClock) -> None:
    node.is_up = False
    with pytest.raises(NodeUnreachable, match=r"ws://node:9944.*refused.*paystream node"):
        async with open_rpc(URL, connect=node.connect):
            pytest.fail("there is no node")
    assert node.attempts == 1


async def test_a_real_socket_that_nobody_listens_on() -> None:
    with pytest.raises(NodeUnreachable, match=r"127\.0\.0\.1"):
        async with open_rpc("ws://127.0.0.1:1"):
            pytest.fail("nobody listens there")


async def test_an_address_that_is_none() -> None:
    with pytest.raises(NodeUnreachable, match="nonsense"):
        async with open_rpc("nonsense://x"):
            pytest.fail("this is no address")


async def test_silence_has_an_end(node: FakeNode, autojump_clock: MockClock) -> None:
    async with open_rpc(URL, connect=node.connect) as rpc:
        before = trio.current_time()
        with pytest.raises(NodeUnreachable, match="silent was not answered within 3 s"):
            await rpc.call("silent", timeout_s=3)
        assert trio.current_time() - before == pytest.approx(3)
        assert await rpc.call("add", [1, 1]) == 2


async def test_a_call_waits_for_the_node_to_come_back(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    async with open_rpc(URL, connect=node.connect, timeout_s=60) as rpc:
        node.is_up = False
        await node.drop()
        await wait_all_tasks_blocked()
        assert not rpc.is_connected

        async with trio.open_nursery() as nursery:

            async def back() -> None:
                await trio.sleep(30)
                node.is_up = True

            nursery.start_soon(back)
            before = trio.current_time()
            assert await rpc.call("add", [2, 3]) == 5
        assert 30 <= trio.current_time() - before <= 30 + 1.2 * PAUSE_MAX_S
        assert rpc.reconnections == 1
        # pauses double from 0.1 s to 5 s: 6 of them, then one each 5 s
        assert 8 <= node.attempts <= 16


async def test_what_was_under_way_is_asked_again(node: FakeNode, autojump_clock: MockClock) -> None:
    answers = iter([SILENT, 7])
    node.answers["once"] = lambda _params: next(answers)
    async with open_rpc(URL, connect=node.connect) as rpc, trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            await node.drop()

        nursery.start_soon(cut)
        assert await rpc.call("once") == 7


async def test_what_may_not_be_repeated_is_not(node: FakeNode, autojump_clock: MockClock) -> None:
    async with open_rpc(URL, connect=node.connect) as rpc, trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            await node.drop()

        nursery.start_soon(cut)
        with pytest.raises(NodeUnreachable, match="lost during silent"):
            await rpc.call("silent", retry=False)
    assert [method for method, _ in node.calls] == ["silent"]


async def test_a_subscription_comes_back_and_says_so(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    async with (
        open_rpc(URL, connect=node.connect) as rpc,
        rpc.subscribe("subscribe", [1], "unsubscribe") as items,
    ):
        await node.notify("subscribe", "first")
        assert await anext(items) == "first"
        await node.drop()
        await trio.sleep(1)
        await node.notify("subscribe", "second")
        assert await anext(items) == Reconnected()
        assert await anext(items) == "second"
        assert [call for call in node.calls if call[0] == "subscribe"] == [("subscribe", [1])] * 2
    assert not node.subscriptions or len(node.subscriptions) == 1


async def test_a_subscription_that_is_not_renewed_ends(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    async with (
        open_rpc(URL, connect=node.connect) as rpc,
        rpc.subscribe("subscribe", [], "unsubscribe", renew=False) as items,
    ):
        await node.notify("subscribe", "last")
        await wait_all_tasks_blocked()
        await node.drop()
        assert await anext(items) == "last"
        with pytest.raises(NodeUnreachable, match="lost during subscribe"):
            await anext(items)


async def test_the_end_of_a_subscription_is_told_to_the_node(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    async with open_rpc(URL, connect=node.connect) as rpc:
        async with rpc.subscribe("subscribe", [], "unsubscribe"):
            pass
        await trio.sleep(0.1)
    assert node.calls[-1] == ("unsubscribe", ["sub1"])


async def test_a_slow_consumer_loses_the_oldest_and_knows_it(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    async with (
        open_rpc(URL, connect=node.connect) as rpc,
        rpc.subscribe("subscribe", [], "unsubscribe") as items,
    ):
        kept = rpc_module.SUBSCRIPTION_QUEUE_MAX
        for number in range(kept + 10):
            await node.notify("subscribe", number)
        await trio.sleep(0.1)
        assert await anext(items) == Lagged(10)
        assert [await anext(items) for _ in range(kept)] == list(range(10, kept + 10))


async def test_a_node_that_hangs_is_left(
    node: FakeNode, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object) -> None:
        await trio.sleep_forever()

    async with open_rpc(URL, connect=node.connect, timeout_s=120) as rpc:
        connection = rpc._connection
        assert connection is not None
        monkeypatch.setattr(connection.socket, "ping", never)
        limit_s = rpc_module.PING_EVERY_S + rpc_module.PING_TIMEOUT_S
        await trio.sleep(limit_s + 2)
        assert rpc.reconnections == 1
        assert await rpc.call("add", [1]) == 1


async def test_noise_from_the_node_is_ignored(node: FakeNode, autojump_clock: MockClock) -> None:
    async with open_rpc(URL, connect=node.connect) as rpc:
        await rpc.call("add", [1])
        for noise in ("", "not json", "[]", "7", '{"id": 99, "result": 1}', '{"method": "x"}'):
            await node._sockets[-1].send_message(noise)
        assert await rpc.call("add", [1, 2]) == 3


async def test_errors_of_the_body_are_not_wrapped(
    node: FakeNode, autojump_clock: MockClock
) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_rpc(URL, connect=node.connect):
            raise LookupError("mine")
