"""What an operator asks of a media server, as Prometheus text.

Each metric's help begins with the question that it answers: is it alive, does it earn, is it
behind, is it safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming.http.connections import Connections
from streaming.http.door import Door
from streaming.http.links import Links
from streaming.sfu.media_engine import MediaEngine

PREFIX: Final = "paystream_serve"


class Meters(Collector):
    """All that is measured of one media server, in a registry of its own."""

    def __init__(
        self, engine: MediaEngine, connections: Connections, door: Door, link: Links
    ) -> None:
        self._engine = engine
        self._connections = connections
        self._door = door
        self._link = link
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(namespace=PREFIX, registry=self._registry)

    def text(self) -> bytes:
        """Give one scrape."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give every family, as things are now."""
        link = self._link
        yield _gauge("relayer_connected", "Alive. Whether the relayer is there.", link.connected)
        yield _counter("relayer_connects", "Alive. Connections to the relayer.", link.connects)
        yield from self._earning()
        states = self._connections.states()
        yield _gauge(
            "unconfirmed_milliseconds",
            "Behind. What was forwarded and is not known to have arrived, over all viewers.",
            sum(state.unconfirmed_ms for state in states),
        )
        yield _gauge(
            "final_states_unacknowledged",
            "Behind. Ended connections of which the relayer has not confirmed the last state.",
            link.unacknowledged,
        )
        yield from self._safe()

    def _earning(self) -> Iterator[Metric]:
        live, totals = self._engine.all_live(), self._connections.totals()
        yield _gauge("open_connections", "Earning. Viewers' connections.", len(self._connections))
        yield _counter("connections", "Earning. Viewers' connections so far.", totals.connections)
        yield _gauge("publishers", "Earning. Streams that are being published.", len(live))
        yield _gauge(
            "ingest_bits_per_second",
            "Earning. What all publishers send.",
            sum(state.bitrate_bps for state in live),
        )
        yield _counter(
            "delivered_milliseconds",
            "Earning. Media time that viewers have and can decode.",
            totals.delivered_ms,
        )
        yield _counter(
            "forwarded_milliseconds", "Earning. Media time that was sent.", totals.forwarded_ms
        )
        yield _counter("packets_sent", "Earning. Packets to viewers.", totals.packets_sent)
        yield _counter("bytes_sent", "Earning. Bytes to viewers.", totals.bytes_sent)

    def _safe(self) -> Iterator[Metric]:
        yield _gauge(
            "half_open_connections",
            "Safe. Peer connections that were answered and are not connected.",
            len(self._door.half_open),
        )
        yield _counter(
            "refused_by_address", "Safe. Requests that a limit refused.", self._door.refusals
        )
        turned_away = CounterMetricFamily(
            f"{PREFIX}_datagrams_turned_away",
            "Safe. Datagrams on the media ports that were dropped, by kind.",
            labels=["kind"],
        )
        for kind, count in self._engine.turned_away().items():
            turned_away.add_metric([kind], count)
        yield turned_away


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", text, float(value))
