"""`python -m measure.door_attack KIND URL SECONDS`: strangers at the door of a media server.

Only a server on this machine is attacked. Prints `{"event": "begins"}` when the first stranger
comes, goes on for so many seconds once all are there, and ends with one JSON line that says what
became of it.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from measure.load import Viewer
from measure.stand_in_relayer import STRANGER_TOKEN
from streaming.clients.rest_client import RestClient
from streaming.sfu import aiortc_adapter, rtcp

HALF_OPEN: Final = 1000
SLOW: Final = 300
FLOODERS: Final = 32
NACKS_PER_SECOND: Final = 2000
NACKED: Final = 340
"""Numbers that each of them asks for: 20 items of 17, one datagram."""
SETUP_SECONDS_MAX: Final = 30.0
ADDRESSES: Final = 20
"""The strangers come from so many addresses, where the server believes its proxy."""
DRIBBLE_S: Final = 0.5
LOOPBACK: Final = "127.0.0.1"


class Attack:
    """One kind, and its tally: what the server said to how many."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url
        self.seconds = seconds
        self.tally: collections.Counter[str] = collections.Counter()
        self._began_s = 0.0

    def begins(self) -> None:
        """Tell that the first stranger comes now."""
        print(json.dumps({"event": "begins"}), flush=True)

    def stands(self) -> None:
        """The attack is complete; it goes on for its time from now."""
        self._began_s = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return self._began_s > 0 and time.monotonic() - self._began_s >= self.seconds

    async def last(self) -> None:
        """Wait until it is over."""
        await asyncio.sleep(max(0.0, self._began_s + self.seconds - time.monotonic()))


def _from(number: int) -> str:
    return f"198.51.100.{number % ADDRESSES + 1}"


async def offer() -> str:
    """What a player would post to watch."""
    pc = aiortc_adapter.new_peer()
    for kind in ("video", "audio"):
        pc.addTransceiver(kind, direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = str(pc.localDescription.sdp)
    await pc.close()
    return sdp


async def half_open(attack: Attack) -> None:
    """Offers with a good token, of viewers who never send a datagram."""
    sdp = await offer()
    places = asyncio.Semaphore(FLOODERS)
    attack.begins()

    async def post(posting: _Posting, number: int) -> None:
        async with places:
            await posting.post("/whep/1", STRANGER_TOKEN, number)

    async with _session() as session:
        posting = _Posting(attack, session, sdp)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETUP_SECONDS_MAX):
                await asyncio.gather(*(post(posting, number) for number in range(HALF_OPEN)))
        attack.stands()
        await attack.last()


async def slow(attack: Attack) -> None:
    """Requests whose header, or whose body, comes a byte each half second."""
    where = urlsplit(attack.url)
    attack.begins()
    hanging: list[tuple[int, asyncio.StreamReader, asyncio.StreamWriter]] = []
    for number in range(SLOW):
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
        except OSError:
            attack.tally["refused connections"] += 1
            continue
        header = f"POST /whep/1 HTTP/1.1\r\nHost: {where.netloc}\r\n"
        header += f"X-Forwarded-For: {_from(number)}\r\n"
        if number % 2:
            header += f"Authorization: Bearer {STRANGER_TOKEN}\r\n"
            header += "Content-Type: application/sdp\r\nContent-Length: 30000\r\n\r\n"
        writer.write(header.encode())
        hanging.append((number, reader, writer))
    attack.stands()
    while not attack.over:
        await asyncio.sleep(DRIBBLE_S)
        for number, reader, writer in list(hanging):
            if reader.at_eof() or writer.is_closing():
                attack.tally["ended by the server"] += 1
                hanging.remove((number, reader, writer))
                continue
            with contextlib.suppress(OSError):
                writer.write(b"v" if number % 2 else b"X")
    attack.tally["still hanging at the end"] = len(hanging)
    for _, _, writer in hanging:
        writer.close()


async def posts(attack: Attack) -> None:
    """Offers without a token, and with one that is wrong, as fast as the server answers."""
    sdp = await offer()
    sdp += "a=x-padding:" + "x" * (30_000 - len(sdp)) + "\r\n"

    async def flood(posting: _Posting, number: int) -> None:
        count = number
        while not attack.over:
            count += FLOODERS
            token = None if count % 3 == 0 else f"psw_wrong-{count}"
            await posting.post("/whip/1" if number % 2 else "/whep/1", token, count)

    async with _session() as session:
        posting = _Posting(attack, session, sdp)
        attack.begins()
        attack.stands()
        await asyncio.gather(*(flood(posting, number) for number in range(FLOODERS)))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=FLOODERS))


async def nacks(attack: Attack) -> None:
    """A viewer who asks for everything again, in thousands of NACKs."""
    async with RestClient(attack.url) as rest:
        viewer = Viewer()
        await viewer.join(rest, "/whep/1", STRANGER_TOKEN)
        video = viewer.reception.kinds["video"] if viewer.reception is not None else None
        while video is None or video.media is None:  # noqa: ASYNC110  (until the first packet)
            await asyncio.sleep(0.05)
        attack.begins()
        attack.stands()
        sent, began_s = 0, time.monotonic()
        while not attack.over:
            highest = video.media.stats.highest
            numbers = [number & 0xFFFF for number in range(highest - NACKED, highest)]
            compound = rtcp.receiver_report(video.own_ssrc, [])
            compound += rtcp.negative_acknowledgement(video.own_ssrc, video.media.ssrc, numbers)
            while sent < (time.monotonic() - began_s) * NACKS_PER_SECOND:
                viewer.send_rtcp(compound)
                sent += 1
            viewer.tend()
            await asyncio.sleep(0.01)
        repair = video.repair
        attack.tally["NACKs sent"] = sent
        attack.tally["packets sent again"] = 0 if repair is None else repair.stats.received
        await viewer.close()


class _Posting:
    """Offers of one text, to be posted over a few connections."""

    def __init__(self, attack: Attack, session: aiohttp.ClientSession, sdp: str) -> None:
        self._attack, self._session, self._sdp = attack, session, sdp

    async def post(self, path: str, token: str | None, number: int) -> None:
        """Post one, and note what the server said."""
        headers = {"Content-Type": "application/sdp", "X-Forwarded-For": _from(number)}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        tally, url = self._attack.tally, self._attack.url + path
        try:
            async with self._session.post(url, data=self._sdp, headers=headers) as answer:
                await answer.read()
                tally[f"HTTP {answer.status}"] += 1
        except (aiohttp.ClientError, OSError) as error:
            tally[type(error).__name__] += 1
            await asyncio.sleep(0.01)


KINDS: Final[dict[str, Callable[[Attack], Awaitable[None]]]] = {
    "half-open": half_open,
    "slow": slow,
    "posts": posts,
    "nacks": nacks,
}


def _main(kind: str, url: str, seconds: str) -> None:
    if urlsplit(url).hostname != LOOPBACK:
        raise SystemExit(f"{url} is not on this machine: only a server on {LOOPBACK} is attacked")
    attack = Attack(url, float(seconds))
    asyncio.run(_limited(KINDS[kind](attack), attack))
    found: dict[str, Any] = {"event": "over", "tally": dict(attack.tally)}
    print(json.dumps(found), flush=True)


async def _limited(work: Awaitable[None], attack: Attack) -> None:
    async with asyncio.timeout(SETUP_SECONDS_MAX + attack.seconds + 5):
        await work


if __name__ == "__main__":
    _main(*sys.argv[1:4])
