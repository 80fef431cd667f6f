"""What viewers do all day: they come, watch, stand still, reload, zap, leave and vanish."""

from __future__ import annotations

import random
from typing import Final

import trio

from streaming.session_state import Problem
from tests.simulation.media_server import WITHHELD_MS, MediaServer, Watching
from tests.simulation.wallets import Viewer

AWAY_S: Final = 150.0
"""The mean time between two visits."""
STAYS_S: Final = 70.0
"""The mean time for which somebody watches."""
GIVES_UP_AFTER: Final = 6
"""Attempts to get in."""
GAPS_MS: Final = (30_000, 60_000, 120_000)


class Habits:
    """One viewer's day."""

    def __init__(self, viewer: Viewer, numbers: random.Random, away_s: float = AWAY_S) -> None:
        self._away_s = away_s
        self.viewer = viewer
        self.world = viewer.world
        self.numbers = numbers

    async def run(self) -> None:
        """Live for ever."""
        self.world.chain.add_money(self.viewer.name, self._purse())
        while True:
            await trio.sleep(self.numbers.expovariate(1 / self._away_s))
            watching = await self._come_in(self._stream())
            while watching is not None:
                watching = await self._watch(watching)

    def _purse(self) -> int:
        """Draw what is in the vault: for hours, or for less than a visit."""
        return self.numbers.choice((30_000, 200_000, 10**8))

    def _stream(self) -> int:
        return self.numbers.choice((1, 1, 2))

    def _server(self) -> MediaServer:
        return self.numbers.choice(list(self.world.servers.values()))

    # --- coming in -------------------------------------------------------------------------

    async def _come_in(self, stream: int, resume: str | None = None) -> Watching | None:
        for _ in range(GIVES_UP_AFTER):
            server = self._server()
            if self.viewer.token is None:
                await self.viewer.sign_in(server)
            else:
                watching = await self.viewer.join(stream, server=server, resume=resume)
                if watching is not None:
                    return watching
                await self._mend(self.viewer.problems[-1], server)
            await trio.sleep(self.numbers.uniform(0.5, 8))
        return None

    async def _mend(self, problem: Problem, server: MediaServer) -> None:
        """Do what the relayer's refusal asks for."""
        if problem.status == 401:
            self.viewer.token = None
        elif problem.status == 402:
            missing = (problem.terms or {}).get("missing", [])
            if "funds" in missing:
                self.viewer.deposit(self._purse())
            if set(missing) - {"funds"}:
                await self._grant_anew(server)
            await trio.sleep(2.5)

    async def _grant_anew(self, server: MediaServer) -> None:
        self.viewer.revoke()
        public = await self.viewer.sign_in(server)
        if public is not None:
            self.viewer.grant(
                public,
                sessions_max=self.numbers.choice((1, 1, 2, 3)),
                gap_ms=self.numbers.choice(GAPS_MS),
                cap=self.numbers.choice((60_000, 10**9)),
            )

    # --- watching --------------------------------------------------------------------------

    async def _watch(self, watching: Watching) -> Watching | None:
        """Watch for a while; what is given is watched next."""
        until = trio.current_time() + self.numbers.expovariate(1 / STAYS_S)
        while trio.current_time() < until and not (watching.final or watching.gone):
            await trio.sleep(self.numbers.uniform(0.2, 20))
            if self.numbers.random() < 0.1:
                await self._stand_still(watching)
        match self.numbers.choices(
            ("leaves", "vanishes", "reloads", "zaps", "opens another"), (5, 2, 2, 2, 1)
        )[0]:
            case "leaves":
                watching.end("left")
            case "vanishes":
                watching.end("vanished")
            case "reloads":
                watching.end(self.numbers.choice(("left", "vanished")))
                return await self._come_in(watching.stream, watching.resume)
            case "zaps":
                watching.end("left")
                return await self._come_in(3 - watching.stream)
            case "opens another":
                other = await self._come_in(self._stream())
                watching.end("left")
                return other
        return None

    async def _stand_still(self, watching: Watching) -> None:
        """Let nothing come for a while; now and then for longer than the gap."""
        watching.advance(int(trio.current_time() * 1000))
        watching.frozen = True
        if self.numbers.random() < 0.3:
            # what was confirmed has come, and stays so
            open_ms = max(0, watching.held_ms - watching.told_ms - WITHHELD_MS)
            watching.lost_ms += min(self.numbers.randint(0, 700), open_ms)
        await trio.sleep(self.numbers.choice((1, 4, 20, 140)))
        watching.advance(int(trio.current_time() * 1000))
        watching.frozen = False
