"""A JSON-RPC node in memory: tests say what it answers, and when it goes and comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio_websocket
from trio.testing import memory_stream_pair

from offchain.ledger.chain import head_from
from offchain.ledger.extrinsics import extrinsic_hash
from offchain.ledger.rpc import MESSAGE_BYTES_MAX


class FakeNode:
    """Answers each method with `answers[method](params)`; a raised `Refuse` becomes an error."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[list[Any]], Any]] = {}
        self.calls: list[tuple[str, list[Any]]] = []
        self.is_up = True
        self.attempts = 0
        self.subscriptions: dict[str, tuple[str, list[Any]]] = {}
        self._sockets: list[trio_websocket.WebSocketConnection] = []
        self._streams: list[Any] = []
        self._count = 0

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        """Take the place of `open_websocket_url`."""
        self.attempts += 1
        if not self.is_up:
            raise ConnectionRefusedError("connection refused")
        ours: Any
        theirs: Any
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve, theirs)
            socket = await trio_websocket.wrap_client_stream(nursery, ours, "node", "/")
            self._streams.append(theirs)
            try:
                yield socket
            finally:
                nursery.cancel_scope.cancel()

    async def _serve(self, stream: Any) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(
                nursery, stream, max_message_size=MESSAGE_BYTES_MAX
            )
            socket = await request.accept()
            self._sockets.append(socket)
            try:
                while True:
                    await self._answer(socket, json.loads(await socket.get_message()))
            except trio_websocket.ConnectionClosed:
                return

    async def _answer(self, socket: Any, body: dict[str, Any]) -> None:
        method, params = body["method"], body.get("params", [])
        self.calls.append((method, params))
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": body["id"]}
        try:
            result = self.answers[method](params)
        except Refuse as refused:
            answer["error"] = refused.error
        else:
            if result is SILENT:
                return
            if result is SUBSCRIBED:
                self._count += 1
                result = f"sub{self._count}"
                self.subscriptions[result] = (method, params)
            answer["result"] = result
        await socket.send_message(json.dumps(answer))

    async def notify(self, method: str, result: Any) -> None:
        """Send a notification to the newest subscription made with `method`."""
        key = next(k for k, v in reversed(self.subscriptions.items()) if v[0] == method)
        params = {"subscription": key, "result": result}
        body = {"jsonrpc": "2.0", "method": "note", "params": params}
        await self._sockets[-1].send_message(json.dumps(body))

    async def drop(self) -> None:
        """Cut all connections without a goodbye."""
        for stream in self._streams:
            await trio.aclose_forcefully(stream)
        self._streams.clear()
        self.subscriptions.clear()


class Refuse(Exception):
    """An answer that is a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.error = {"code": code, "message": message, "data": data}
        super().__init__(message)


SILENT = object()
SUBSCRIBED = object()
EXTRINSIC = bytes.fromhex("0c450001")
WATCH = "author_submitAndWatchExtrinsic"


class FakeChain(FakeNode):
    """A chain of empty blocks, some with our extrinsic in them."""

    def __init__(self, length: int = 10) -> None:
        super().__init__()
        self.headers: list[dict[str, Any]] = []
        self.bodies: list[list[str]] = []
        self.finalized = 0
        for _ in range(length):
            self.grow()
        self.answers = {
            "chain_getHeader": self._header,
            "chain_getBlockHash": lambda p: self.hash(p[0]) if p[0] < len(self.headers) else None,
            "chain_getBlock": lambda p: {"block": {"extrinsics": self.bodies[self.number(p[0])]}},
            "chain_getFinalizedHead": lambda _p: self.hash(self.finalized),
            "chain_subscribeNewHeads": lambda _p: SUBSCRIBED,
            "chain_unsubscribeNewHeads": lambda _p: True,
            "chain_subscribeFinalizedHeads": lambda _p: SUBSCRIBED,
            "chain_unsubscribeFinalizedHeads": lambda _p: True,
            "author_unwatchExtrinsic": lambda _p: True,
            WATCH: lambda _p: SUBSCRIBED,
            "author_submitExtrinsic": lambda _p: extrinsic_hash(EXTRINSIC),
        }

    def grow(self, *extrinsics: bytes) -> str:
        number = len(self.headers)
        parent = self.hash(number - 1) if number else "0x" + "00" * 32
        self.headers.append(
            {
                "parentHash": parent,
                "number": hex(number),
                "stateRoot": "0x" + "11" * 32,
                "extrinsicsRoot": "0x" + "22" * 32,
                "digest": {"logs": ["0x0642"]},
            }
        )
        self.bodies.append(["0x280403000b"] + ["0x" + e.hex() for e in extrinsics])
        return self.hash(number)

    def hash(self, number: int) -> str:
        return head_from(self.headers[number]).hash

    def number(self, block_hash: str) -> int:
        return next(n for n in range(len(self.headers)) if self.hash(n) == block_hash)

    def _header(self, params: list[Any]) -> Any:
        return self.headers[self.number(params[0]) if params else -1]
