"""The relayer as a whole: its settings, its start and end, its keys and its metrics."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from offchain.journal import JournalLocked, open_journal
from offchain.keys.keystore import Keystore, WrongPassword
from offchain.keys.signer import fresh_key
from offchain.relayer import metrics, run
from offchain.relayer.delegates import KeystoreKeyring
from offchain.relayer.link import SocketInUse, listening
from offchain.relayer.settings import RelayerConfig, SettingsInvalid
from tests.relayer.fake_chain import FakeChain
from tests.relayer.rig import rig

PASSWORD = "correct horse battery staple"


def config(path: Path, **fields: Any) -> RelayerConfig:
    given = {"chain_url": "ws://x", "state_dir": path / "state", "password": PASSWORD} | fields
    return RelayerConfig(**given)


@pytest.fixture
def fake_ledger(monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    chain = FakeChain()

    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[FakeChain]:
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
    ],
)
def test_settings_out_of_range_are_named(
    tmp_path: Path, field: str, value: object, word: str
) -> None:
    with pytest.raises(SettingsInvalid, match=word):
        config(tmp_path, **{field: value})


def test_the_password_never_shows(tmp_path: Path) -> None:
    assert PASSWORD not in repr(config(tmp_path))
    assert PASSWORD not in repr(KeystoreKeyring(tmp_path, PASSWORD))


async def test_it_says_when_it_is_ready_and_ends_on_sigterm(
    tmp_path: Path, fake_ledger: FakeChain, capsys: pytest.CaptureFixture[str]
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
        assert b"paystream_relay_journal_ok 1\n" in text
        with pytest.raises(JournalLocked, match=str(os.getpid())):
            await run.run_relayer(config(tmp_path, socket=tmp_path / "other.sock"))
        with trio.fail_after(5):
            os.kill(os.getpid(), signal.SIGTERM)
            while settings.socket_path.exists():  # noqa: ASYNC110
                await trio.sleep(0.01)


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


async def test_delegate_keys_come_back_from_the_keystore(tmp_path: Path) -> None:
    key = fresh_key()
    await KeystoreKeyring(tmp_path / "keys", PASSWORD).keep("delegate-1", key)
    again = KeystoreKeyring(tmp_path / "keys", PASSWORD)
    await again.check()
    assert (await again.open("delegate-1")).public_key == key.public_key
    async with open_journal(tmp_path / "j" / "journal.sqlite"):
        pass


async def test_metrics_and_status_tell_what_is_open(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        await r.watch(await r.ready_viewer())
        await trio.sleep(20)
        health = await r.result("status")
        assert health["sessions"] == {"opening": 0, "open": 1, "closing": 0}
        assert health["journal"] == "ok"
        assert health["connections"] == 1
        assert 0 <= health["unpaid_seconds_max"] <= 12
        text = metrics.render(health)
        assert 'paystream_relay_sessions{phase="open"} 1' in text
        assert "paystream_relay_orders_sent_tick_total 3" in text
