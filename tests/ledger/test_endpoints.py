"""Several addresses: tried in turn, left for good reasons, come back to, shown without tokens."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio_websocket
from trio.testing import MockClock

from offchain.ledger import rpc as rpc_module
from offchain.ledger.chain import open_heads
from offchain.ledger.endpoints import APART_FIRST_S, APART_MAX_S, WELL_AFTER_S, Endpoints, shown
from offchain.ledger.errors import NodeBehind, NodeNotBelieved, NodesUnusable, NodeUnreachable
from offchain.ledger.rpc import Caller, RpcClient, open_rpc
from tests.ledger.fake_node import SILENT, FakeChain

URLS = ("ws://one:1", "ws://two:2", "ws://three:3")


class Nodes:
    """Three nodes of one chain, each behind its address."""

    def __init__(self) -> None:
        self.of = {url: FakeChain(20) for url in URLS}
        self.one, self.two, self.three = self.of.values()
        for url, node in self.of.items():
            node.answers["name"] = partial(_first, url)
        self.behind: set[str] = set()

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        async with self.of[url].connect(url) as socket:
            yield socket

    async def admit(self, caller: Caller) -> None:
        if await caller.call("name") in self.behind:
            raise NodeBehind("it is made to be")

    def open(self) -> Any:
        return open_rpc(URLS, connect=self.connect, admit=self.admit, timeout_s=30)


def _first(url: str, _params: list[Any]) -> str:
    return url


def in_use(rpc: RpcClient) -> str:
    return next(each.node for each in rpc.endpoints.statuses() if each.in_use)


async def test_the_first_that_is_there_and_believed_is_used(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nodes = Nodes()
    nodes.one.is_up = False
    nodes.behind.add(URLS[1])
    async with nodes.open() as rpc:
        assert await rpc.call("name") == URLS[2] == in_use(rpc)
        one, two, _ = rpc.endpoints.statuses()
        assert (one.why, one.refused) == ("connection refused", 0)
        assert (two.why, two.refused) == ("the node is behind: it is made to be", 1)
    assert caplog.messages == [
        "event=node-unreachable node=ws://one:1 why='connection refused'",
        "event=node-refused node=ws://two:2 why='the node is behind: it is made to be'",
        "event=node-in-use node=ws://three:3",
    ]


async def test_with_none_that_can_be_used_each_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = Nodes()
    nodes.one.is_up = False
    nodes.behind |= set(URLS)
    nodes.three.answers["name"] = lambda _p: SILENT
    with pytest.raises(
        NodesUnusable, match=r"one:1: connection.*two:2: the node.*three:3: nothing"
    ):
        async with nodes.open():
            pytest.fail("none is to be used")
    assert caplog.messages == [], "whoever waits for one tells of them"


async def test_a_dead_connection_leads_to_the_next_and_back(autojump_clock: MockClock) -> None:
    nodes = Nodes()
    async with nodes.open() as rpc, open_heads(rpc, "finalized") as heads:
        await nodes.one.notify("chain_subscribeFinalizedHeads", nodes.one.headers[3])
        assert (await anext(heads)).number == 3
        nodes.one.is_up = False
        await nodes.one.drop()
        assert await rpc.call("name") == URLS[1]
        # what follows heads goes on without a gap, at the other node
        await trio.sleep(1)
        await nodes.two.notify("chain_subscribeFinalizedHeads", nodes.two.headers[5])
        assert [(await anext(heads)).number for _ in range(2)] == [4, 5]
        await trio.sleep(3 * rpc_module.RETURN_EVERY_S)
        assert in_use(rpc) == URLS[1]
        nodes.one.is_up = True
        asked = nodes.one.attempts
        await trio.sleep(1.5 * rpc_module.RETURN_EVERY_S)
        assert in_use(rpc) == URLS[0]
        assert await rpc.call("name") == URLS[0]
        assert nodes.one.attempts - asked <= 2, "it costs a look and a connection"
        assert nodes.two.attempts == 1


async def test_a_node_that_is_of_no_use_is_left_and_come_back_to(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = Nodes()
    apart = []
    async with nodes.open() as rpc:
        for _ in range(3):
            rpc.move_on("it is silent")
            left_at = trio.current_time()
            await trio.lowlevel.checkpoint()
            assert await rpc.call("name") == URLS[1]
            with trio.fail_after(3 * rpc_module.RETURN_EVERY_S):
                while in_use(rpc) != URLS[0]:
                    await trio.sleep(0.5)
                    assert await rpc.call("name") in URLS[:2]
            apart.append(trio.current_time() - left_at)
        assert apart[0] < 2.5 * rpc_module.RETURN_EVERY_S
        assert rpc.endpoints.statuses()[0].left == 3
    assert sum("event=node-left node=ws://one:1" in each for each in caplog.messages) == 3


async def test_one_address_is_never_left(autojump_clock: MockClock) -> None:
    nodes = Nodes()
    async with open_rpc(URLS[0], connect=nodes.connect, admit=nodes.admit) as rpc:
        rpc.move_on("it is silent")
        await trio.sleep(1)
        assert rpc.is_connected
        assert nodes.one.attempts == 1
        # one that was believed, and is not after a reconnection, is tried again and again
        nodes.behind.add(URLS[0])
        await nodes.one.drop()
        with pytest.raises(NodeUnreachable, match="it is made to be"):
            await rpc.call("name", timeout_s=20)
        # who follows its blocks hears at once what is wrong, and need not wait for an answer
        with pytest.raises(NodeNotBelieved, match="it is made to be"), trio.fail_after(1):
            async with rpc.subscribe("follow", [], "unfollow"):
                pass
        nodes.behind.clear()
        assert await rpc.call("name", timeout_s=60) == URLS[0]


def test_patience_doubles_to_its_bound_and_is_restored_by_good_service() -> None:
    endpoints = Endpoints(URLS)
    first, now, waits = endpoints.all[0], 1000.0, []
    for _ in range(10):
        endpoints.use(first, now)
        endpoints.fail(first, "left", "silent", now)
        waits.append(first.not_before - now)
        assert endpoints.choose(now) == (endpoints.all[1], 0.0)
        now = first.not_before
        assert endpoints.choose(now)[0] is first
    assert waits[0] == APART_FIRST_S
    assert waits[-1] == APART_MAX_S
    assert waits == sorted(waits)
    endpoints.use(first, now)
    now += WELL_AFTER_S
    endpoints.fail(first, "left", "silent", now)
    assert first.not_before - now == APART_FIRST_S


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
        ("wss://rpc.example/SECRET", "wss://rpc.example"),
        ("wss://user:SECRET@rpc.example:443/x?key=SECRET#SECRET", "wss://rpc.example:443"),
        ("ws://[::1]:9944/?SECRET", "ws://[::1]:9944"),
        ("ws://host:SECRET", "ws://host"),
        ("ws://", "ws://"),
        ("user:SECRET@host", "an address without ws://"),
        ("the chain", "the chain"),
    ],
)
def test_an_address_is_shown_without_what_could_be_a_token(url: str, text: str) -> None:
    assert shown(url) == text


async def test_no_token_of_an_address_is_in_errors_and_logs(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    node = FakeChain(3)
    urls = [f"ws://user:SECRET@host:{port}/SECRET?key=SECRET" for port in (1, 2)]
    async with open_rpc(urls, connect=node.connect, timeout_s=5) as rpc:
        rpc.move_on("it is silent")
        await trio.sleep(1)
        node.is_up = False
        await node.drop()
        with pytest.raises(NodeUnreachable) as raised:
            await rpc.call("chain_getHeader", timeout_s=20)
        assert [each.node for each in rpc.endpoints.statuses()] == ["ws://host:1", "ws://host:2"]
    node.is_up = False
    with pytest.raises(NodesUnusable) as unusable:
        async with open_rpc(urls, connect=node.connect):
            pytest.fail("there is none")
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("paystream")]
    assert len(ours) >= 3
    assert "SECRET" not in f"{raised.value} {unusable.value} {ours}"
