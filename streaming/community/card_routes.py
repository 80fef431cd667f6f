"""The paths of a stream's card, for each chain."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.accounts import ClockMs
from streaming.community.cards import Cards
from streaming.community.host import Host
from streaming.community.ledger import PAGE_STREAMS_MAX, Ledger, Part, query_part, stream_in
from streaming.community.refusal import too_often
from streaming.community.searching import Wanted, read_wanted
from streaming.pace import Clock, Pace

CHANGES_PER_MINUTE: Final = 30
"""Of one address: cards prepared and kept."""
PAGES_SEARCHED_MAX: Final = 4
"""Pages of streams that one search looks through; who wants more goes on from `next`."""


class CardRoutes:
    """Handlers of `streams/{stream}/card` and `cards`."""

    def __init__(
        self,
        host: Host,
        ledger: Ledger,
        accounts: AccountRoutes,
        cards: Cards,
        *,
        clock: Clock,
        wall: ClockMs,
    ) -> None:
        self._host = host
        self._ledger = ledger
        self._accounts = accounts
        self._cards = cards
        self._wall = wall
        self._changes = Pace(CHANGES_PER_MINUTE / 60, CHANGES_PER_MINUTE, clock)

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The paths below `prefix`."""
        path = f"{prefix}/streams/{{stream}}/card"
        return [
            web.get(path, self.card),
            web.post(path, self.prepare),
            web.put(path, self.keep),
            web.delete(path, self.remove),
            web.get(f"{prefix}/cards", self.cards),
        ]

    async def cards(self, request: web.Request) -> web.Response:
        """GET cards: what `streams` says of a page of streams where it is of the same server, or
        those of them that a query looks for."""
        chain, part = request.match_info.get("chain", ""), query_part(request)
        wanted = read_wanted(request.query, self._wall())
        if wanted is None:
            listed, following = await self._page(chain, part)
        else:
            listed, following = await self._search(chain, part, wanted)
        return answer({"cards": listed, "next": following})

    async def _page(self, chain: str, part: Part) -> tuple[list[dict[str, Any]], int | None]:
        page = await self._ledger.page(chain, part)
        known = await self._cards.listed(page.owned)
        return [{"stream": one.key.number, **known[one.key]} for one in page.owned], page.next

    async def _search(
        self, chain: str, part: Part, wanted: Wanted
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Look through some pages of streams, which are the same for all who search."""
        found: list[dict[str, Any]] = []
        following = part.after
        for _ in range(PAGES_SEARCHED_MAX):
            page = dataclasses.replace(part, after=following, limit=PAGE_STREAMS_MAX)
            listed, following = await self._page(chain, page)
            for one in listed:
                if not wanted.fits(one):
                    continue
                if len(found) == part.limit:
                    return found, found[-1]["stream"]
                found.append(one)
            if following is None:
                break
        return found, following

    async def card(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/card."""
        return answer(await self._cards.of(await self._ledger.lately(*stream_in(request))))

    async def prepare(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/card: the text that its owner is to sign. Keeps nothing."""
        self._take_change(request)
        body = await self._host.json_of(request)
        owned = await self._ledger.now(*stream_in(request))  # the text names the owner
        return answer(self._cards.prepared(owned, body))

    async def keep(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/card."""
        self._take_change(request)
        body = await self._host.json_of(request)
        return answer(await self._cards.keep(await self._ledger.now(*stream_in(request)), body))

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/card."""
        session = await self._accounts.session(request)
        await self._cards.remove(await self._ledger.now(*stream_in(request)), session)
        return answer({"removed": True})

    def _take_change(self, request: web.Request) -> None:
        wait_s = self._changes.take(self._host.address_of(request))
        if wait_s:
            raise too_often(
                f"your address changes more than {CHANGES_PER_MINUTE} cards a minute", wait_s
            )
