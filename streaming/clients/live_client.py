"""What is live in a server's community, over its WebSocket, frame by frame as types."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from streaming.clients.community_client import PREFIX, new_message_id
from streaming.clients.rest_client import ClientError
from streaming.live_frames import Asked, Heard, Hello, Join, Leave, Say, read_heard

OPEN_WITHIN_S: Final = 20.0
HEARTBEAT_S: Final = 45.0
_ENDS: Final = {
    4008: ("live-slow", "this program took too long to read; connect again"),
    4029: ("live-fast", "this program said too much at once; slow down"),
    1001: ("live-closing", "the server is going down; connect again in a moment"),
}


class LiveClient:
    """One WebSocket. An async context manager, and an iterator of what is heard.

    Everything raises `ClientError`; the iteration does when the server ends it.
    """

    def __init__(self, server: str) -> None:
        self.server = server.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, connect=OPEN_WITHIN_S)
        )
        try:
            self._socket = await self._session.ws_connect(
                f"{self.server}{PREFIX}/live", heartbeat=HEARTBEAT_S
            )
        except aiohttp.WSServerHandshakeError as error:
            await self._session.close()
            raise ClientError(
                f"{self.server} has no community ({error.status}): name the server that has it",
                code="no-community",
                status=error.status,
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            await self._session.close()
            raise ClientError(
                f"the server at {self.server} cannot be reached ({error or type(error).__name__}); "
                "is `paystream serve` running there?",
                code="server-unreachable",
            ) from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def hello(self, token: str) -> None:
        """Say who it is, by a session's token; `Welcome` answers."""
        await self._say(Hello(token))

    async def join(self, stream: int, chain: str = "") -> None:
        """Hear the chat of a stream, of the chain of this name; `Joined` answers."""
        await self._say(Join(stream, chain))

    async def leave(self, stream: int, chain: str = "") -> None:
        """Hear it no more."""
        await self._say(Leave(stream, chain))

    async def say(
        self,
        stream: int,
        text: str,
        message_id: str | None = None,
        chain: str = "",
        *,
        reply_to: int | None = None,
    ) -> str:
        """Say something, after `hello`, in answer to a message (its number) or not.

        `Said`, or `Held` where it waits for a moderator, answers under the id that this gives. Give
        the id of an earlier try to say the same message again.
        """
        name = message_id or new_message_id()
        await self._say(Say(stream, name, text, chain, reply_to))
        return name

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        if self._socket is None:
            raise RuntimeError("use the client as a context manager")
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise self._ended()
        try:
            return read_heard(message.data)
        except msgspec.MsgspecError as error:
            raise ClientError(
                f"{self.server} says what this release does not know ({error}): bring both to one "
                "release",
                code="not-paystream",
            ) from None

    async def _say(self, asked: Asked) -> None:
        if self._socket is None:
            raise RuntimeError("use the client as a context manager")
        try:
            await self._socket.send_str(msgspec.json.encode(asked).decode())
        except (aiohttp.ClientError, OSError):
            raise self._ended() from None

    def _ended(self) -> ClientError:
        known: Any = None if self._socket is None else self._socket.close_code
        code, why = _ENDS.get(known, ("live-ended", "the connection has ended; connect again"))
        return ClientError(f"{self.server}: {why}", code=code)
