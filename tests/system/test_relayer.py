"""The relayer's process on a real node, with a scripted meter at the other end of its socket."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.keys.signer import dev_key
from offchain.ledger.client import Ledger, open_ledger
from streaming.framing import body_length
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    FromRelayer,
    FromServer,
    Hello,
    HelloAck,
    Leases,
    Request,
    Response,
    SessionRef,
    States,
    decode_from_relayer,
    encode_frame,
)
from tests.relayer.fake_chain import account, sign_text
from tests.system.node_process import REPOSITORY, NodeProcess

pytestmark = pytest.mark.system

UNIT = 10**12
RATE = UNIT // 1000


class RelayerProcess:
    """`paystream relay` as a process."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.password = directory.parent / "password"
        self.password.write_text("for tests only")
        self.password.chmod(0o600)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.directory / "relay.sock"

    @property
    def log(self) -> Path:
        return self.directory.parent / "relayer.log"

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    sys.executable, "-m", "offchain.cli", "relay", "--chain", self.url,
                    "--state-dir", str(self.directory), "--socket", str(self.socket),
                    "--password-file", str(self.password),
                ],
                cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "PAYSTREAM_LOG": "debug"},
            )  # fmt: skip

    async def start(self) -> None:
        self.process = self.launch()
        stdout = self.process.stdout
        assert stdout is not None
        with trio.fail_after(60):
            line = await trio.to_thread.run_sync(stdout.readline)
        assert line, self.log.read_text()
        assert json.loads(line)["event"] == "ready"

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code


class Meter:
    """The media server's side of the socket: delivers while its leases allow it."""

    def __init__(self, relayer: RelayerProcess, nursery: trio.Nursery) -> None:
        self.relayer = relayer
        self.nursery = nursery
        self.states: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, Any] = {}
        self.acknowledged: set[str] = set()
        self.connected = False
        self.chain = ""
        """Which of the relayer's chains is asked."""
        self._stream: trio.SocketStream | None = None
        self._waiting: dict[int, trio.MemorySendChannel[Response]] = {}
        self._ids = itertools.count(1)
        self._sending = trio.Lock()

    async def run(self) -> None:
        """Connect for ever, and read what comes."""
        while True:
            try:
                async with await trio.open_unix_socket(str(self.relayer.socket)) as self._stream:
                    await self.send(
                        Hello(
                            protocol_version=PROTOCOL_VERSION, server_id="meter",
                            boot_id="boot-1", origin="http://127.0.0.1:8080",
                        )
                    )  # fmt: skip
                    while True:
                        self._take(await self._receive())
            except (OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
                self.connected = False
                await trio.sleep(0.1)

    def _take(self, message: FromRelayer) -> None:
        match message:
            case HelloAck(refused=None):
                self.connected = True
            case Leases():
                self.leases |= {lease.connection: lease for lease in message.leases}
                self.acknowledged |= set(message.acknowledged)
            case Response():
                self._waiting.pop(message.id).send_nowait(message)

    async def send(self, message: FromServer) -> None:
        assert self._stream is not None
        async with self._sending:
            await self._stream.send_all(encode_frame(message))

    async def _receive(self) -> FromRelayer:
        async def exactly(length: int) -> bytes:
            received = b""
            while len(received) < length:
                assert self._stream is not None
                part = await self._stream.receive_some(length - len(received))
                if not part:
                    raise EOFError
                received += part
            return received

        return decode_from_relayer(await exactly(body_length(await exactly(4))))

    async def response(self, method: str, params: dict[str, Any]) -> Response:
        number = next(self._ids)
        send, receive = trio.open_memory_channel[Response](1)
        self._waiting[number] = send
        await self.send(Request(id=number, method=method, params=params, chain=self.chain))
        with trio.fail_after(20):
            return await receive.receive()

    async def ask(self, method: str, **params: Any) -> Any:
        response = await self.response(method, params)
        assert response.problem is None, response.problem
        return response.result

    async def deliver(self) -> None:
        """Send states twice a second; each playing connection has delivered half a second."""
        for sequence in itertools.count(1):
            await trio.sleep(0.5)
            for name, state in self.states.items():
                lease = self.leases.get(name)
                if not state["final"] and (lease is None or lease.allowed):
                    state["delivered_ms"] += 500
            if not self.connected:
                continue
            try:
                await self.send(self.told(sequence))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.connected = False

    def told(self, sequence: int) -> States:
        """Give what is told of every connection."""
        connections = [
            ConnectionState(**state, forwarded_ms=state["delivered_ms"])
            for name, state in self.states.items()
            if name not in self.acknowledged
        ]
        return States(sequence=sequence, connections=connections, publishers=[])

    async def until(self, condition: Any, seconds: float) -> None:
        with trio.fail_after(seconds):
            while not condition():  # noqa: ASYNC110
                await trio.sleep(0.1)

    async def sign_in(self, name: str) -> str:
        challenge = await self.ask("challenge", account=account(name), purpose="watch")
        signature = sign_text(dev_key(name), challenge["message"])
        answer = await self.ask("token", challenge=challenge["challenge"], signature=signature)
        return str(answer["token"])

    async def pay(self, ledger: Ledger, name: str, token: str, stream: int, **terms: Any) -> None:
        """Grant what the terms ask for, as a viewer's wallet would."""
        asked = await self.ask("terms", token=token, stream=stream)
        call = {
            "kind": "deposit_and_grant", "deposit": str(RATE * 600), "cap": str(RATE * 600),
            "rate_max_per_second": asked["rate_per_second"], "sessions_max": 1,
            "gap_ms": asked["needs"]["gap_ms"],
            "expires_at_ms": await ledger.now_ms() + 3_600_000,
        } | terms  # fmt: skip
        prepared = await self.ask("wallet_prepare", token=token, call=call)
        signature = "0x01" + dev_key(name).sign(message_of(prepared["payload"])).hex()
        await self.ask("wallet_submit", submission=prepared["submission"], signature=signature)
        with trio.fail_after(30):
            while True:
                status = await self.ask("wallet_status", submission=prepared["submission"])
                assert status["status"] != "failed", status
                if status["status"] == "finalized":
                    return
                await trio.sleep(0.2)

    async def watch(self, token: str, stream: int, resume: str | None = None) -> str:
        admitted = await self.ask("admit", token=token, stream=stream, resume=resume)
        name = f"c{next(self._ids)}"
        self.states[name] = {
            "connection": name, "session": SessionRef(**admitted["session"], chain=self.chain),
            "number": admitted["number"], "delivered_ms": 0, "final": False,
        }  # fmt: skip
        return name

    def leave(self, name: str) -> None:
        self.states[name] |= {"final": True, "end_reason": "left"}

    async def closed(self, token: str, name: str) -> dict[str, Any]:
        """Wait until the session is closed in a finalized block, and describe it."""
        ref = self.states[name]["session"]
        with trio.fail_after(60):
            while True:
                session: dict[str, Any] = await self.ask(
                    "session", token=token, grant=ref.grant, index=ref.index
                )
                if session["status"] == "closed":
                    return session
                await trio.sleep(0.5)


def message_of(payload: dict[str, Any]) -> bytes:
    """The bytes that a wallet signs for a `SignerPayloadJSON`, made from the JSON alone."""
    from hashlib import blake2b

    from scalecodec.types import Compact

    def compact(text: str) -> bytes:
        encoder = Compact()
        return bytes(encoder.encode(int(text, 16)).data)

    raw = (
        bytes.fromhex(payload["method"][2:])
        + bytes.fromhex(payload["era"][2:])
        + compact(payload["nonce"])
        + compact(payload["tip"])
        + b"\x00"  # CheckMetadataHash: disabled
        + int(payload["specVersion"], 16).to_bytes(4, "little")
        + int(payload["transactionVersion"], 16).to_bytes(4, "little")
        + bytes.fromhex(payload["genesisHash"][2:])
        + bytes.fromhex(payload["blockHash"][2:])
        + b"\x00"  # its implicit part: no hash
    )
    return blake2b(raw, digest_size=32).digest() if len(raw) > 256 else raw


@asynccontextmanager
async def relayed(node: NodeProcess, path: Path) -> AsyncIterator[tuple[Ledger, Meter]]:
    relayer = RelayerProcess(node.url, path / "state")
    async with open_ledger(node.url) as ledger:
        await relayer.start()
        try:
            async with trio.open_nursery() as nursery:
                meter = Meter(relayer, nursery)
                nursery.start_soon(meter.run)
                nursery.start_soon(meter.deliver)
                await meter.until(lambda: meter.connected, 10)
                yield ledger, meter
                nursery.cancel_scope.cancel()
        finally:
            if relayer.process is not None:
                code = relayer.end(signal.SIGTERM)
                assert code == 0, relayer.log.read_text()
    assert "Traceback" not in relayer.log.read_text()


async def test_a_session_survives_kill_9_and_agrees_with_the_chain(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with relayed(node, tmp_path) as (ledger, meter):
        stream, _ = await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        token = await meter.sign_in("Alice")
        await meter.pay(ledger, "Alice", token, stream)
        vault_before = await ledger.vault(account("Alice"))
        name = await meter.watch(token, stream)
        await trio.sleep(12)
        assert meter.relayer.end(signal.SIGKILL) == -signal.SIGKILL
        await trio.sleep(2)
        await meter.relayer.start()
        await trio.sleep(12)
        meter.leave(name)
        session = await meter.closed(token, name)
        delivered_ms = meter.states[name]["delivered_ms"]
        assert delivered_ms >= 20_000
        assert session["delivered_ms"] == delivered_ms
        assert session["paid_seconds"] == delivered_ms // 1000
        assert session["ticks"] >= 3
        assert session["close_reason"] == "Order"
        final = (await ledger.finalized_head()).hash
        entry = await ledger.stream(stream, at=final)
        assert entry is not None
        assert entry.earned == session["paid_seconds"] * RATE == int(session["paid"])
        assert vault_before - await ledger.vault(account("Alice"), at=final) == entry.earned
        assert name in meter.acknowledged


async def test_the_node_gone_for_thirty_seconds(own_node: NodeProcess, tmp_path: Path) -> None:
    async with relayed(own_node, tmp_path) as (ledger, meter):
        stream, _ = await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        token = await meter.sign_in("Alice")
        await meter.pay(ledger, "Alice", token, stream)
        name = await meter.watch(token, stream)
        await trio.sleep(15)
        own_node.kill()
        await trio.sleep(30)
        assert (meter.leases[name].reason, meter.leases[name].wait) == ("budget:block", True)
        assert meter.states[name]["delivered_ms"] <= 36_000  # media waits: the credit is used up
        await trio.to_thread.run_sync(own_node.start)
        await meter.until(lambda: meter.leases[name].allowed, 60)
        await meter.until(lambda: meter.states[name]["delivered_ms"] >= 45_000, 60)
        meter.leave(name)
        session = await meter.closed(token, name)
        delivered_ms = meter.states[name]["delivered_ms"]
        assert delivered_ms - 2_000 < session["paid_seconds"] * 1000 <= delivered_ms


async def test_a_revocation_stops_the_media_within_three_seconds_of_its_block(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with relayed(node, tmp_path) as (ledger, meter):
        stream, _ = await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        token = await meter.sign_in("Charlie")
        await meter.pay(ledger, "Charlie", token, stream)
        name = await meter.watch(token, stream)
        await trio.sleep(8)
        await ledger.revoke(dev_key("Charlie"), meter.states[name]["session"].grant)
        await meter.until(lambda: not meter.leases[name].allowed, 3)
        assert meter.leases[name].reason == "grant-ended"
        meter.states[name] |= {"final": True, "end_reason": "denied"}
        session = await meter.closed(token, name)
        delivered_ms = meter.states[name]["delivered_ms"]
        assert delivered_ms - 4_000 < session["paid_seconds"] * 1000 <= delivered_ms


async def test_a_second_relayer_on_the_journal_refuses_with_the_reason(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with relayed(node, tmp_path) as (_, meter):
        second = RelayerProcess(node.url, meter.relayer.directory)
        process = second.launch()
        assert await trio.to_thread.run_sync(process.wait) != 0
        assert process.stdout is not None
        process.stdout.close()
        log = second.log.read_text()
        assert "is in use by process" in log
        assert meter.relayer.process is not None
        assert str(meter.relayer.process.pid) in log
        assert meter.connected


LOOKS = 20


async def test_looks_of_three_seconds_without_a_pause_are_served_and_paid(
    node: NodeProcess, tmp_path: Path
) -> None:
    """Case 51: the ledger opens one session per grant in five seconds, and each look waits."""
    async with relayed(node, tmp_path) as (ledger, meter):
        streams = [
            (await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE))[0] for _ in "ab"
        ]
        token = await meter.sign_in("Dave")
        await meter.pay(ledger, "Dave", token, streams[0], sessions_max=2)
        names = []
        for look in range(LOOKS):
            asked_s = trio.current_time()
            names.append(await meter.watch(token, streams[look % 2]))  # raises when it is refused
            assert trio.current_time() - asked_s < 10
            await trio.sleep(3)
            assert meter.leases[names[-1]].allowed, meter.leases[names[-1]]
            meter.leave(names[-1])
        sessions = [await meter.closed(token, name) for name in names]
        assert [session["index"] for session in sessions] == list(range(LOOKS))
        for name, session in zip(names, sessions, strict=True):
            assert session["paid_seconds"] == meter.states[name]["delivered_ms"] // 1000 >= 2
