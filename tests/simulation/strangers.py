"""Strangers who ask for as much as they can: challenges, tokens, prepared transactions."""

from __future__ import annotations

import random
from typing import Any, Final

import trio

from tests.relayer.fake_chain import account
from tests.simulation.wallets import Viewer
from tests.simulation.world import World

STRANGE_CALLS: Final = ("challenges", "tokens", "prepares", "nonsense")
AT_A_TIME: Final = 60
NONSENSE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("admit", {"token": "psw_" + "x" * 40, "stream": 1}),
    ("admit", {"token": "", "stream": -1, "resume": "y" * 4_000}),
    ("stream", {"stream": 2**70}),
    ("token", {"challenge": "z" * 5_000, "signature": "0x00"}),
    ("close_session", {"token": "psw_0", "grant": 0, "index": 0}),
    ("wallet_submit", {"submission": "nothing", "signature": "0x" + "00" * 64}),
    ("no-such-method", {}),
)


class Stranger:
    """Somebody whom nobody knows."""

    def __init__(self, world: World, numbers: random.Random) -> None:
        self.world = world
        self.numbers = numbers

    async def ask_for_much(self, kind: str) -> None:
        """Ask many times in a row."""
        for _ in range(AT_A_TIME):
            await self._ask(kind)
            await trio.sleep(0.01)

    async def _ask(self, kind: str) -> None:
        server = self.world.server
        name = f"Stranger{self.numbers.randrange(10**6)}"
        match kind:
            case "challenges":
                await server.ask("challenge", account=account(name), purpose="watch")
            case "tokens":
                await Viewer(self.world, name).sign_in(server)
            case "prepares":
                call = {"kind": "revoke", "grant": self.numbers.randrange(1_000)}
                viewer = self.numbers.choice(self.world.viewers)
                await server.ask("wallet_prepare", account=viewer.address, call=call)
            case "nonsense":
                method, params = self.numbers.choice(NONSENSE)
                await server.ask(method, **params)
