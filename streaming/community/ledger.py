"""What the community knows of the ledger: it asks the relayer, and remembers it for a while.

A stream is named by its chain's genesis and its number, which stay when an operator gives the
chain another name.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiohttp import web

from streaming.community.addresses import address_of, public_of
from streaming.community.host import Host
from streaming.community.refusal import Refused
from streaming.pace import Clock

REMEMBERED_S: Final = 10.0
"""For so long an owner is believed for what is only shown; changes ask anew."""
GENESIS_REMEMBERED_S: Final = 60.0
PAGE_REMEMBERED_S: Final = 2.0
"""For so long a page of streams: everybody who looks at the list asks for the same ones."""
PAGES_MAX: Final = 64
PAGE_STREAMS_MAX: Final = 500
STREAMS_MAX: Final = 4_096
UNAVAILABLE: Final = 500
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
"""Fits into the tables' integers; the ledger counts streams from 0."""
_QUERY: Final = re.compile(r"[0-9]{1,18}")
IDS_NAMED_MAX: Final = 100
"""Streams that one question may name."""


class StreamKey(NamedTuple):
    """A stream as the tables name it."""

    genesis: str
    number: int


@dataclass(frozen=True)
class Owned:
    """A stream and who owns it."""

    key: StreamKey
    owner: bytes


@dataclass(frozen=True)
class Page:
    """Streams in a row, by number."""

    owned: tuple[Owned, ...]
    next: int | None
    """After which number the next page begins, if there is one."""


@dataclass(frozen=True)
class Part:
    """Which streams are asked for: `limit` of them, above `after`."""

    after: int | None
    limit: int
    owner: str | None = None
    """An address: its streams alone."""
    ids: tuple[int, ...] | None = None
    """Those of these numbers alone."""

    def params(self) -> dict[str, Any]:
        """Give it as the relayer is asked."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass
class _Known:
    owned: Owned
    at_s: float


def number_of(value: object) -> int:
    """Give a stream's number, as text or as it is. Raises `Refused` (404)."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(text):
        raise Refused(404, "stream-not-found", "streams have numbers: give one", field="stream")
    return int(text)


def stream_in(request: web.Request) -> tuple[str, int]:
    """Give the chain's name and the stream's number in a path. Raises `Refused` (404)."""
    return request.match_info.get("chain", ""), number_of(request.match_info["stream"])


async def owned_now(ledger: Ledger, request: web.Request) -> tuple[Owned, str]:
    """Ask who owns the stream in a path, and name its chain. Raises `Refused`."""
    chain, number = stream_in(request)
    return await ledger.now(chain, number), chain


def query_number(request: web.Request, name: str) -> int | None:
    """Give a whole number of the query, None where it is not named. Raises `Refused` (400)."""
    text = request.query.get(name)
    if text is None:
        return None
    if not _QUERY.fullmatch(text):
        raise Refused(400, "query-invalid", f"`{name}` is no whole number", field=name)
    return int(text)


def query_ids(request: web.Request) -> tuple[int, ...] | None:
    """Give the streams' numbers in `ids`, None where they are not named. Raises `Refused` (400)."""
    text = request.query.get("ids")
    if text is None:
        return None
    parts = text.split(",", IDS_NAMED_MAX)
    if len(parts) > IDS_NAMED_MAX or not all(_QUERY.fullmatch(each) for each in parts):
        raise Refused(
            400,
            "query-invalid",
            f"`ids` is at most {IDS_NAMED_MAX} streams' numbers with commas between, such as 1,5",
            field="ids",
        )
    return tuple(sorted({int(each) for each in parts}))


def query_part(request: web.Request) -> Part:
    """Give which streams the query asks for. Raises `Refused` (400)."""
    limit, owner = query_number(request, "limit"), request.query.get("owner")
    return Part(
        after=query_number(request, "after"),
        limit=max(1, min(PAGE_STREAMS_MAX if limit is None else limit, PAGE_STREAMS_MAX)),
        owner=None if owner is None else address_of(public_of(owner, "owner")),
        ids=query_ids(request),
    )


class Ledger:
    """Owners of streams, by the relayer's word."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._known: OrderedDict[tuple[str, int], _Known] = OrderedDict()
        self._asking: dict[tuple[str, int], asyncio.Task[Owned]] = {}
        self._genesis: dict[str, tuple[float, str]] = {}
        self._pages: OrderedDict[tuple[str, Part], tuple[float, Page]] = OrderedDict()

    async def check(self) -> None:
        """Ask anew. Raises `Refused` where nobody answers."""
        await self._host.ask("info", {}, "")

    async def genesis(self, chain: str) -> str:
        """Give the genesis hash of the chain of this name. Raises `Refused`."""
        known = self._genesis.get(chain)
        if known is None or self._clock() - known[0] > GENESIS_REMEMBERED_S:
            info = await self._host.ask("info", {}, chain)
            known = self._genesis[chain] = (self._clock(), str(info["genesis_hash"]))
        return known[1]

    async def now(self, chain: str, number: int) -> Owned:
        """Give a stream's owner as the ledger has it at this moment. Raises `Refused`."""
        place = (chain, number)
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.ensure_future(self._ask(chain, number))
            task.add_done_callback(lambda _task: self._asking.pop(place, None))
        return await asyncio.shield(task)

    async def lately(self, chain: str, number: int) -> Owned:
        """Give the same as it was some seconds ago, or, where no relayer answers, as it was last.

        Raises `Refused`.
        """
        known = self._known.get((chain, number))
        if known is not None and self._clock() - known.at_s <= REMEMBERED_S:
            return known.owned
        try:
            return await self.now(chain, number)
        except Refused as refused:
            if known is None or refused.problem.status < UNAVAILABLE:
                raise
            return known.owned

    async def page(self, chain: str, part: Part) -> Page:
        """Give streams and their owners as they were a moment ago. Raises `Refused`."""
        name = (chain, part)
        known = self._pages.get(name)
        if known is not None and self._clock() - known[0] <= PAGE_REMEMBERED_S:
            return known[1]
        answer: Any = await self._host.ask("streams", part.params(), chain)
        genesis = await self.genesis(chain)
        owned = tuple(
            Owned(StreamKey(genesis, one["id"]), public_of(one["owner"]))
            for one in answer["streams"][: part.limit]
        )
        page = Page(owned, answer.get("next"))
        self._pages[name] = (self._clock(), page)
        self._pages.move_to_end(name)
        if len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)
        return page

    async def _ask(self, chain: str, number: int) -> Owned:
        answer: Any = await self._host.ask("stream", {"stream": number}, chain)
        key = StreamKey(await self.genesis(chain), number)
        owned = Owned(key, public_of(answer["owner"]))
        self._known[chain, number] = _Known(owned, self._clock())
        self._known.move_to_end((chain, number))
        if len(self._known) > STREAMS_MAX:
            self._known.popitem(last=False)
        return owned
