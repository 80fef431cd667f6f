"""The WebSocket: one for each page, for what is live.

Messages are JSON objects in text frames, told apart by `type`. The token comes in the first of
them and never in the address, which logs and proxies keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from streaming.community.accounts import Accounts, checked_token
from streaming.community.addresses import address_of
from streaming.community.chat.chat import Chat
from streaming.community.chat.messages import read_said
from streaming.community.chat.rooms import Listener, Room
from streaming.community.host import Host
from streaming.community.ledger import Ledger, number_of
from streaming.community.refusal import Refused
from streaming.live_frames import Asked, Hello, Join, Leave, Say, frame, read_asked
from streaming.pace import Bucket

FRAME_BYTES_MAX: Final = 8 * 1024
LISTENERS_MAX: Final = 20_000
ROOMS_MAX: Final = 8
"""Streams that one page hears at a time."""
HEARTBEAT_S: Final = 30.0
SEND_WITHIN_S: Final = 10.0
"""Who takes nothing for so long is dropped, though the queue is not full."""
CLOSE_WITHIN_S: Final = 1.0
FRAMES_PER_SECOND: Final = 10
FRAMES_AT_ONCE: Final = 40
TOO_SLOW: Final = 4008
TOO_FAST: Final = 4029
GOING_AWAY: Final = 1001
_REASONS: Final[dict[str, tuple[int, bytes]]] = {
    "slow": (TOO_SLOW, b"too slow: connect again, and the latest messages are shown"),
    "fast": (TOO_FAST, b"too many messages: slow down"),
    "closing": (GOING_AWAY, b"this server is going down: connect again in a moment"),
}


class Sockets:
    """All open WebSockets."""

    def __init__(self, host: Host, ledger: Ledger, accounts: Accounts, chat: Chat) -> None:
        self.host = host
        self.ledger = ledger
        self.accounts = accounts
        self.chat = chat
        self._listeners: set[Listener] = set()
        self._ended = asyncio.Event()
        self._ended.set()

    def __len__(self) -> int:
        return len(self._listeners)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """GET live: a WebSocket."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise Refused(503, "listeners-too-many", "this server has no place left", wait_s=10)
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            max_msg_size=FRAME_BYTES_MAX,
            compress=False,
            timeout=CLOSE_WITHIN_S,
        )
        if not socket.can_prepare(request).ok:
            raise Refused(
                426,
                "websocket-expected",
                "this address speaks WebSocket: connect with ws:// or wss://",
            )
        await socket.prepare(request)
        listener = Listener()
        self._listeners.add(listener)
        self._ended.clear()
        sending = asyncio.ensure_future(_send(listener, socket, request))
        try:
            await _Conversation(self, request, listener).hear(socket)
        finally:
            listener.drop("gone")
            self._listeners.discard(listener)
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            if not self._listeners:
                self._ended.set()
        return socket

    async def close(self) -> None:
        """Tell every page to connect again, and wait a moment until they have gone."""
        for listener in tuple(self._listeners):
            listener.drop("closing")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), CLOSE_WITHIN_S)


async def _send(listener: Listener, socket: web.WebSocketResponse, request: web.Request) -> None:
    """Send what is queued, one after the other; say why, where it is dropped."""
    try:
        while (data := await listener.next()) is not None:
            async with asyncio.timeout(SEND_WITHIN_S):
                await socket.send_frame(data, WSMsgType.TEXT)
        if listener.dropped in _REASONS:
            code, reason = _REASONS[listener.dropped]
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await socket.close(code=code, message=reason)
    except (TimeoutError, ConnectionError, RuntimeError):
        listener.drop("slow")
        if request.transport is not None:
            request.transport.abort()


class _Conversation:
    """What one page says."""

    def __init__(self, sockets: Sockets, request: web.Request, listener: Listener) -> None:
        self._sockets = sockets
        self._listener = listener
        self._address = sockets.host.address_of(request)
        self._rooms: dict[tuple[str, int], Room] = {}
        self._pace = Bucket(FRAMES_PER_SECOND, FRAMES_AT_ONCE, time.monotonic())

    async def hear(self, socket: web.WebSocketResponse) -> None:
        """Answer each message until the socket ends."""
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    return
                if self._pace.take(time.monotonic()):
                    self._listener.drop("fast")
                if self._listener.dropped is None:
                    await self._take(message.data)
        finally:
            for room in self._rooms.values():
                self._sockets.chat.leave(self._listener, room)

    async def _take(self, text: str) -> None:
        asked: Asked | None = None
        try:
            asked = _read(text)
            await self._answer(asked)
        except Refused as refused:
            self._listener.offer(frame("refused", **_about(asked), **_problem(refused)))

    async def _answer(self, asked: Asked) -> None:
        sockets, listener = self._sockets, self._listener
        if isinstance(asked, Hello):
            token = checked_token(asked.token)
            listener.session = await sockets.accounts.session(token)
            listener.offer(frame("welcome", account=address_of(listener.session.public)))
            return
        place = (asked.chain, number_of(asked.stream))
        if isinstance(asked, Leave):
            room = self._rooms.pop(place, None)
            if room is not None:
                sockets.chat.leave(listener, room)
        elif isinstance(asked, Join):
            await self._join(place)
        else:
            await self._say(place, asked)

    async def _join(self, place: tuple[str, int]) -> None:
        chat, listener = self._sockets.chat, self._listener
        if place not in self._rooms and len(self._rooms) >= ROOMS_MAX:
            raise Refused(409, "rooms-too-many", f"one page hears {ROOMS_MAX} chats: leave one")
        owned = await self._sockets.ledger.lately(*place)
        joined = await chat.join(listener, owned, place[0])
        before = self._rooms.pop(place, None)
        self._rooms[place] = joined
        if before is not None:  # who joins again is shown the latest again
            chat.rooms.leave(before)

    async def _say(self, place: tuple[str, int], asked: Say) -> None:
        said = read_said(asked.id, asked.text, asked.reply_to)
        session = self._listener.session
        if session is None:
            raise Refused(401, "token-missing", "sign in to say something")
        owned = await self._sockets.ledger.lately(*place)
        message = await self._sockets.chat.say(session, owned, place[0], said, self._address)
        if message.get("held"):
            self._listener.offer(frame("held", **_about(asked)))
        else:
            self._listener.offer(frame("said", **_about(asked), number=message["number"]))


def _read(text: str) -> Asked:
    try:
        return read_asked(text)
    except msgspec.MsgspecError as error:
        raise Refused(400, "message-invalid", f"{error}; see /docs") from None


def _about(asked: Asked | None) -> dict[str, Any]:
    """Name what an answer is to."""
    about: dict[str, Any] = {}
    if isinstance(asked, Join | Leave | Say):
        about = {"stream": asked.stream, "chain": asked.chain}
    if isinstance(asked, Say):
        about["id"] = asked.id[:64]
    return about


def _problem(refused: Refused) -> dict[str, Any]:
    problem = refused.problem
    told = {"status": problem.status, "code": problem.code, "detail": problem.detail}
    if problem.field is not None:
        told["field"] = problem.field
    if problem.retry_after_s is not None:
        told["retry_after_s"] = problem.retry_after_s
    return told
