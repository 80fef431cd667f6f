"""Metrics, alive and ready: they tell the truth about a relayer, and 503 where it is none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from offchain.ledger.endpoints import NodeStatus
from offchain.relayer import metrics, readiness
from offchain.relayer.keyring import MemoryKeyring
from offchain.relayer.metrics import Answers
from tests.relayer.rig import Rig, rig

ROOT = Path(__file__).parents[2]


def families(answers: Answers) -> dict[str, Metric]:
    status, kind, body = answers.of("GET /metrics HTTP/1.1")
    assert status == "200 OK"
    assert kind.startswith("text/plain; version=")
    found = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in found}) == len(found)
    return {family.name.removeprefix("paystream_relay_"): family for family in found}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    family = found[name.removesuffix("_total").removesuffix("_count").removesuffix("_sum")]
    (sample,) = [
        sample
        for sample in family.samples
        if sample.name == f"paystream_relay_{name}" and sample.labels == labels
    ]
    return float(sample.value)


def ready(r: Rig, *, linked: bool = True) -> dict[str, Any]:
    status, _, body = Answers(r.relayer.core, lambda: linked).of("GET /readyz HTTP/1.1")
    told: dict[str, Any] = json.loads(body)
    assert status.startswith("200" if told["ready"] else "503")
    assert told["ready"] == (not told["failing"])
    failing: dict[str, Any] = told["failing"]
    return failing


async def test_a_session_shows_in_every_metric(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        answers = Answers(r.relayer.core, lambda: True)
        watching = await r.watch(await r.ready_viewer())
        await trio.sleep(20)
        found = families(answers)
        assert value(found, "sessions", phase="open") == 1
        assert value(found, "connections") == 1
        assert value(found, "ready") == 1
        assert value(found, "orders_sent_total", order="tick") == 3
        assert 19 <= value(found, "delivered_seconds_total") <= 20
        assert value(found, "admission_seconds_count", outcome="admitted") == 1
        for lag in ("opened", "delivered"):
            assert value(found, f"{lag}_lag_seconds_count") == 1
            assert 0.5 < value(found, f"{lag}_lag_seconds_sum") < 6
        assert value(found, "included_lag_seconds_count") == 3
        assert 1 < value(found, "included_lag_seconds_sum") / 3 < 10
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        await trio.sleep(10)
        found = families(answers)
        assert value(found, "sessions_closed_total") == 1
        assert value(found, "paid_seconds_total") == watching.delivered_ms // 1000
        assert value(found, "journaled_lag_seconds_count") > 10
        assert value(found, "journaled_lag_seconds_sum") < 2 * value(
            found, "journaled_lag_seconds_count"
        )
        finalized = value(found, "finalized_lag_seconds_count")
        assert finalized == value(found, "included_lag_seconds_count") > 2


async def test_refusals_are_admissions_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        answers = Answers(r.relayer.core, lambda: True)
        asked = await r.ask("admit", token=await r.token("Alice"), stream=1)
        assert asked.problem is not None
        found = families(answers)
        assert value(found, "admission_seconds_count", outcome="payment-required") == 1


async def test_each_metric_says_which_question_it_answers(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        found = families(Answers(r.relayer.core, lambda: True))
        own = {name: family for name, family in found.items() if not name.startswith("process_")}
        assert len(own) > 20
        for name, family in own.items():
            question, _, rest = family.documentation.partition(". ")
            assert question in ("Alive", "Earning", "Behind", "Safe"), name
            assert rest.endswith("."), name


def test_every_counter_of_the_relayer_has_its_help() -> None:
    counted = set()
    for path in (ROOT / "offchain/relayer").glob("*.py"):
        counted |= set(re.findall(r'core\.count\(\s*f?"([a-z_]+)', path.read_text()))
    assert counted == {*metrics._COUNTERS, metrics._ORDERS_SENT, "seconds_paid"}


class SignerAway(MemoryKeyring):
    unavailable = "the signer's socket is closed: start `paystream signer`"


async def test_ready_says_what_is_in_the_way(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        core = r.relayer.core
        assert ready(r) == {}
        assert list(ready(r, linked=False)) == ["link"]
        core.journal.healthy, core.journal.failure = False, "no room on the disk"
        assert ready(r) == {"journal": "no room on the disk"}
        core.journal.healthy = True
        keyring = core.keyring
        core.keyring = SignerAway()
        assert ready(r) == {"keys": SignerAway.unavailable}
        core.keyring = keyring
        core.unix_ms = lambda: core.view.best_ms + readiness.BEHIND_MAX_MS + 1
        assert "syncing" in ready(r)["chain"]
        core.unix_ms = lambda: core.view.best_ms
        assert core.view.finalized is not None
        held, core.view.finalized = core.view.finalized, None
        best = core.view.best
        assert best is not None
        core.view.best = type(best)(
            number=readiness.UNFINAL_BLOCKS_MAX + 1, hash=best.hash, parent_hash=best.parent_hash
        )
        assert list(ready(r)) == ["finality"]
        core.view.finalized = held
        core.view.seen_at -= 11
        assert "no new block for 1" in ready(r)["chain"]
        core.view.best = None
        assert "no block was seen yet" in ready(r)["chain"]


async def test_a_chain_that_falls_silent_and_comes_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        answers = Answers(r.relayer.core, lambda: True)
        r.chain.unreachable = True
        await trio.sleep(15)
        assert list(ready(r)) == ["chain"]
        assert value(families(answers), "check", check="chain") == 0
        assert value(families(answers), "chain_silent_seconds") > 10
        assert answers.of("GET /healthz HTTP/1.1")[0] == "200 OK"
        r.chain.unreachable = False
        await trio.sleep(10)
        assert ready(r) == {}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /healthz HTTP/1.1", "200 OK"),
        ("GET /metrics?x=1 HTTP/1.1", "200 OK"),
        ("HEAD /readyz HTTP/1.1", "200 OK"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("GET /other HTTP/1.1", "404 Not Found"),
        ("", "404 Not Found"),
        ("\xff", "404 Not Found"),
    ],
)
async def test_each_path_answers(
    tmp_path: Path, autojump_clock: MockClock, line: str, status: str
) -> None:
    async with rig(tmp_path) as r:
        assert Answers(r.relayer.core, lambda: True).of(line)[0] == status


async def test_each_node_is_told_of_by_its_name(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        r.chain.endpoints = tuple(
            NodeStatus(node=node, in_use=node == "ws://b", used=1, left=left, refused=2, why=None)
            for left, node in enumerate(("ws://a", "ws://b"))
        )
        text = Answers(r.relayer.core, lambda: True).text().decode()
        for line in (
            'node_in_use{node="ws://a"} 0.0',
            'node_in_use{node="ws://b"} 1.0',
            'node_left_total{node="ws://b"} 1.0',
            'node_refused_total{node="ws://a"} 2.0',
        ):
            assert f"paystream_relay_{line}\n" in text
        told = (await r.result("status"))["chain_nodes"]
        assert [each["node"] for each in told] == ["ws://a", "ws://b"]
