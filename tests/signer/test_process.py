"""The signer as a process: its journal, its socket, who may ask, and a relayer without secrets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.keys.delegate_keys import DelegateKeys, MasterDamaged, add_master
from offchain.keys.keystore import Keystore
from offchain.keys.signer import dev_key, fresh_key, verify
from offchain.ledger.orders import Close, Open, Order, Tick, grant_proof_message, order_message
from offchain.ledger.types import DelegateKey, Grant, Session
from offchain.relayer import remote_keyring, run
from offchain.relayer.keyring import Asked
from offchain.relayer.remote_keyring import (
    RemoteKeyring,
    SignerRefused,
    SignerUnavailable,
    SignerWaits,
    open_remote_keyring,
)
from offchain.relayer.settings import RelayerConfig
from offchain.signer import journal as journals
from offchain.signer.journal import Clock, SignerJournalError, open_signer_journal
from offchain.signer.judge import Judge
from offchain.signer.policy import Policy, SignOrder
from offchain.signer.protocol import PROTOCOL_VERSION, Hello, encode_frame
from offchain.signer.server import SignerServer
from offchain.signer.settings import SignerSettings, SignerSettingsInvalid, read_settings
from offchain.unix_socket import groups_of, listening
from streaming.framing import FRAME_BYTES_MAX
from tests.relayer.fake_chain import FakeChain

ALICE, BOB = dev_key("Alice").address, dev_key("Bob").address
PASSWORD = "correct horse battery staple"
GENESIS = "0x" + "11" * 32


@dataclass
class Chain:
    genesis_hash: str = GENESIS
    pallet_index: int = 10


CHAIN = Chain()


def granted(public: bytes, **changes: Any) -> Grant:
    terms: dict[str, Any] = {
        "viewer": ALICE, "key": DelegateKey(scheme="sr25519", public=public), "asset": None,
        "rate_max_per_second": 10, "cap": 10_000, "cap_left": 10_000, "spent": 0, "tips_left": 0,
        "renewals_left": 0, "gap_ms": 120_000, "created_at": 0, "expires_at": 10**13,
        "sessions_max": 1, "open": (), "next_index": 0, "opened_at": 0, "freed_end_at": 0,
        "seconds": 0, "ended_at": 10**13, "deposit": 0,
    }  # fmt: skip
    return Grant(**(terms | changes))


def opening(index: int = 0) -> Open:
    return Open(index=index, stream=1, rate_per_second=10, funds=5_000, start_at=0)


@asynccontextmanager
async def signing(path: Path, settings: SignerSettings | None = None) -> AsyncIterator[Path]:
    """Run a signer in this process, over its real socket."""
    settings = settings or SignerSettings()
    with open_signer_journal(path / "signer.sqlite") as journal:
        keys = DelegateKeys(path / "delegates", PASSWORD)
        keys.check()
        server = SignerServer(Judge(settings.policy, journal, keys), settings)
        async with listening(path / "signer.sock") as listener, trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, listener)
            yield path / "signer.sock"
            nursery.cancel_scope.cancel()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.005)


async def ask(keyring: RemoteKeyring, name: str, public: bytes, order: Order, **more: Any) -> bytes:
    entry = granted(public)
    asked = Asked(key=name, grant=4, order=order, entry=entry, **more)
    signed = await keyring.sign(asked, CHAIN)
    message = order_message(GENESIS, 10, 4, order)
    assert verify("sr25519", public, message, signed.signature)
    return signed.signature


async def test_orders_and_proofs_come_from_another_process(directory: Path) -> None:
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        name, public = await keyring.delegate(ALICE, 0)
        assert keyring.is_current(name)
        proof = await keyring.prove(name, CHAIN, ALICE)
        assert proof[0] == 0
        assert verify("sr25519", public, grant_proof_message(GENESIS, 10, ALICE), proof[1:])
        await ask(keyring, name, public, opening())
        await ask(keyring, name, public, Tick(index=0, seconds=6))
        with pytest.raises(SignerWaits, match="ahead-of-clock"):
            await ask(keyring, name, public, Tick(index=0, seconds=90))
        with pytest.raises(remote_keyring.KeystoreError, match="totals-fall"):
            await ask(keyring, name, public, Tick(index=0, seconds=5))
        # a relayer that was killed may know less than it has signed
        lower = Asked(key=name, grant=4, order=Close(index=0, seconds=5), entry=granted(public))
        assert (await keyring.sign(lower, CHAIN)).order == Close(index=0, seconds=6)


async def test_a_rehearsal_ties_a_signer_to_no_chain(directory: Path) -> None:
    async with signing(directory) as path:
        await remote_keyring.would_greet(path, Chain("0x" + "22" * 32))
        async with open_remote_keyring(path, CHAIN):
            pass
        await remote_keyring.would_greet(path, CHAIN)
        with pytest.raises(SignerUnavailable, match="another --state-dir"):
            await remote_keyring.would_greet(path, Chain("0x" + "22" * 32))


async def test_who_rehearses_hears_whose_keys_they_are_and_gets_nothing_signed(
    directory: Path,
) -> None:
    async with signing(directory) as path:
        async with open_remote_keyring(path, CHAIN) as keyring:
            name, public = await keyring.delegate(ALICE, 1)
        async with open_remote_keyring(path, CHAIN, rehearses=True) as keyring:
            assert await keyring.recognise(ALICE, public) == name
            assert await keyring.recognise(BOB, public) is None
            with pytest.raises(SignerUnavailable):
                await keyring.prove(name, CHAIN, ALICE)
        async with open_remote_keyring(path, CHAIN, rehearses=True) as keyring:
            with pytest.raises(SignerUnavailable):
                await ask(keyring, name, public, opening())
        async with open_remote_keyring(path, CHAIN, rehearses=True) as keyring:
            with pytest.raises(SignerUnavailable):
                await keyring.delegate(ALICE, 2)


async def test_a_key_is_proven_to_its_own_viewer_only(directory: Path) -> None:
    Keystore(directory / "delegates").store(fresh_key(), "delegate-1", PASSWORD)
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        name, _ = await keyring.delegate(ALICE, 0)
        with pytest.raises(remote_keyring.KeystoreError, match="made for"):
            await keyring.prove(name, CHAIN, BOB)
        # keys of an earlier release name no viewer: the first counts
        await keyring.prove("delegate-1", CHAIN, ALICE)
        with pytest.raises(remote_keyring.KeystoreError, match="another viewer"):
            await keyring.prove("delegate-1", CHAIN, BOB)


async def test_a_restarted_signer_remembers_what_it_signed(directory: Path) -> None:
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        name, public = await keyring.delegate(ALICE, 0)
        await ask(keyring, name, public, opening())
        await ask(keyring, name, public, Tick(index=0, seconds=6))
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        with pytest.raises(remote_keyring.KeystoreError, match="totals-fall"):
            await ask(keyring, name, public, Tick(index=0, seconds=5))
        await ask(keyring, name, public, Tick(index=0, seconds=6))
        with pytest.raises(SignerRefused, match="index-jumps"):
            await ask(keyring, name, public, opening(index=2))


async def test_a_restarted_signer_remembers_the_lease_that_it_saw(directory: Path) -> None:
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        name, public = await keyring.delegate(ALICE, 0)
        await ask(keyring, name, public, opening(), fence=7)
    async with signing(directory) as path, open_remote_keyring(path, CHAIN) as keyring:
        with pytest.raises(remote_keyring.KeystoreError, match="fence-old"):
            await ask(keyring, name, public, Tick(index=0, seconds=5), fence=6)
        # a relayer that was passed over marks no key of a viewer as broken
        with pytest.raises(remote_keyring.KeystoreError, match="fence-old") as refused:
            await ask(keyring, name, public, opening(index=1), fence=6)
        assert not isinstance(refused.value, SignerRefused)
        await ask(keyring, name, public, Tick(index=0, seconds=5), fence=8)


async def test_nothing_is_signed_that_is_not_on_the_disk(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_signer_journal(directory / "signer.sqlite") as journal:
        keys = DelegateKeys(directory / "delegates", PASSWORD)
        keys.check()
        judge = Judge(Policy(), journal, keys)
        judge.bind(GENESIS, 10)
        name, public = keys.delegate(ALICE, 0)
        terms = remote_keyring.terms_of(granted(public))
        asked = SignOrder(grant=4, order=opening(), key=name, terms=terms)
        journal._connection.execute("PRAGMA query_only = ON")
        refused = judge.sign([asked, asked])
        assert [(each.code, each.signature) for each in refused] == [("journal-failed", b"")] * 2
        assert journal.grant(4) is None
        journal._connection.execute("PRAGMA query_only = OFF")
        assert judge.sign([asked])[0].code is None


async def test_a_signer_serves_one_chain(directory: Path) -> None:
    async with signing(directory) as path:
        async with open_remote_keyring(path, CHAIN):
            pass
        with pytest.raises(SignerUnavailable, match="another --state-dir"):
            async with open_remote_keyring(path, Chain(genesis_hash="0x" + "22" * 32)):
                pass
    only = SignerSettings(genesis_hash="0x" + "33" * 32)
    async with signing(directory / "other", only) as path:
        with pytest.raises(SignerUnavailable, match="the policy is for the chain"):
            async with open_remote_keyring(path, CHAIN):
                pass


async def test_the_relayer_goes_on_when_the_signer_is_back(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_keyring, "RETRY_S", 0.01)
    with pytest.raises(SignerUnavailable, match="start `paystream signer`"):
        async with open_remote_keyring(directory / "signer.sock", CHAIN):
            pass
    async with trio.open_nursery() as nursery:
        keyring = RemoteKeyring(directory / "signer.sock", CHAIN)
        async with signing(directory):
            nursery.start_soon(keyring.run, await keyring.connect())
            name, public = await keyring.delegate(ALICE, 0)
        await until(lambda: keyring.unavailable is not None)
        with pytest.raises(SignerUnavailable):
            await ask(keyring, name, public, opening())
        async with signing(directory):
            await until(lambda: keyring.unavailable is None)
            await ask(keyring, name, public, opening())
        nursery.cancel_scope.cancel()


async def test_a_session_of_another_signer_is_adopted_where_the_policy_says_so(
    directory: Path,
) -> None:
    adopting = SignerSettings(policy=Policy(adopt=True))
    for name, settings in (("strict", SignerSettings()), ("adopting", adopting)):
        async with (
            signing(directory / name, settings) as path,
            open_remote_keyring(path, CHAIN) as keyring,
        ):
            key, public = await keyring.delegate(ALICE, 0)
            running = Session(
                viewer=ALICE, key=DelegateKey(scheme="sr25519", public=public), asset=None,
                stream=1, rate_per_second=10, gap_ms=120_000, funds=5_000, seconds=100,
                started_at=0, opened_at=0, billed_until=0, ticked_at=0, ended_at=10**13,
            )  # fmt: skip
            order = Tick(index=3, seconds=104)
            if name == "strict":
                with pytest.raises(remote_keyring.KeystoreError, match="grant-unknown"):
                    await ask(keyring, key, public, order, running=running)
            else:
                await ask(keyring, key, public, order, running=running)


async def test_a_key_of_the_master_before_is_recognised_and_signs_on_after_a_rotation(
    directory: Path,
) -> None:
    for restarted in (False, True):
        path = directory / str(restarted)
        async with signing(path) as socket_, open_remote_keyring(socket_, CHAIN) as keyring:
            name, public = await keyring.delegate(ALICE, 3)
            await ask(keyring, name, public, opening())
            add_master(Keystore(path / "delegates"), PASSWORD)
            if not restarted:
                await recognised_and_signs_on(keyring, name, public)
        if restarted:
            async with signing(path) as socket_, open_remote_keyring(socket_, CHAIN) as keyring:
                await recognised_and_signs_on(keyring, name, public)


async def recognised_and_signs_on(keyring: RemoteKeyring, name: str, public: bytes) -> None:
    newer, another = await keyring.delegate(ALICE, 3)
    assert another != public
    assert keyring.is_current(newer)
    assert not keyring.is_current(name)
    assert await keyring.recognise(ALICE, public) == name
    assert await keyring.recognise(ALICE, another) == newer
    assert await keyring.recognise(BOB, public) is None, "it is Alice's"
    with pytest.raises(remote_keyring.KeystoreError, match="order-invalid"):
        await keyring.recognise("not an address", public)
    await ask(keyring, name, public, Tick(index=0, seconds=1))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x00\x00\x02{}",
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x04\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_whoever_speaks_otherwise_is_cut_off(directory: Path, sent: bytes) -> None:
    async with signing(directory) as path:
        hello = Hello(protocol_version=PROTOCOL_VERSION, genesis_hash=GENESIS, pallet_index=10)
        received = b""
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(encode_frame(hello) + sent)
            with trio.fail_after(5), suppress(trio.BrokenResourceError):
                while part := await stream.receive_some(4_096):
                    received += part
        assert b"hello-ack" in received
        async with open_remote_keyring(path, CHAIN) as keyring:  # others are served
            assert await keyring.delegate(ALICE, 0)


async def test_who_may_ask_is_told_by_user_and_group(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, groups = os.getuid(), {os.getgid(), *os.getgroups()}
    stranger = max(groups) + 1
    async with signing(directory) as path:
        stream = await trio.open_unix_socket(str(path))
        assert groups_of(stream) == groups
        await stream.aclose()
    for settings, allowed in (
        (SignerSettings(), False),
        (SignerSettings(users=frozenset({own + 2})), False),
        (SignerSettings(group=stranger), False),
        (SignerSettings(users=frozenset({own})), True),
        (SignerSettings(group=os.getgid()), True),
    ):
        async with signing(directory, settings) as path:
            monkeypatch.setattr(os, "getuid", lambda: own + 1)  # the signer is another user
            if allowed:
                async with open_remote_keyring(path, CHAIN):
                    pass
            else:
                with pytest.raises(SignerUnavailable):
                    async with open_remote_keyring(path, CHAIN):
                        pass
            monkeypatch.undo()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_is_refused_for_real() -> None:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        os.chmod(directory, 0o711)  # noqa: PTH101
        async with signing(directory) as path:
            path.chmod(0o666)
            assert await trio.to_thread.run_sync(heard_by_a_stranger, path) == b"closed"


def heard_by_a_stranger(path: Path) -> bytes:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            os.write(writer, sock.recv(16) or b"closed")
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as heard:
        return heard.read(16)


def test_the_clock_goes_on_and_never_back(monkeypatch: pytest.MonkeyPatch) -> None:
    running = 1_000_000
    monkeypatch.setattr(journals, "_since_boot_ms", lambda: running)
    clock = Clock(None, "boot-1")
    assert clock.now_ms() == 0
    running += 5_000
    saved = clock.saved()
    running += 3_000
    assert Clock(saved, "boot-1").now_ms() == clock.now_ms() == 8_000  # a restart of the signer
    running = 20
    assert Clock(saved, "boot-2").now_ms() == 5_000  # one of the machine
    assert Clock(saved, "boot-1").now_ms() == 5_000
    assert Clock("unknown 0 5000", "unknown").now_ms() == 5_000


def test_one_signer_has_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "state" / "signer.sqlite"
    with (
        open_signer_journal(path),
        pytest.raises(SignerJournalError, match="one signer at a time"),
        open_signer_journal(path),
    ):
        pass
    path.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    for beside in path.parent.glob("signer.sqlite-*"):
        beside.unlink()
    with (
        pytest.raises(SignerJournalError, match="restore it from a backup"),
        open_signer_journal(path),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tips = 1", "tips"),
        ("head_start_ms = -1", "0 to 600000"),
        ("[bounds]\ncap_max = -1", "below 0"),
        ("[bounds]\ncap = 1", "cap"),
        ("[socket]\nusers = ['no-such-user-here']", "no-such-user-here"),
        ("streams = 1", "streams"),
        ("genesis_hash", "policy.toml"),
    ],
)
def test_a_policy_file_that_cannot_be_meant_so(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SignerSettingsInvalid, match=words):
        read_settings(path)


def test_a_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        f'genesis_hash = "{GENESIS}"\nstreams = [1, 2]\nsessions_max = 2\n[bounds]\ntips_max = 7\n'
        "[assets.1984]\nrate_per_second_max = 3\n[socket]\nusers = [1001, 'root']\ngroup = 'root'\n"
    )
    path.chmod(0o644)
    settings = read_settings(path)
    assert (settings.genesis_hash, settings.users, settings.group) == (GENESIS, {1001, 0}, 0)
    assert settings.policy.streams == {1, 2}
    assert settings.policy.of(None).tips_max == 7
    assert settings.policy.of(1984).rate_per_second_max == 3
    path.chmod(0o666)
    with pytest.raises(SignerSettingsInvalid, match="chmod 644"):
        read_settings(path)
    assert read_settings(None).policy == Policy()


async def test_a_killed_process_has_forgotten_nothing(directory: Path) -> None:
    for ending, total in ((signal.SIGKILL, 6), (signal.SIGTERM, 7)):
        with started(directory) as (process, path):
            async with open_remote_keyring(path, CHAIN) as keyring:
                name, public = await keyring.delegate(ALICE, 0)
                if ending == signal.SIGKILL:
                    await ask(keyring, name, public, opening())
                else:
                    await trio.sleep(1.2)  # its own clock goes on over the restart
                await ask(keyring, name, public, Tick(index=0, seconds=total))
                with pytest.raises(remote_keyring.KeystoreError, match="totals-fall"):
                    await ask(keyring, name, public, Tick(index=0, seconds=total - 1))
                process.send_signal(ending)
                code = await trio.to_thread.run_sync(process.wait)
            assert code == (0 if ending == signal.SIGTERM else -ending)


async def test_a_started_signer_with_a_damaged_newest_master_signs_for_older_grants(
    directory: Path,
) -> None:
    keys = directory / "state" / "delegates"
    for _ in range(2):
        add_master(Keystore(keys), PASSWORD)
    (keys / "master-2.json").rename(directory / "aside")
    older = DelegateKeys(keys, PASSWORD)
    older.check()
    name, public = older.delegate(ALICE, 0)
    (directory / "aside").rename(keys / "master-2.json")
    (keys / "master-2.json").write_text("nothing")
    with started(directory) as (process, path):
        async with open_remote_keyring(path, CHAIN) as keyring:
            await ask(keyring, name, public, opening())
            with pytest.raises(MasterDamaged, match=r"master-2\.json.*paystream keys rotate"):
                await keyring.delegate(ALICE, 1)
        process.terminate()
        assert await trio.to_thread.run_sync(process.wait) == 0


@contextmanager
def started(directory: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start the real process; gives it and its socket when it is ready."""
    with subprocess.Popen(
        [sys.executable, "-m", "offchain.cli", "signer", "--json"],
        env=os.environ | environment(directory),
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        path = Path(json.loads(process.stdout.readline())["socket"])
        yield process, path


def environment(directory: Path) -> dict[str, str]:
    password = directory / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return {
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "PAYSTREAM_STATE_DIR": str(directory / "state"),
        "PAYSTREAM_PASSWORD_FILE": str(password),
        "XDG_CONFIG_HOME": str(directory),
    }


async def test_a_relayer_without_secrets_starts_with_its_signer_and_not_without(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def opened(urls: tuple[str, ...], *, admit: object) -> AsyncIterator[FakeChain]:
        yield FakeChain()

    monkeypatch.setattr(run, "open_ledger", opened)
    config = RelayerConfig(
        chain_urls=("ws://x",),
        state_dir=directory / "relay",
        signer=directory / "s" / "signer.sock",
    )
    with pytest.raises(SignerUnavailable, match="start `paystream signer`"):
        await run.run_relayer(config)
    async with signing(directory / "s"), trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, config)
        await until(config.socket_path.exists)
        said = ""

        def ready() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return said.endswith("\n")

        await until(ready)
        assert json.loads(said)["event"] == "ready"
        assert not config.keystore_dir.exists()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: not config.socket_path.exists())
