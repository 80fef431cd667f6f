"""The relayer as a whole: its settings, its start and end, its keys and its metrics."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from offchain.journal import JournalLocked, LeaseLost
from offchain.keys.delegate_keys import add_master
from offchain.keys.keystore import Keystore, WrongPassword
from offchain.keys.signer import fresh_key
from offchain.ledger.errors import NodeBehind, NodeUnreachable
from offchain.relayer import metrics, run
from offchain.relayer.delegates import KeystoreKeyring
from offchain.relayer.settings import RelayerConfig, SettingsInvalid
from offchain.unix_socket import SocketInUse, listening
from tests.relayer.fake_chain import FakeChain
from tests.relayer.rig import rig

PASSWORD = "correct horse battery staple"


def config(path: Path, **fields: Any) -> RelayerConfig:
    given = {"chain_urls": ("ws://x",), "state_dir": path / "state", "password": PASSWORD} | fields
    return RelayerConfig(**given)


@pytest.fixture
def fake_ledger(monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    chain = FakeChain()

    @asynccontextmanager
    async def opened(urls: tuple[str, ...], **_: Any) -> AsyncIterator[FakeChain]:
        yield chain

    monkeypatch.setattr(run, "open_ledger", opened)
    return chain


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("cadence_ms", 4_999, "cadence-ms"),
        ("cadence_ms", 60_001, "cadence-ms"),
        ("metrics_port", 65_536, "metrics-port"),
        ("password", "", "password"),
        ("chain_urls", (), "1 to 8"),
        ("chain_urls", ("ws://a",) * 2, "twice"),
        ("chain_urls", ("http://user:secret@a/secret",), r"chain is http://a: give a WebSocket"),
        ("chain_wait_s", -1, "chain-wait"),
        ("server_user", "nobody-of-this-name", "useradd"),
    ],
)
def test_settings_out_of_range_are_named(
    tmp_path: Path, field: str, value: object, word: str
) -> None:
    with pytest.raises(SettingsInvalid, match=word):
        config(tmp_path, **{field: value})


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"journal": "postgresql://db", "signer": Path("s"), "relayer_id": "a/b"}, "letters"),
        ({"signer": Path("s"), "relayer_id": "one"}, "give --journal-url-file"),
        ({"journal": "postgresql://db", "relayer_id": "one"}, "give --signer"),
    ],
)
def test_one_of_several_needs_a_shared_journal_and_a_signer(
    tmp_path: Path, fields: dict[str, Any], word: str
) -> None:
    with pytest.raises(SettingsInvalid, match=word):
        config(tmp_path, **fields)
    shared = {"journal": "postgresql://db", "signer": Path("s"), "relayer_id": "one"}
    assert config(tmp_path, **shared).relayer_id == "one"


async def test_who_has_lost_its_leases_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    async def live(settings: RelayerConfig, _ending: object) -> None:
        begun.append(settings)
        await trio.lowlevel.checkpoint()
        if len(begun) == 1:
            raise LeaseLost("one/1")
        if len(begun) == 2:
            losses = ExceptionGroup("of another", [LeaseLost("one/2")])
            raise ExceptionGroup("of a nursery", [losses, ValueError("on its way down")])

    monkeypatch.setattr(run, "_run", live)
    await run.run_relayer(config(tmp_path))
    assert len(begun) == 3


def test_the_password_never_shows(tmp_path: Path) -> None:
    assert PASSWORD not in repr(config(tmp_path))
    assert PASSWORD not in repr(KeystoreKeyring(tmp_path, PASSWORD))


async def test_it_says_when_it_is_ready_and_ends_on_sigterm(
    tmp_path: Path,
    fake_ledger: FakeChain,
    capsys: pytest.CaptureFixture[str],
    manager: socket.socket,
) -> None:
    settings = config(tmp_path, metrics_port=0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, settings)
        line = ""
        with trio.fail_after(10):
            while not line.endswith("\n"):
                await trio.sleep(0.01)
                line += capsys.readouterr().out
        ready = json.loads(line)
        assert ready["event"] == "ready"
        assert ready["socket"] == str(settings.socket_path)
        assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700
        stream = await trio.open_tcp_stream("127.0.0.1", ready["metrics_port"])
        async with stream:
            await stream.send_all(b"GET /metrics HTTP/1.1\r\n\r\n")
            text = b""
            while part := await stream.receive_some(4_096):
                text += part
        assert text.startswith(b"HTTP/1.1 200 OK")
        assert b"paystream_relay_journal_ok 1.0\n" in text
        with pytest.raises(OSError, match="127"):  # it listens on one address alone
            await trio.open_tcp_stream("127.0.0.2", ready["metrics_port"])
        with pytest.raises(JournalLocked, match=str(os.getpid())):
            await run.run_relayer(config(tmp_path, socket=tmp_path / "other.sock"))
        assert manager.recv(99) == b"READY=1"
        assert manager.recv(99) == b"WATCHDOG=1"
        with trio.fail_after(5):
            os.kill(os.getpid(), signal.SIGTERM)
            while settings.socket_path.exists():  # noqa: ASYNC110
                await trio.sleep(0.01)
        while (told := manager.recv(99)) != b"STOPPING=1":
            assert told == b"WATCHDOG=1"


class Late:
    """A node that is not there, then behind, and then there. Stands in for `open_ledger`."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.tried: list[float] = []
        self.chain = FakeChain()
        self.starting: list[metrics.Starting] = []

    @asynccontextmanager
    async def open(self, urls: tuple[str, ...], **_: Any) -> AsyncIterator[FakeChain]:
        self.tried.append(trio.current_time())
        if self.failures:
            raise self.failures.pop(0)
        yield self.chain

    async def first_tries(self) -> None:
        """Wait for them; what comes before takes threads, which a jumping clock does not know."""
        while len(self.tried) < 5:  # noqa: ASYNC110
            await trio.sleep(1)

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        status, _, body = self.starting[0].of(f"GET {path} HTTP/1.1")
        return int(status.split()[0]), json.loads(body)

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Late:
        monkeypatch.setattr(run, "open_ledger", self.open)
        made = metrics.Starting

        def starting() -> metrics.Starting:
            self.starting.append(made())
            return self.starting[0]

        monkeypatch.setattr(metrics, "Starting", starting)
        return self


GONE = NodeUnreachable("ws://user:SECRET@node/SECRET", "connection refused")


async def test_a_start_before_the_node_is_up_waits_and_says_so(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    late = Late(*[GONE] * 8, *[NodeBehind("it is syncing")] * 4).installed(monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, config(tmp_path))
        await late.first_tries()
        code, alive = late.answer("/healthz")
        assert (code, alive["status"]) == (200, "ok")
        code, said = late.answer("/readyz")
        assert (code, said["ready"]) == (503, False)
        assert (
            "no answer from the node at ws://node: connection refused" in said["failing"]["chain"]
        )
        scrape = late.starting[0].of("GET /metrics HTTP/1.1")[2]
        assert b"paystream_relay_ready 0.0" in scrape
        assert b'paystream_relay_check{check="chain"} 0.0' in scrape
        assert b'check="journal"' not in scrape  # of which nothing is known yet
        await trio.sleep(60)
        assert "it is syncing" in late.answer("/readyz")[1]["failing"]["chain"]
        assert capsys.readouterr().out == ""
        line = ""
        while not line:  # the keystore opens in a thread, which this clock does not know
            await trio.sleep(1)
            line = capsys.readouterr().out
        assert json.loads(line)["event"] == "ready"
        assert "link" in late.answer("/readyz")[1]["failing"]
        nursery.cancel_scope.cancel()
    pauses = [after - before for before, after in pairwise(late.tried)]
    assert pauses[0] == run.WAIT_FIRST_S
    assert max(pauses) == run.WAIT_MAX_S
    told = [each for each in caplog.messages if "event=waits-for-chain" in each]
    assert 2 <= len(told) <= 4
    assert "SECRET" not in caplog.text


async def test_a_start_without_a_node_ends_after_its_bound(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Late(*[GONE] * 1_000).installed(monkeypatch)
    began = trio.current_time()
    with pytest.raises(NodeUnreachable):
        await run.run_relayer(config(tmp_path))
    assert 480 <= trio.current_time() - began <= 480 + run.WAIT_MAX_S
    assert len(late.tried) <= 40
    late.tried.clear()
    with pytest.raises(NodeUnreachable):
        await run.run_relayer(config(tmp_path, chain_wait_s=0))
    assert len(late.tried) == 1


async def test_sigterm_while_it_waits_for_the_node_ends_it_in_good_order(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Late(*[GONE] * 1_000).installed(monkeypatch)
    settings = config(tmp_path)

    async def kill() -> None:
        await late.first_tries()
        assert settings.socket_path.exists()
        os.kill(os.getpid(), signal.SIGTERM)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        await run.run_relayer(settings)
    assert len(late.tried) > 3
    assert not settings.socket_path.exists()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", sock.getsockname())
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        yield sock


async def test_an_open_state_directory_and_a_taken_socket_are_refused(
    tmp_path: Path, fake_ledger: FakeChain
) -> None:
    settings = config(tmp_path)
    settings.state_dir.mkdir(mode=0o755)
    settings.state_dir.chmod(0o755)
    with pytest.raises(SettingsInvalid, match="chmod 700"):
        await run.run_relayer(settings)
    settings.state_dir.chmod(0o700)
    async with listening(settings.socket_path):
        with pytest.raises(SocketInUse):
            await run.run_relayer(settings)


async def test_a_wrong_password_shows_at_the_start(tmp_path: Path, fake_ledger: FakeChain) -> None:
    settings = config(tmp_path)
    settings.state_dir.mkdir(mode=0o700)
    Keystore(settings.keystore_dir).store(fresh_key(), "delegate-0", "another password")
    with pytest.raises(WrongPassword):
        await run.run_relayer(settings)


async def test_a_damaged_master_starts_the_relayer_and_is_in_readyz(
    tmp_path: Path, fake_ledger: FakeChain, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(tmp_path, metrics_port=0)
    settings.state_dir.mkdir(mode=0o700)
    add_master(Keystore(settings.keystore_dir), PASSWORD)
    (settings.keystore_dir / "master-1.json").write_text("nothing")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, settings)
        line = ""
        with trio.fail_after(10):
            while not line.endswith("\n"):
                await trio.sleep(0.01)
                line += capsys.readouterr().out
        stream = await trio.open_tcp_stream("127.0.0.1", json.loads(line)["metrics_port"])
        async with stream:
            await stream.send_all(b"GET /readyz HTTP/1.1\r\n\r\n")
            text = b""
            while part := await stream.receive_some(4_096):
                text += part
        assert text.startswith(b"HTTP/1.1 503")
        assert b"paystream keys rotate" in text
        os.kill(os.getpid(), signal.SIGTERM)


async def test_delegate_keys_come_back_from_the_keystore(tmp_path: Path) -> None:
    key = fresh_key()
    Keystore(tmp_path / "keys").store(key, "delegate-1", PASSWORD)
    keyring = KeystoreKeyring(tmp_path / "keys", PASSWORD)
    await keyring.check()
    name, public = await keyring.delegate(key.address, 0)
    again = KeystoreKeyring(tmp_path / "keys", PASSWORD)
    await again.check()
    assert (await again.open("delegate-1")).public_key == key.public_key
    assert (await again.open(name)).public_key == public


async def test_the_status_tells_what_is_open(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        await r.watch(await r.ready_viewer())
        await trio.sleep(20)
        health = await r.result("status")
        assert health["sessions"] == {"opening": 0, "open": 1, "closing": 0}
        assert health["journal"] == "ok"
        assert health["connections"] == 1
        assert 0 <= health["unpaid_seconds_max"] <= 12
        assert health["failing"] == {}
