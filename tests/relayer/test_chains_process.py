"""The process of a relayer that follows two chains: settings, files, and a chain that is late."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.chain_names import names_in, state_dir_of
from offchain.journal import (
    JournalUnreadable,
    chains_in,
    leasing,
    open_journal,
    url_of_chain,
)
from offchain.journal.opening import attached
from offchain.ledger.errors import NodeUnreachable
from offchain.relayer import link as link_module
from offchain.relayer import run
from offchain.relayer.chains import ChainNamedTwice, Chains
from offchain.relayer.keyring import KeystoreKeyring
from offchain.relayer.link import Link
from offchain.relayer.settings import SettingsInvalid, chains_by_name, signers_by_name
from offchain.unix_socket import listening
from streaming.session_state import Request, Response
from tests.journal.conftest import database, server
from tests.relayer.fake_chain import FakeChain
from tests.relayer.test_link import HELLO, Client
from tests.relayer.test_run import config

__all__ = ["database", "server"]

ASIA = {"asia": ("ws://y",)}
HERE, THERE = "0x" + "11" * 32, "0x" + "22" * 32


class Nodes:
    """What is behind the two addresses. Stands in for `open_ledger`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chains = {"ws://x": FakeChain(), "ws://y": FakeChain()}
        self.chains["ws://y"].genesis_hash = THERE
        self.away: set[str] = set()
        monkeypatch.setattr(run, "open_ledger", self.open)

    @asynccontextmanager
    async def open(self, urls: tuple[str, ...], **_: Any) -> AsyncIterator[FakeChain]:
        (url,) = urls
        if url in self.away:
            raise NodeUnreachable(url, "connection refused")
        yield self.chains[url]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    return Nodes(monkeypatch)


def test_addresses_are_sorted_by_the_name_in_front() -> None:
    given = ["asia=ws://a:1", "ws://x?token=abc=", "asia=wss://user:b=c@a:2", "eu-2=ws://e"]
    assert chains_by_name(given) == {
        "asia": ("ws://a:1", "wss://user:b=c@a:2"),
        "": ("ws://x?token=abc=",),
        "eu-2": ("ws://e",),
    }
    for name in ("Asia", "", "a.b", "a" * 33):
        with pytest.raises(SettingsInvalid, match="small letters, digits and dashes"):
            chains_by_name([f"{name}=ws://a"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chain_urls": ()}, "without, which is the one"),
        ({"signer": Path("/run/one")}, "--chain-signer asia=PATH is missing"),
        ({"more_signers": {"asia": Path("/run/one")}}, "--signer PATH is missing"),
        (
            {"signer": Path("/run/one"), "more_signers": {"asia": Path("/run/one")}},
            "one socket for two chains",
        ),
        ({"more_signers": {"africa": Path("/run/one")}}, "'africa', which is not followed"),
        ({"more_chains": {"asia": ("http://y",)}}, "chain asia is http://y: give a WebSocket"),
        ({"more_chains": {"asia": ("ws://y",) * 2}}, "chain asia has the same address twice"),
        ({"more_chains": {f"c{n}": ("ws://y",) for n in range(8)}}, "follows 8 at most"),
    ],
)
def test_settings_of_several_chains_are_checked(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        config(tmp_path, **({"more_chains": ASIA} | fields))


def test_each_chain_has_a_journal_in_a_directory_of_its_own(tmp_path: Path) -> None:
    settings = config(tmp_path, more_chains=ASIA)
    assert settings.journal_place() == tmp_path / "state" / "journal.sqlite"
    assert settings.journal_place("asia") == tmp_path / "state/chains/asia/journal.sqlite"
    assert repr(settings).startswith("<relayer of ws://x, asia=ws://y in ")


def test_each_chain_has_a_schema_of_its_own_in_a_database(tmp_path: Path) -> None:
    url = "postgresql://user:secret@db/j"
    settings = config(tmp_path, more_chains=ASIA, journal=url)
    assert settings.journal_place() == url
    assert settings.journal_place("asia") == f"{url}?options=-csearch_path%3Dpaystream_asia"


def test_each_chain_has_a_signer_of_its_own(tmp_path: Path) -> None:
    one, other = Path("/run/one.sock"), Path("/run/other.sock")
    assert signers_by_name(["asia=/run/other.sock"]) == {"asia": other}
    settings = config(tmp_path, more_chains=ASIA, signer=one, more_signers={"asia": other})
    assert (settings.signer_of(""), settings.signer_of("asia")) == (one, other)
    for given in (["/run/one.sock"], ["asia="], ["Asia=/run/one"], ["a=/x", "a=/y"]):
        with pytest.raises(SettingsInvalid, match="chain-signer is"):
            signers_by_name(given)


async def asked(settings: Any, chain: str) -> dict[str, Any]:
    """Ask the running relayer for a chain's facts, as a media server does."""
    client = Client(await trio.open_unix_socket(str(settings.socket_path)))
    async with client.stream:
        assert (await client.hello(HELLO)).chains == ("asia",)
        await client.send(Request(id=1, method="info", params={}, chain=chain))
        answer = await client.receive()
        assert isinstance(answer, Response)
        if answer.problem is not None:
            return {"code": answer.problem.code}
        facts: dict[str, Any] = answer.result
        return facts


async def until_ready(capsys: pytest.CaptureFixture[str]) -> None:
    line = ""
    with trio.fail_after(10):
        while not line.endswith("\n"):
            await trio.sleep(0.01)
            line += capsys.readouterr().out
    assert json.loads(line)["event"] == "ready"


@pytest.mark.parametrize("late", ["ws://x", "ws://y"])
async def test_a_chain_whose_node_is_away_keeps_no_other(
    tmp_path: Path,
    nodes: Nodes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    late: str,
) -> None:
    monkeypatch.setattr(run, "WAIT_MAX_S", 0.1)
    nodes.away = {late}
    settings = config(tmp_path, more_chains=ASIA, chain_wait_s=0)
    first, second = ("asia", "") if late == "ws://x" else ("", "asia")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, settings)
        await until_ready(capsys)
        genesis = {"": HERE, "asia": THERE}
        assert (await asked(settings, first))["genesis_hash"] == genesis[first]
        assert (await asked(settings, second))["code"] == "chain-unavailable"
        nodes.away = set()
        with trio.fail_after(10):
            while "code" in await asked(settings, second):  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert (await asked(settings, second))["genesis_hash"] == genesis[second]
        nursery.cancel_scope.cancel()
    assert names_in(settings.state_dir) == ["", "asia"]


async def test_an_address_that_leads_to_another_chain_keeps_no_other_and_is_told(
    tmp_path: Path,
    nodes: Nodes,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both addresses lead to the default chain, and the named one's comes first."""
    settings = config(tmp_path, more_chains=ASIA)
    settings.state_dir.mkdir(mode=0o700)
    async with open_journal(settings.journal_place()) as journal:
        journal.bind_chain(HERE)
    nodes.chains["ws://y"].genesis_hash = HERE
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, settings)
        await until_ready(capsys)
        assert (await asked(settings, ""))["genesis_hash"] == HERE
        assert (await asked(settings, "asia"))["code"] == "chain-unavailable"
        nursery.cancel_scope.cancel()
    (told,) = [each for each in caplog.messages if "event=chain-not-followed" in each]
    assert re.search(r"'asia'.* is the same as the chain without a name", told)
    async with open_journal(state_dir_of(settings.state_dir, "asia") / "journal.sqlite") as own:
        assert own.bound_to() is None


async def test_two_journals_of_one_chain_end_the_start(tmp_path: Path, nodes: Nodes) -> None:
    settings = config(tmp_path, more_chains=ASIA)
    for name in ("", "asia"):
        place = state_dir_of(settings.state_dir, name)
        place.mkdir(mode=0o700, parents=True)
        async with open_journal(place / "journal.sqlite") as journal:
            journal.bind_chain(HERE)
    with pytest.raises(ChainNamedTwice):
        await run.run_relayer(settings)


async def test_one_chain_alone_ends_the_start_as_before(tmp_path: Path, nodes: Nodes) -> None:
    settings = config(tmp_path)
    settings.state_dir.mkdir(mode=0o700)
    async with open_journal(settings.journal_place()) as journal:
        journal.bind_chain(THERE)
    with pytest.raises(JournalUnreadable, match="belongs to the chain with genesis"):
        await run.run_relayer(settings)


class LateThere:
    """Answers at once about one chain, and not at all about the other."""

    async def answer(self, request: Request, _origin: str) -> Response:
        if request.chain:
            await trio.sleep_forever()
        return Response(id=request.id, result={})


async def test_questions_that_wait_for_one_chain_take_no_room_from_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "REQUESTS_AT_ONCE", 2)
    chains = Chains(("", "asia"))
    link = Link(chains.leaser, LateThere(), "r1", chains=chains.named)
    where = tmp_path / "relay.sock"
    async with listening(where) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(link.serve, listener)
        client = Client(await trio.open_unix_socket(str(where)))
        async with client.stream:
            await client.hello()
            for number in (1, 2, 3):
                await client.send(Request(id=number, method="info", params={}, chain="asia"))
            busy = await client.receive()
            assert isinstance(busy, Response)
            assert busy.problem is not None
            assert (busy.id, busy.problem.code) == (3, "busy")
            await client.send(Request(id=4, method="info", params={}))
            assert await client.receive() == Response(id=4, result={})
        nursery.cancel_scope.cancel()


async def test_names_that_mean_no_chain_share_the_room_of_the_one_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever makes names up has room without end."""
    monkeypatch.setattr(link_module, "REQUESTS_AT_ONCE", 2)
    link = Link(Chains(("",)).leaser, LateThere(), "r1")
    where = tmp_path / "relay.sock"
    async with listening(where) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(link.serve, listener)
        client = Client(await trio.open_unix_socket(str(where)))
        async with client.stream:
            await client.hello()
            for number in (1, 2, 3):
                name = f"made-up-{number}"
                await client.send(Request(id=number, method="info", params={}, chain=name))
            busy = await client.receive()
            assert isinstance(busy, Response)
            assert busy.problem is not None
            assert (busy.id, busy.problem.code) == (3, "busy")
        nursery.cancel_scope.cancel()


@pytest.mark.programs
async def test_several_chains_have_their_journals_in_one_database(
    tmp_path: Path, nodes: Nodes, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    settings = config(tmp_path, more_chains=ASIA, journal=database)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run_relayer, settings)
        await until_ready(capsys)
        with trio.fail_after(10):
            while "code" in await asked(settings, "asia"):  # noqa: ASYNC110
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert chains_in(database) == ["", "asia"]
    for name, genesis_hash in (("", HERE), ("asia", THERE)):
        async with open_journal(settings.journal_place(name)) as journal:
            assert journal.bound_to() == genesis_hash


@pytest.mark.programs
async def test_one_of_several_relayers_follows_several_chains(
    tmp_path: Path,
    nodes: Nodes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    database: str,
) -> None:
    """Two relayers share the journals of two chains, and ask each chain's own signer."""
    signers: list[tuple[Path, str]] = []

    @asynccontextmanager
    async def signing(path: Path, domain: Any) -> AsyncIterator[KeystoreKeyring]:
        signers.append((path, domain.genesis_hash))
        keyring = KeystoreKeyring(tmp_path / path.name, "password")
        await keyring.check()
        yield keyring

    monkeypatch.setattr(run, "open_remote_keyring", signing)
    here, there = tmp_path / "here.sock", tmp_path / "there.sock"
    fields: dict[str, Any] = {
        "more_chains": ASIA,
        "journal": database,
        "signer": here,
        "more_signers": {"asia": there},
    }
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            settings = config(tmp_path / name, relayer_id=name, **fields)
            nursery.start_soon(run.run_relayer, settings)
            await until_ready(capsys)
            with trio.fail_after(10):
                while "code" in await asked(settings, "asia"):  # noqa: ASYNC110
                    await trio.sleep(0.05)
        for chain in chains_in(database):
            with attached(url_of_chain(database, chain)) as store:
                found = leasing.look_for(store, "one")
            assert (found.lives, found.others) == (1, 1), chain
        nursery.cancel_scope.cancel()
    assert set(signers) == {(here, HERE), (there, THERE)}
