"""What our publisher and our viewer share: peer connections as clients make them."""

from __future__ import annotations

import asyncio
import contextlib

from aiortc import RTCPeerConnection, RTCSessionDescription

from streaming.clients.rest_client import ClientError, RestClient
from streaming.sfu import aiortc_adapter

CONNECT_WITHIN_S = 10.0
CLOSE_WITHIN_S = 1.5
SLOW_ANSWERS_MAX = 5


async def exchange(
    pc: RTCPeerConnection,
    rest: RestClient,
    path: str,
    token: str,
    headers: dict[str, str] | None = None,
) -> dict[str, str]:
    """Offer, post, apply the answer. Returns the response's headers. Raises `ClientError`."""
    await pc.setLocalDescription(await pc.createOffer())
    aiortc_adapter.read_little(pc)
    _, answered, answer = await rest.call(
        "POST", path, token=token, data=pc.localDescription.sdp, headers=headers
    )
    try:
        await pc.setRemoteDescription(RTCSessionDescription(sdp=str(answer), type="answer"))
    except Exception as error:
        raise ClientError(
            f"the server's answer cannot be used ({error})", code="answer-invalid"
        ) from None
    return answered


def gone(pc: RTCPeerConnection) -> asyncio.Event:
    """An event that is set when the connection has failed or was closed by the other side."""
    event = asyncio.Event()

    def look() -> None:
        if pc.connectionState in ("failed", "closed"):
            event.set()

    pc.on("connectionstatechange", look)
    return event


async def connected(pc: RTCPeerConnection, lost: asyncio.Event) -> None:
    """Wait until media can flow. Raises `ClientError` (code `media-unreachable`)."""
    up = asyncio.Event()

    def look() -> None:
        if pc.connectionState == "connected":
            up.set()

    pc.on("connectionstatechange", look)
    look()
    waits = [asyncio.ensure_future(event.wait()) for event in (up, lost)]
    await asyncio.wait(waits, timeout=CONNECT_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if pc.connectionState != "connected":
        raise ClientError(
            "no media connection came about; is the server's UDP reachable (--ice-host)?",
            code="media-unreachable",
        )


async def close(pc: RTCPeerConnection) -> None:
    """Close a peer connection, not waiting for ever."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(pc.close(), CLOSE_WITHIN_S)


class ServerWatch:
    """Whether the server that we knew is still the one that answers."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._known: str | None = None
        self._slow = 0

    async def gone(self) -> bool:
        """Ask it. A server that is merely slow is there, unless it is so five times running."""
        try:
            found = str((await self._rest.health()).get("boot_id"))
        except ClientError as error:
            if error.code != "server-slow":
                return True
            self._slow += 1
            return self._slow >= SLOW_ANSWERS_MAX
        self._slow = 0
        known, self._known = self._known, found
        return known is not None and known != found

    async def meet(self) -> None:
        """Remember the server that answers now."""
        self._known = None
        self._slow = 0
        await self.gone()


def forget_cancellation() -> None:
    """Go on after a cancellation that was a request to stop, not to drop everything."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
