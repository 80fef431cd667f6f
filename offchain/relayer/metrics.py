"""What an operator asks of a relayer, over HTTP on loopback: Prometheus text, alive, ready.

`/metrics` answers four questions, of which each metric's help names one: is it alive, does it earn,
is it behind, is it safe. `/healthz` says that the process lives, `/readyz` with 503 what keeps it
from taking money.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import trio
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from offchain.relayer import readiness
from offchain.relayer.core import Core
from offchain.relayer.health import health

_HEAD_MAX: Final = 8_192
_REQUEST_WITHIN_S: Final = 5.0
PREFIX: Final = "paystream_relay"

_LAG_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1, 2, 4, 6, 8, 10, 15, 20, 30, 60, 120, 300, 900)
_ADMISSION_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16)
_LAGS: Final = {
    "opened": "from an admission until a best block has opened its session",
    "delivered": "from an admission until its first second is delivered",
    "journaled": "from a delivered second's report until it is on the disk",
    "included": "from a delivered second's report until a best block has charged it",
    "finalized": "from a charge in a best block until that block is final",
}
_COUNTERS: Final = {
    "sessions_opened": "Earning. Sessions that a best block has opened.",
    "sessions_closed": "Earning. Sessions whose close is final.",
    "batches_sent": "Earning. Transactions that brought several orders.",
    "batches_failed": "Behind. Batches that the chain did not take; their orders go one by one.",
    "orders_refused": "Behind. Orders that the ledger refused.",
    "sessions_adopted": "Safe. Open sessions of our keys that the journal did not know.",
    "sessions_settled": "Safe. Sessions that were settled after their window.",
    "nodes_disagreed": "Safe. Times that a node had another block where one was final.",
    "finalized_blocks_unread": "Safe. Finalized blocks whose events the node had dropped.",
}
_ORDERS_SENT: Final = "orders_sent_"


class Meters:
    """All that is measured of one relayer, in a registry of its own."""

    def __init__(self, core: Core, linked: Callable[[], bool]) -> None:
        self.registry = CollectorRegistry()
        self._lags = {
            lag: Histogram(
                f"{PREFIX}_{lag}_lag_seconds",
                f"Behind. Time {text}.",
                buckets=_LAG_BUCKETS_S,
                registry=self.registry,
            )
            for lag, text in _LAGS.items()
        }
        self._admissions = Histogram(
            f"{PREFIX}_admission_seconds",
            "Earning. Time from a viewer's question to the answer, by what came of it.",
            ["outcome"],
            buckets=_ADMISSION_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_State(core, linked))
        ProcessCollector(namespace=PREFIX, registry=self.registry)
        core.lags.observe = self._lag
        core.on_admission = self._admission

    def text(self) -> bytes:
        """Give one scrape."""
        return generate_latest(self.registry)

    def _lag(self, lag: str, seconds: float) -> None:
        self._lags[lag].observe(seconds)

    def _admission(self, outcome: str, seconds: float) -> None:
        self._admissions.labels(outcome).observe(seconds)


class _State(Collector):
    """What the relayer's state says at the moment of a scrape."""

    def __init__(self, core: Core, linked: Callable[[], bool]) -> None:
        self._core = core
        self._linked = linked

    def collect(self) -> Iterator[Metric]:
        """Give every family."""
        core = self._core
        figures = health(core)
        yield from self._alive(figures["best_block"] or 0, figures["finalized_block"] or 0)
        yield _gauge("connections", "Earning. Viewers' connections.", figures["connections"])
        sessions = GaugeMetricFamily(
            f"{PREFIX}_sessions", "Earning. Sessions, by phase.", labels=["phase"]
        )
        for phase, count in figures["sessions"].items():
            sessions.add_metric([phase], count)
        yield sessions
        yield _counter(
            "delivered_seconds",
            "Earning. Whole seconds that were delivered.",
            core.lags.delivered_seconds,
        )
        yield _counter(
            "paid_seconds",
            "Earning. Whole seconds of which the charge is final.",
            core.counters.get("seconds_paid", 0),
        )
        yield from self._events()
        yield _gauge(
            "unpaid_seconds_max",
            "Behind. The most that one session has delivered and no best block has charged.",
            figures["unpaid_seconds_max"],
        )
        yield _gauge(
            "credit_seconds",
            "Behind. What one viewer may be sent before a best block charges it.",
            core.book.budgets.credit_ms / 1000,
        )
        yield from self._safe()

    def _alive(self, best: int, finalized: int) -> Iterator[Metric]:
        core = self._core
        failing = readiness.failing(core, linked=self._linked())
        yield _gauge("ready", "Alive. Whether it could admit a viewer.", not failing)
        yield _check(failing)
        yield _gauge(
            "chain_silent_seconds",
            "Alive. Time since the last best block came; since the start, if none has.",
            min(core.view.silent_s, trio.current_time() - core.started_at),
        )
        yield from _nodes(core)
        yield _gauge(
            "viewers_leased",
            "Alive. Viewers whom this one of several relayers holds; 0 of one that is alone.",
            core.tenure.held,
        )
        yield _gauge("best_block", "Alive. The best block's number.", best)
        yield _gauge("finalized_block", "Alive. The finalized block's number.", finalized)

    def _events(self) -> Iterator[Metric]:
        counters = dict(self._core.counters)
        counters.pop("seconds_paid", None)
        found = counters.get("nodes_disagreed", 0)  # of nodes in use; others are not taken into it
        counters["nodes_disagreed"] = found + self._core.belief.disagreed
        sent = CounterMetricFamily(
            f"{PREFIX}_orders_sent", "Earning. Orders that the pool has taken.", labels=["order"]
        )
        for name in sorted(name for name in counters if name.startswith(_ORDERS_SENT)):
            sent.add_metric([name.removeprefix(_ORDERS_SENT)], counters.pop(name))
        yield sent
        for name, text in _COUNTERS.items():
            yield _counter(name, text, counters.pop(name, 0))
        others = CounterMetricFamily(
            f"{PREFIX}_events", "Alive. Everything else that is counted.", labels=["event"]
        )
        for name, count in sorted(counters.items()):
            others.add_metric([name], count)
        yield others

    def _safe(self) -> Iterator[Metric]:
        journal = self._core.journal
        yield _gauge("journal_ok", "Safe. Whether the last write succeeded.", journal.healthy)
        yield _counter("journal_commits", "Safe. Transactions on the disk.", journal.commits)
        try:
            path = Path(journal.place)
            size = path.stat().st_size
            disk = os.statvfs(path.parent)
        except OSError:
            # a database, or the directory is gone: `journal_ok` says what that means
            return
        yield _gauge("journal_bytes", "Safe. The journal's size.", size)
        free = disk.f_bavail * disk.f_frsize
        yield _gauge("journal_disk_free_bytes", "Safe. Room left on the journal's disk.", free)


def _nodes(core: Core) -> Iterator[Metric]:
    """Tell how each node that was named stands."""
    in_use = GaugeMetricFamily(
        f"{PREFIX}_node_in_use", "Alive. Whether each of the nodes is in use.", labels=["node"]
    )
    left = CounterMetricFamily(
        f"{PREFIX}_node_left",
        "Alive. Times that a node was left for another, since it fell silent or behind.",
        labels=["node"],
    )
    refused = CounterMetricFamily(
        f"{PREFIX}_node_refused",
        "Safe. Times that a node was not believed: it syncs, is behind, or disagrees.",
        labels=["node"],
    )
    for each in core.chain.endpoints:
        in_use.add_metric([each.node], each.in_use)
        left.add_metric([each.node], each.left)
        refused.add_metric([each.node], each.refused)
    yield from (in_use, left, refused)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", text, float(value))


class Answering(ABC):
    """What each path answers."""

    @abstractmethod
    def text(self) -> bytes:
        """Give one scrape."""

    @abstractmethod
    def uptime_s(self) -> float:
        """Tell for how long the relayer has been there."""

    @abstractmethod
    def families(self) -> Iterable[Metric]:
        """Give what a scrape gives, as families."""

    @abstractmethod
    def failing(self) -> dict[str, str]:
        """Name what keeps it from taking money."""

    def is_ready(self) -> bool:
        """Tell whether it can take money."""
        return not self.failing()

    def of(self, request_line: str) -> tuple[str, str, bytes]:
        """Give status, content type and body for the first line of a request."""
        method, _, rest = request_line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path not in ("/metrics", "/healthz", "/readyz"):
            return "404 Not Found", "text/plain", b"there are /metrics, /healthz and /readyz\n"
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", "text/plain", b"use GET\n"
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE_LATEST, self.text()
        if path == "/healthz":
            return _json("200 OK", {"status": "ok", "uptime_s": int(self.uptime_s())})
        is_ready = self.is_ready()
        status = "200 OK" if is_ready else "503 Service Unavailable"
        return _json(status, {"ready": is_ready, "failing": self.failing()})


class Answers(Answering):
    """What a running relayer answers."""

    def __init__(self, core: Core, linked: Callable[[], bool]) -> None:
        self._core = core
        self._linked = linked
        self._meters = Meters(core, linked)

    def text(self) -> bytes:
        """Give one scrape."""
        return self._meters.text()

    def families(self) -> Iterable[Metric]:
        """Give what a scrape gives, as families."""
        return self._meters.registry.collect()

    def uptime_s(self) -> float:
        """Tell for how long the relayer has been there."""
        return trio.current_time() - self._core.started_at

    def failing(self) -> dict[str, str]:
        """Name what keeps it from taking money."""
        return readiness.failing(self._core, linked=self._linked())


class Starting(Answering):
    """What a relayer answers that waits for its chain; then it lets `then` answer."""

    def __init__(self) -> None:
        self.why = "the relayer is starting"
        self.then: Answering | None = None
        self._started_at = trio.current_time()
        self._registry = CollectorRegistry()
        self._registry.register(_Waiting())
        ProcessCollector(namespace=PREFIX, registry=self._registry)

    def text(self) -> bytes:
        """Give one scrape."""
        return generate_latest(self._registry) if self.then is None else self.then.text()

    def families(self) -> Iterable[Metric]:
        """Give what a scrape gives, as families."""
        return self._registry.collect() if self.then is None else self.then.families()

    def uptime_s(self) -> float:
        """Tell for how long the process has been there."""
        return trio.current_time() - self._started_at

    def failing(self) -> dict[str, str]:
        """Name what keeps it from taking money."""
        return {"chain": self.why} if self.then is None else self.then.failing()


def of_each(chains: Mapping[str, Starting]) -> Answering:
    """Answer for the chains that one relayer follows, by name. One alone answers for itself."""
    return next(iter(chains.values())) if len(chains) == 1 else OfEach(chains)


class OfEach(Answering):
    """What a relayer of several chains answers: with the label `chain` where a chain has a name.

    It is ready while one of them is: a chain that halts is no reason to send nobody to the others.
    """

    def __init__(self, chains: Mapping[str, Answering]) -> None:
        self._chains = chains
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self.families))

    def text(self) -> bytes:
        """Give one scrape."""
        return generate_latest(self._registry)

    def families(self) -> Iterable[Metric]:
        """Put the same families of all chains together; the process has no chain."""
        found: dict[str, Metric] = {}
        for name, chain in self._chains.items():
            for family in chain.families():
                if name and family.name.startswith(f"{PREFIX}_process_"):
                    continue
                whole = found.setdefault(family.name, family)
                samples = family.samples
                if name:
                    samples = [
                        each._replace(labels={**each.labels, "chain": name}) for each in samples
                    ]
                whole.samples = samples if whole is family else whole.samples + samples
        return found.values()

    def uptime_s(self) -> float:
        """Tell for how long the process has been there."""
        return max(chain.uptime_s() for chain in self._chains.values())

    def failing(self) -> dict[str, str]:
        """Name what keeps each chain's relayer from taking money."""
        return {
            f"{name}.{check}" if name else check: why
            for name, chain in self._chains.items()
            for check, why in chain.failing().items()
        }

    def is_ready(self) -> bool:
        """Tell whether it can take money on one chain at least."""
        return any(chain.is_ready() for chain in self._chains.values())


class _Families(Collector):
    """Families that are made at the moment of a scrape."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        """Give every family."""
        return self._collect()


class _Waiting(Collector):
    """What is so as long as there is no chain."""

    def collect(self) -> Iterator[Metric]:
        """Give every family."""
        yield _gauge("ready", "Alive. Whether it could admit a viewer.", 0)
        yield _check(("chain",), known=("chain",))


def _check(failing: Container[str], known: Iterable[str] = readiness.CHECKS) -> Metric:
    checks = GaugeMetricFamily(
        f"{PREFIX}_check", "Alive. Whether each check of readiness passes.", labels=["check"]
    )
    for check in known:
        checks.add_metric([check], check not in failing)
    return checks


def _json(status: str, body: dict[str, object]) -> tuple[str, str, bytes]:
    return status, "application/json", json.dumps(body).encode() + b"\n"


async def serve(answers: Answering, listener: trio.SocketListener) -> None:
    """Answer requests for ever."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            with trio.move_on_after(_REQUEST_WITHIN_S):
                head = b""
                while b"\r\n\r\n" not in head and len(head) < _HEAD_MAX:
                    part = await stream.receive_some(1024)
                    if not part:
                        return
                    head += part
                line = head.partition(b"\r\n")[0].decode("latin-1")
                status, kind, body = answers.of(line)
                lines = [
                    f"HTTP/1.1 {status}",
                    f"Content-Type: {kind}",
                    f"Content-Length: {len(body)}",
                    "Cache-Control: no-store",
                    "Connection: close",
                    "\r\n",
                ]
                sent = b"" if line.startswith("HEAD ") else body
                await stream.send_all("\r\n".join(lines).encode() + sent)

    async def quietly(stream: trio.SocketStream) -> None:
        try:
            await handle(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    await trio.serve_listeners(quietly, [listener])
