"""A relayer on a fake chain, with a media server and a viewer that do as they are told.

The clock jumps, so the journal writes inline: no threads take part.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from offchain.journal import open_journal
from offchain.keys.signer import LocalKey, dev_key
from offchain.relayer.keyring import Keyring, MemoryKeyring
from offchain.relayer.requests import Requests
from offchain.relayer.run import Relayer, assembled
from streaming.session_state import (
    ConnectionState,
    Lease,
    Problem,
    PublisherState,
    Request,
    Response,
    SessionRef,
    States,
)
from tests.relayer.fake_chain import BASE_MS, FakeChain, account, sign_text

ORIGIN = "https://live.example"
RATE = 1000


def unix_ms() -> int:
    return BASE_MS + int(trio.current_time() * 1000)


@dataclass
class Watching:
    """One connection of a viewer, as the media server sees it."""

    connection: str
    ref: SessionRef
    number: int
    resume: str
    delivered_ms: int = 0
    forwarded_ms: int = 0
    unconfirmed_ms: int = 0
    playing: bool = True
    frozen: bool = False
    final: bool = False
    end_reason: str | None = None
    acknowledged: bool = False
    lease: Lease | None = None
    denied_at: float | None = None
    history: list[Lease] = field(default_factory=list)

    def state(self) -> ConnectionState:
        return ConnectionState(
            connection=self.connection,
            session=self.ref,
            number=self.number,
            delivered_ms=self.delivered_ms,
            forwarded_ms=max(self.forwarded_ms, self.delivered_ms),
            unconfirmed_ms=self.unconfirmed_ms,
            final=self.final,
            end_reason=self.end_reason,
        )


class Server:
    """A media server that delivers every millisecond that its leases allow."""

    def __init__(self, rig: Rig, boot_id: str = "boot-1") -> None:
        self.rig = rig
        self.boot_id = boot_id
        self.connections: list[Watching] = []
        self.publishers: list[PublisherState] = []
        self.publishers_denied: dict[str, str] = {}
        self.silent = False
        self._names = itertools.count(1)
        self._sequence = itertools.count(1)

    def greet(self) -> None:
        self.rig.relayer.leaser.greet(self.boot_id)

    def attach(self, admitted: dict[str, Any]) -> Watching:
        ref = SessionRef(admitted["session"]["grant"], admitted["session"]["index"])
        name = f"{self.boot_id}-c{next(self._names)}"
        watching = Watching(name, ref, admitted["number"], admitted["resume"])
        self.connections.append(watching)
        return watching

    def leave(self, watching: Watching, reason: str = "left") -> None:
        watching.final = True
        watching.unconfirmed_ms = 0
        watching.end_reason = reason

    async def run(self) -> None:
        """Deliver and report twice a second."""
        while True:
            await trio.sleep(0.5)
            for watching in self.connections:
                if watching.playing and not (watching.frozen or watching.final):
                    watching.delivered_ms += 500
            if not self.silent and self.rig.relayer_up:
                self.report()

    def report(self) -> None:
        live = [watching for watching in self.connections if not watching.acknowledged]
        states = States(
            sequence=next(self._sequence),
            connections=[watching.state() for watching in live],
            publishers=self.publishers,
        )
        answer = self.rig.relayer.leaser.answer(states, self.boot_id)
        by_name = {watching.connection: watching for watching in live}
        for lease in answer.leases:
            watching = by_name[lease.connection]
            watching.lease = lease
            watching.history.append(lease)
            if not watching.final:
                watching.playing = lease.allowed
            if not lease.allowed and not lease.wait and not watching.final:
                watching.denied_at = trio.current_time()
                self.leave(watching, "denied")
        for name in answer.acknowledged:
            by_name[name].acknowledged = True
        self.publishers_denied = answer.publishers_denied


class Rig:
    """The whole of it. `start` and `crash` may be called in turns over one journal."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        self.path = path
        self.nursery = nursery
        self.chain = FakeChain()
        self.keyring: Keyring = MemoryKeyring()
        self.batch_signer: LocalKey | None = None
        self.server = Server(self)
        self._scope: trio.CancelScope | None = None
        self._relayer: Relayer | None = None
        self._ids = itertools.count(1)

    @property
    def relayer_up(self) -> bool:
        return self._relayer is not None

    @property
    def relayer(self) -> Relayer:
        assert self._relayer is not None
        return self._relayer

    async def start(self) -> None:
        await self.nursery.start(self._run)
        self.server.greet()
        while not self.relayer.core.view.usable:  # noqa: ASYNC110
            await trio.sleep(0.1)

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope() as self._scope:
            async with (
                open_journal(self.path, inline=True) as journal,
                assembled(
                    self.chain,
                    journal,
                    self.keyring,
                    unix_ms=unix_ms,
                    batch_signer=self.batch_signer,
                ) as self._relayer,
                trio.open_nursery() as self._asked,
            ):
                task_status.started()
                await trio.sleep_forever()
        self._relayer = None

    async def crash(self) -> None:
        """Stop without a last flush, as SIGKILL does."""

        async def nothing(*, probe: bool = False) -> None:
            await trio.lowlevel.checkpoint()

        self.relayer.core.keeper.flush = nothing  # type: ignore[method-assign]
        await self.stop()

    async def stop(self) -> None:
        assert self._scope is not None
        self._scope.cancel()
        while self._relayer is not None:
            await trio.lowlevel.checkpoint()

    # --- what viewers do -------------------------------------------------------------------

    async def ask(self, method: str, **params: Any) -> Response:
        request = Request(id=next(self._ids), method=method, params=params)
        send, receive = trio.open_memory_channel[Response](1)

        async def answer(requests: Requests) -> None:
            async with send:
                await send.send(await requests.answer(request, ORIGIN))

        # it runs in the relayer, and dies with it
        self._asked.start_soon(answer, self.relayer.requests)
        try:
            return await receive.receive()
        except trio.EndOfChannel:
            gone = Problem(status=503, code="relayer-gone", detail="the relayer has gone away")
            return Response(id=request.id, problem=gone)

    async def result(self, method: str, **params: Any) -> Any:
        response = await self.ask(method, **params)
        assert response.problem is None, response.problem
        return response.result

    async def token(self, name: str, purpose: str = "watch", stream: int | None = None) -> str:
        asked: dict[str, Any] = {"account": account(name), "purpose": purpose}
        if stream is not None:
            asked["stream"] = stream
        challenge = await self.result("challenge", **asked)
        signed = await self.result(
            "token",
            challenge=challenge["challenge"],
            signature=sign_text(dev_key(name), challenge["message"]),
        )
        return str(signed["token"])

    async def ready_viewer(
        self, name: str = "Alice", *, vault: int = RATE * 3600, **terms: Any
    ) -> str:
        """Give a viewer funds and a grant of the relayer's key, and return a token."""
        challenge = await self.result("challenge", account=account(name), purpose="watch")
        public = bytes.fromhex(challenge["delegate"][2:])
        token = await self.token(name)
        self.chain.add_funds(name, vault)
        self.chain.add_grant(name, public, **terms)
        return token

    async def watch(self, token: str, stream: int = 1, resume: str | None = None) -> Watching:
        admitted = await self.result("admit", token=token, stream=stream, resume=resume)
        return self.server.attach(admitted)

    async def until(self, condition: Any, seconds: float = 120.0) -> None:
        with trio.fail_after(seconds):
            while not condition():  # noqa: ASYNC110
                await trio.sleep(0.1)

    def earned(self, stream: int = 1) -> int:
        return self.chain.state.streams[stream].earned_total // RATE

    def closed(self, watching: Watching) -> bool:
        ref = (watching.ref.grant, watching.ref.index)
        return ref not in self.chain.final.state.sessions


@asynccontextmanager
async def rig(path: Path, *, started: bool = True) -> AsyncIterator[Rig]:
    async with trio.open_nursery() as nursery:
        made = Rig(path / "state" / "journal.sqlite", nursery)
        made.chain.add_stream(1, rate=RATE)
        nursery.start_soon(made.chain.run)
        if started:
            await made.start()
        nursery.start_soon(made.server.run)
        yield made
        if made.relayer_up:
            await made.stop()
        nursery.cancel_scope.cancel()
