"""Two chains, one process, one media server: equal numbers are not confused, and what befalls one
chain is not felt on the other."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from offchain.chain_names import working_for
from offchain.cli.log_lines import formatter
from offchain.relayer import metrics
from offchain.relayer.chains import ChainNamedTwice, Chains
from streaming.session_state import (
    ConnectionState,
    PublisherState,
    Request,
    Response,
    SessionRef,
    States,
)
from tests.relayer.fake_chain import account
from tests.relayer.rig import ORIGIN, RATE, Rig, Server, Watching

NAMES = ("", "asia")


class OneServer:
    """One media server for both chains: it tells everything in one message, by chain."""

    def __init__(self, chains: Chains, rigs: dict[str, Rig]) -> None:
        self.chains = chains
        self.rigs = rigs
        self.publishers: list[PublisherState] = []
        self.publishers_denied: dict[str, str] = {}
        self._sequence = itertools.count(1)

    async def run(self) -> None:
        while True:
            await trio.sleep(0.5)
            for rig in self.rigs.values():
                for watching in rig.server.connections:
                    if watching.playing and not watching.final:
                        watching.delivered_ms += 500
            self.report()

    def report(self) -> None:
        told = {
            watching.connection: (watching, name)
            for name, rig in self.rigs.items()
            for watching in rig.server.connections
            if not watching.acknowledged
        }
        states = States(
            sequence=next(self._sequence),
            connections=[_named(watching, name) for watching, name in told.values()],
            publishers=self.publishers,
        )
        answer = self.chains.leaser.answer(states, "boot@server")
        for lease in answer.leases:
            watching, name = told[lease.connection]
            watching.lease = lease
            if not watching.final:
                watching.playing = lease.allowed
            if not lease.allowed and not lease.wait and not watching.final:
                watching.denied_at = trio.current_time()
                self.rigs[name].server.leave(watching, "denied")
        for connection in answer.acknowledged:
            told[connection][0].acknowledged = True
        self.publishers_denied = answer.publishers_denied


def _named(watching: Watching, chain: str) -> ConnectionState:
    ref = SessionRef(watching.ref.grant, watching.ref.index, chain)
    return ConnectionState(
        connection=watching.connection,
        session=ref,
        number=watching.number,
        delivered_ms=watching.delivered_ms,
        forwarded_ms=watching.delivered_ms,
        final=watching.final,
        end_reason=watching.end_reason,
    )


class Viewers(Server):
    """Who watches on one of the chains; `OneServer` tells of them."""

    def __init__(self, rig: Rig, name: str) -> None:
        super().__init__(rig, f"boot-{name}")

    def greet(self) -> None:
        """The one server says hello."""


class ChainRig(Rig):
    """One chain of the two. What is asked goes through the door that both have."""

    def __init__(self, name: str, path: Path, nursery: trio.Nursery, chains: Chains) -> None:
        super().__init__(path, nursery)
        self.name = name
        self.chains = chains
        self.server = Viewers(self, name)
        if name:
            self.chain.genesis_hash = "0x" + "22" * 32
        self.chain.add_stream(1, rate=RATE)

    async def start(self) -> None:
        with working_for(self.name):
            await self.nursery.start(self._run)
        self.chains.claim(self.name, self.chain.genesis_hash)
        self.chains.serve(self.name, self.relayer)
        while not self.relayer.core.view.usable:  # noqa: ASYNC110
            await trio.sleep(0.1)

    async def ask(self, method: str, **params: Any) -> Response:
        request = Request(id=1, method=method, params=params, chain=self.name)
        return await self.chains.requests.answer(request, ORIGIN)


class Both:
    """The default chain and another."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        self.chains = Chains(NAMES)
        self.here, self.there = (
            ChainRig(name, path / (name or "default") / "journal.sqlite", nursery, self.chains)
            for name in NAMES
        )
        self.server = OneServer(self.chains, {"": self.here, "asia": self.there})

    async def start(self) -> None:
        self.chains.leaser.greet("boot@server")
        await self.here.start()
        await self.there.start()

    async def restart(self) -> None:
        """End the process as SIGKILL does, and start it anew."""
        await self.here.crash()
        await self.there.crash()
        self.chains = Chains(NAMES)
        self.server.chains = self.here.chains = self.there.chains = self.chains
        await self.start()

    async def watch_both(self) -> tuple[Watching, Watching]:
        """The same account watches stream 1 of each."""
        here = await self.here.watch(await self.here.ready_viewer())
        there = await self.there.watch(await self.there.ready_viewer())
        return here, there

    async def leave_both(self, here: Watching, there: Watching) -> None:
        self.here.server.leave(here)
        self.there.server.leave(there)
        await self.here.until(lambda: self.here.closed(here) and self.there.closed(there))

    async def leave_paid(self, here: Watching, there: Watching) -> None:
        """Leave; each ledger has charged what was delivered there."""
        await self.leave_both(here, there)
        assert paid(self.here, here)
        assert paid(self.there, there)


@asynccontextmanager
async def two(path: Path) -> AsyncIterator[Both]:
    async with trio.open_nursery() as nursery:
        both = Both(path, nursery)
        nursery.start_soon(both.here.chain.run)
        nursery.start_soon(both.there.chain.run)
        await both.start()
        nursery.start_soon(both.server.run)
        yield both
        nursery.cancel_scope.cancel()


def paid(rig: Rig, watching: Watching) -> bool:
    """Whether the ledger has charged every whole second that was delivered, and no more."""
    return rig.earned() == watching.delivered_ms // 1000


async def test_each_is_charged_in_its_own_ledger_though_all_numbers_are_equal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        assert here.ref == there.ref
        await trio.sleep(30)
        both.there.server.leave(there)
        await both.there.until(lambda: both.there.closed(there))
        assert here.playing
        await trio.sleep(30)
        both.here.server.leave(here)
        await both.here.until(lambda: both.here.closed(here))
        assert here.delivered_ms > there.delivered_ms + 25_000
        assert paid(both.here, here)
        assert paid(both.there, there)
        await both.here.until(lambda: here.acknowledged and there.acknowledged)


async def test_an_account_has_one_token_and_one_grant_on_each_chain(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        token = await both.here.ready_viewer()
        refused = await both.there.ask("admit", token=token, stream=1)
        assert refused.problem is not None
        assert refused.problem.code == "token-invalid"
        challenge = await both.there.result("challenge", account=account("Alice"), purpose="watch")
        assert both.there.chain.genesis_hash in challenge["message"]
        assert both.here.chain.genesis_hash not in challenge["message"]


async def test_a_halted_chain_harms_no_session_of_the_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        await trio.sleep(20)
        both.there.chain.unreachable = True
        await trio.sleep(120)
        assert there.lease is not None
        assert there.lease.wait or not there.lease.allowed
        assert here.lease is not None
        assert here.lease.allowed
        assert here.delivered_ms > 135_000
        both.there.chain.unreachable = False
        await trio.sleep(30)
        await both.leave_both(here, there)
        assert paid(both.here, here)
        # what was forwarded unpaid on the halted chain is within the one viewer's credit there
        assert 0 <= there.delivered_ms - both.there.earned() * 1000 <= 20_000


async def test_a_reorganisation_of_one_chain_is_none_of_the_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        await trio.sleep(20)
        await both.there.chain.reorganise(2)
        await trio.sleep(20)
        assert here.playing
        assert there.playing
        await both.leave_paid(here, there)


async def test_both_go_on_from_their_journals_after_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        await trio.sleep(20)
        await both.restart()
        await trio.sleep(20)
        for watching in (here, there):
            assert watching.denied_at is None
            assert watching.playing
        await both.leave_paid(here, there)


async def test_a_chain_that_comes_later_takes_up_its_sessions(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        await trio.sleep(20)
        del both.chains.served["asia"]
        await both.there.crash()
        absent = await both.there.ask("status")
        assert absent.problem is not None
        assert (absent.problem.status, absent.problem.code) == (503, "chain-unavailable")
        assert "'asia'" in absent.problem.detail
        both.there.server.leave(there)
        delivered = here.delivered_ms
        await trio.sleep(10)
        assert here.delivered_ms >= delivered + 9_500
        assert not there.acknowledged
        await both.there.start()
        await both.there.until(lambda: there.acknowledged and both.there.closed(there))
        assert paid(both.there, there)


async def test_a_mistake_in_one_chains_relayer_leaves_the_others_leases(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with two(tmp_path) as both:
        here, there = await both.watch_both()
        await trio.sleep(10)

        def broken(*_: object) -> None:
            raise RuntimeError("a mistake")

        monkeypatch.setattr(both.there.relayer.leaser, "answer", broken)
        last = there.lease
        delivered = here.delivered_ms
        await trio.sleep(10)
        assert there.lease is last
        assert here.lease is not None
        assert here.lease.allowed
        assert here.delivered_ms >= delivered + 9_500
        assert "event=states-crashed chain='asia'" in caplog.text


async def test_a_publisher_is_denied_by_its_own_chain(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        for rig in (both.here, both.there):
            token = await rig.token("Bob", "publish", 1)
            await rig.result("publish", token=token, stream=1)
        both.server.publishers = [
            PublisherState(
                stream=1, chain=name, video_codec="VP8", audio_codec=None, viewers=0,
                bitrate_bps=0, frozen_ms=0,
            )
            for name in NAMES
        ]  # fmt: skip
        await trio.sleep(4)
        assert both.server.publishers_denied == {}
        both.there.chain.stop_stream(1, "Ended")
        await trio.sleep(10)
        assert both.server.publishers_denied == {"asia/1": "stream-ended"}


async def test_one_chain_under_two_names_is_refused_with_the_remedy() -> None:
    chains = Chains(NAMES)
    chains.claim("", "0x11")
    chains.claim("", "0x11")
    with pytest.raises(ChainNamedTwice, match=r"'asia'.*without a name.*0x11.*one name"):
        chains.claim("asia", "0x11")


async def test_a_chain_that_nobody_named_is_not_found() -> None:
    answer = await Chains(NAMES).requests.answer(
        Request(id=7, method="info", params={}, chain="europe"), ORIGIN
    )
    assert answer.problem is not None
    assert (answer.id, answer.problem.status, answer.problem.code) == (7, 404, "chain-not-found")
    assert "asia" in answer.problem.detail


async def test_metrics_and_readiness_name_the_chain(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with two(tmp_path) as both:
        await both.watch_both()
        answers = metrics.OfEach(
            {
                name: metrics.Answers(rig.relayer.core, lambda: True)
                for name, rig in both.server.rigs.items()
            }
        )
        await trio.sleep(20)
        families = list(text_string_to_metric_families(answers.text().decode()))
        assert len({family.name for family in families}) == len(families)
        (family,) = [each for each in families if each.name == "paystream_relay_sessions"]
        opened = {
            sample.labels.get("chain", ""): sample.value
            for sample in family.samples
            if sample.labels["phase"] == "open"
        }
        assert opened == {"": 1, "asia": 1}
        both.there.chain.unreachable = True
        await trio.sleep(60)
        status, _, body = answers.of("GET /readyz HTTP/1.1")
        assert status == "200 OK"
        assert b'"asia.chain"' in body
        both.here.chain.unreachable = True
        await trio.sleep(60)
        assert answers.of("GET /readyz HTTP/1.1")[0].startswith("503")


async def test_the_log_names_the_chain_of_each_line(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Written()
    handler.setFormatter(formatter("text"))
    logging.getLogger("paystream.relay").addHandler(handler)
    caplog.set_level(logging.INFO, "paystream.relay")
    try:
        async with two(tmp_path) as both:
            await both.watch_both()
            await trio.sleep(10)
    finally:
        logging.getLogger("paystream.relay").removeHandler(handler)
    admitted = [line for line in lines if "session-admitted" in line]
    assert len(admitted) == 2
    assert "chain=" not in admitted[0]
    assert "session=0-0" in admitted[0]
    assert "chain=asia" in admitted[1]
    assert "session=asia/0-0" in admitted[1]
