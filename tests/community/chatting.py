"""A page's end of the WebSocket."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.community.people import COMMUNITY, Person
from tests.http.rig import HttpRig

WITHIN_S = 10.0
"""For the worst of machines; nothing waits that long for what comes."""


class Page:
    """Connected, and perhaps signed in."""

    def __init__(self, rig: HttpRig, person: Person | None = None) -> None:
        self._rig = rig
        self._person = person
        self.socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> Self:
        url = self._rig.url.replace("http", "ws", 1) + f"{COMMUNITY}/live"
        self.socket = await self._rig.client.ws_connect(url)
        if self._person is not None:
            await self.send("hello", token=self._person.token)
            assert (await self.hear("welcome"))["account"] == self._person.account
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.socket.receive(), WITHIN_S)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return dict(json.loads(message.data))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message, which is of this kind."""
        heard = await self.next()
        assert heard["type"] == kind, heard
        return heard

    async def join(self, stream: int = 1) -> dict[str, Any]:
        await self.send("join", stream=stream)
        return await self.hear("joined")

    async def say(self, text: str, number: int, stream: int = 1) -> None:
        await self.send("say", stream=stream, id=f"message-{number:08}", text=text)

    async def refused(self) -> tuple[int, str]:
        heard = await self.hear("refused")
        assert heard["detail"]
        return heard["status"], heard["code"]

    async def ended(self) -> int:
        """The code with which the server closes, after whatever it says before."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), WITHIN_S)
            if message.type is not aiohttp.WSMsgType.TEXT:
                assert self.socket.close_code is not None
                return self.socket.close_code
