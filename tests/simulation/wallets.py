"""Viewers and their wallets: they sign in, grant, join, reload, zap, leave and vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from offchain.keys.signer import LocalKey, dev_key
from offchain.ledger.types import NATIVE, DelegateKey, Terms
from streaming.session_state import Problem
from tests import model
from tests.relayer.fake_chain import BASE_MS, account, modelled, sign_text
from tests.simulation.media_server import MediaServer, Watching

if TYPE_CHECKING:
    from tests.simulation.world import World

GRANT_LASTS_MS = 10**10


class Viewer:
    """One viewer with a wallet."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.address = account(name)
        self.key: LocalKey = dev_key(name)
        self.token: str | None = None
        self.problems: list[Problem] = []
        """Why the relayer would not let this viewer in, each time."""

    async def sign_in(self, server: MediaServer | None = None) -> bytes | None:
        """Prove the account, and give the key that is to be granted; None where it fails."""
        server = server or self.world.server
        answer = await server.ask("challenge", account=self.address, purpose="watch")
        if answer.problem is not None:
            self._refused(answer.problem)
            return None
        challenge = answer.result
        signature = sign_text(self.key, challenge["message"])
        answer = await server.ask("token", challenge=challenge["challenge"], signature=signature)
        if answer.problem is not None:
            self._refused(answer.problem)
            return None
        self.token = answer.result["token"]
        return bytes.fromhex(challenge["delegate"][2:])

    def _refused(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.world.story.tell("refused", viewer=self.name, code=problem.code)

    def grant(self, public: bytes, **terms: Any) -> None:
        """Grant a key in the next block."""
        given = {
            "rate_max_per_second": 10**6,
            "cap": 10**12,
            "sessions_max": 1,
            "gap_ms": 120_000,
            "expires_at": BASE_MS + GRANT_LASTS_MS,
        } | terms
        key = DelegateKey(scheme="sr25519", public=public)
        wanted = modelled(model.Terms, Terms(**given))
        self.world.chain.call(lambda ledger: ledger.grant(self.address, key, key, wanted))

    async def ready(
        self, *, vault: int | None = None, server: MediaServer | None = None, **terms: Any
    ) -> Viewer:
        """Be somebody who can watch: with money, a token and a grant that is in a block."""
        self.world.chain.add_money(self.name, 3_600_000 if vault is None else vault)
        public = await self.sign_in(server)
        assert public is not None, self.problems
        self.grant(public, **terms)
        await self.world.blocks(1)
        return self

    def grants(self) -> dict[int, model.Grant]:
        """Give this viewer's grants on the ledger."""
        grants = self.world.chain.ledger().grants
        return {number: each for number, each in grants.items() if each.viewer == self.address}

    def revoke(self) -> None:
        """End every grant in the next block."""
        for number in self.grants():
            self.world.chain.call(lambda ledger, n=number: ledger.revoke(self.address, n))  # type: ignore[misc]

    def withdraw_all(self) -> None:
        """Take everything out of the vault in the next block."""
        who = self.address
        self.world.chain.call(
            lambda ledger: ledger.withdraw(who, NATIVE, ledger.vault(who, NATIVE))
        )

    def deposit(self, amount: int) -> None:
        """Put more into the vault in the next block."""
        self.world.chain.call(lambda ledger: ledger.deposit(self.address, NATIVE, amount))

    async def join(
        self, stream: int = 1, *, server: MediaServer | None = None, resume: str | None = None
    ) -> Watching | None:
        """Ask to watch a stream; None where the relayer refuses."""
        server = server or self.world.server
        if resume is None:
            self.world.judges.asked(self.address, stream)
        answer = await server.ask("admit", token=self.token or "", stream=stream, resume=resume)
        if resume is None:  # meanwhile the price may have changed
            self.world.judges.asked(self.address, stream)
        if answer.problem is not None:
            self._refused(answer.problem)
            return None
        if server.crashed:
            return None
        watching = server.attach(self.address, stream, answer.result)
        self.world.attached(watching, resume)
        self.world.story.tell(
            "watches",
            viewer=self.name,
            stream=stream,
            session=watching.ref,
            number=watching.number,
        )
        return watching

    async def watch(self, stream: int = 1, *, server: MediaServer | None = None) -> Watching:
        """Watch a stream, asking again until it is possible."""
        with trio.move_on_after(120):
            while True:
                watching = await self.join(stream, server=server)
                if watching is not None:
                    return watching
                await trio.sleep(1)
        raise AssertionError(f"{self.name} is not let in: {self.problems[-1]}")
