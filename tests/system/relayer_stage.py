"""Relayers as processes on one database and one signer, each with its own cable to the database."""

from __future__ import annotations

import hashlib
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import trio

from offchain.ledger.client import Ledger, open_ledger
from rough_day.cable import Cable
from streaming.session_state import LEASE_MS, Leases, Problem, Response
from tests.journal.database import Server, running
from tests.system.node_process import REPOSITORY, NodeProcess
from tests.system.test_relayer import Meter, RelayerProcess

NAMES = ("one", "two", "three")


class Shared(RelayerProcess):
    """`paystream relay` as one of several, which reaches the database by `cable` alone."""

    def __init__(self, name: str, url: str, directory: Path, signer: Path, cable: Cable) -> None:
        super().__init__(url, directory / name)
        self.name = name
        self.cable = cable
        self._signer = signer

    @property
    def journal_url(self) -> Path:
        return self.directory.parent / f"{self.name}-journal-url"

    async def end_by(self, how: signal.Signals) -> int:
        """End it, while its cable still carries what it writes last."""
        with trio.CancelScope(shield=True):
            code = await trio.to_thread.run_sync(self.end, how)
        return code  # noqa: RET504 (mypy sees no end of the block otherwise)

    @property
    def log(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.log"

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    sys.executable, "-m", "offchain.cli", "relay", "--chain", self.url,
                    "--state-dir", str(self.directory), "--socket", str(self.socket),
                    "--journal-url-file", str(self.journal_url), "--signer", str(self._signer),
                    "--relayer-id", self.name,
                ],
                cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip


class Lines(Meter):
    """A media server that is linked to several relayers, as `streaming/http/links.py` is."""

    def __init__(self, relayers: list[Shared], nursery: trio.Nursery) -> None:
        super().__init__(relayers[0], nursery)
        self.lines = {relayer.name: _Line(relayer, nursery, self) for relayer in relayers}
        self._until: dict[str, float] = {}
        """Until when each connection may go on."""
        self.denied: list[str] = []

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for line in self.lines.values():
                nursery.start_soon(line.run)

    def heard(self, name: str, leases: Leases) -> None:
        for lease in leases.leases:
            self.leases[lease.connection] = lease
            lease_ms = leases.lease_ms if lease.lease_ms is None else lease.lease_ms
            self._until[lease.connection] = trio.current_time() + lease_ms / 1000
            if not lease.allowed and not lease.wait and not self.states[lease.connection]["final"]:
                self.denied.append(f"{name} denies {lease.connection}: {lease.reason}")
        self.acknowledged |= set(leases.acknowledged)

    async def ask(self, method: str, **params: Any) -> Any:
        """Ask until a relayer answers: what is held by a dead one is so for some seconds."""
        with trio.fail_after(40):
            while True:
                problem = None
                for line in self._order(params):
                    answer = await line.asked(method, params)
                    if answer is None:
                        continue
                    if answer.problem is None:
                        return answer.result
                    problem = answer.problem
                    if problem.code not in {"challenge-unknown", "submission-unknown"}:
                        assert problem.status in (429, 503), problem
                await trio.sleep(_wait_s(problem))

    def _order(self, params: dict[str, Any]) -> list[_Line]:
        who = str(params.get("token") or params.get("account") or "")

        def rank(line: _Line) -> bytes:
            return hashlib.sha256(f"{line.name} {who}".encode()).digest()

        return sorted(self.lines.values(), key=rank)

    def goes_on(self, name: str) -> bool:
        """Tell whether a connection's media is delivered at this moment."""
        lease, now = self.leases.get(name), trio.current_time()
        until = self._until.setdefault(name, now + LEASE_MS / 1000)
        return now < until and not (lease is not None and lease.wait)

    async def deliver(self) -> None:
        for sequence in itertools.count(1):
            await trio.sleep(0.5)
            for name, state in self.states.items():
                if not state["final"] and self.goes_on(name):
                    state["delivered_ms"] += 500
            for line in self.lines.values():
                await line.tell(sequence)


def _wait_s(problem: Problem | None) -> float:
    return 0.5 if problem is None or problem.retry_after_s is None else problem.retry_after_s / 3


class _Line(Meter):
    """One link of several."""

    def __init__(self, relayer: Shared, nursery: trio.Nursery, whole: Lines) -> None:
        super().__init__(relayer, nursery)
        self.name = relayer.name
        self._whole = whole

    def _take(self, message: Any) -> None:
        if isinstance(message, Leases):
            self._whole.heard(self.name, message)
        else:
            super()._take(message)

    async def asked(self, method: str, params: dict[str, Any]) -> Response | None:
        """Ask this one; None where it does not answer within 5 s."""
        if not self.connected:
            return None
        with trio.move_on_after(5):
            try:
                return await self.response(method, params)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                self.connected = False
        return None

    async def tell(self, sequence: int) -> None:
        """Tell everything, unless it does not read (it may stand still)."""
        if not self.connected:
            return
        try:
            with trio.move_on_after(0.2):
                await self.send(self._whole.told(sequence))
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.connected = False


@asynccontextmanager
async def several(node: NodeProcess, path: Path) -> AsyncIterator[tuple[Server, Lines, Ledger]]:
    """Run a database, a signer and three relayers, and link a media server to each."""
    password = path / "password"
    write_secret(password, "for tests only")
    async with AsyncExitStack() as stack:
        database = stack.enter_context(running())
        url = path / "journal-url"
        write_secret(url, database.fresh())
        wires = await stack.enter_async_context(trio.open_nursery())
        stack.callback(wires.cancel_scope.cancel)
        socket = path / "signer.sock"
        with (path / "signer.log").open("ab") as log:
            signer = subprocess.Popen(  # noqa: ASYNC220 (it returns at once)
                [
                    sys.executable, "-m", "offchain.cli", "signer", "--signer", str(socket),
                    "--state-dir", str(path / "signer"), "--password-file", str(password),
                ],
                cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        stack.callback(_end, signer)
        assert signer.stdout is not None
        assert await trio.to_thread.run_sync(signer.stdout.readline)
        relayers = []
        for name in NAMES:
            cable = Cable(database.socket)
            await wires.start(cable.serve)
            relayer = Shared(name, node.url, path, socket, cable)
            relayers.append(relayer)
            write_secret(relayer.journal_url, through(url.read_text(), cable.port))
            await relayer.start()
            stack.push_async_callback(_end_relayer, relayer)
        ledger = await stack.enter_async_context(open_ledger(node.url))
        async with trio.open_nursery() as nursery:
            lines = Lines(relayers, nursery)
            nursery.start_soon(lines.run)
            nursery.start_soon(lines.deliver)
            await lines.until(lambda: all(each.connected for each in lines.lines.values()), 20)
            yield database, lines, ledger
            nursery.cancel_scope.cancel()
    for relayer in relayers:
        assert "Traceback" not in relayer.log.read_text()


def write_secret(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def through(url: str, port: int) -> str:
    """Give a database's URL with its socket replaced by a port of the loopback."""
    return f"{url.partition('?')[0]}?host=127.0.0.1&port={port}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)
    if process.stdout is not None:
        process.stdout.close()


async def _end_relayer(relayer: Shared) -> None:
    relayer.cable.release()
    relayer.cable.plug_in()
    if relayer.process is not None:
        relayer.process.send_signal(signal.SIGCONT)
        await relayer.end_by(signal.SIGTERM)


def holders(url: str) -> dict[str, str]:
    """Tell which relayer holds each viewer, by the database."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT leases.viewer, relayers.name FROM leases "
            "JOIN relayers ON relayers.life = leases.life"
        ).fetchall()
    return {str(viewer): str(name) for viewer, name in rows}
