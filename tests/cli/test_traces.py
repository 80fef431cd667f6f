"""Spans of sessions, as a collector gets them: decoded from what was sent to a real one."""

from __future__ import annotations

import gzip
import logging
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from offchain.cli import traces
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from streaming.http import connections
from tests.relayer.rig import rig


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps the spans, with the name of the service that sent each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: list[tuple[str, Any]] = []
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, name: str) -> Any:
        (span,) = (span for _, span in self.spans if span.name == name)
        return span


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += [(named["service.name"], span) for span in scope.spans]
        self.server.paths.add(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk", reason="paystream[otel] is not installed")
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in span.attributes
    }


async def test_a_session_is_one_trace_to_the_finalized_block(
    tmp_path: Path, autojump_clock: MockClock, collector: Collector
) -> None:
    with traces.told(collector.url, "paystream-relay"):
        async with rig(tmp_path) as r:
            watching = await r.watch(await r.ready_viewer())
            await r.until(lambda: watching.delivered_ms >= 15_000)
            r.server.leave(watching)
            await r.until(lambda: not r.relayer.core.book.sessions)
            name = str(watching.ref)
    serve = logging.getLogger(connections.__name__)
    with traces.told(collector.url, "paystream-serve"):
        serve.debug("event=connection-began session=%s connection=%s number=%d", name, "b-1", 1)
        serve.debug("event=media-began session=%s connection=%s", name, "b-1")
        serve.info(
            "event=connection-ended session=%s connection=%s reason=%s delivered_ms=%d",
            name, "b-1", "left", 15_000,
        )  # fmt: skip
    assert collector.paths == {"/v1/traces"}
    services = {span.name: service for service, span in collector.spans}
    assert services == {
        "session": "paystream-relay", "opening": "paystream-relay", "closing": "paystream-relay",
        "connection": "paystream-serve", "media": "paystream-serve",
    }  # fmt: skip
    trace_id, root_id = traces.ids_of("paystream", name)
    root = collector.of("session")
    assert root.trace_id == trace_id.to_bytes(16, "big")
    assert root.span_id == root_id.to_bytes(8, "big")
    assert root.parent_span_id == b""
    for _, span in collector.spans:
        assert span.trace_id == root.trace_id
        assert attributes(span)["paystream.session"] == name
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        if span is not root:
            assert span.parent_span_id == root.span_id
    steps = [event.name for event in root.events]
    told = [step for step in steps if step.startswith("session-")]
    assert told == ["session-admitted", "session-open", "session-ends", "session-closed"]
    assert steps.count("order-sent") >= 2  # ticks, and the close
    closed = attributes(root)
    assert (closed["paystream.seconds"], closed["paystream.end"]) == (15, "left")
    assert closed["paystream.block"] > 0
    assert attributes(collector.of("media"))["paystream.delivered_ms"] == 15_000


def test_who_was_restarted_tells_the_end_all_the_same(collector: Collector) -> None:
    log = logging.getLogger("paystream.relay.confirm")
    with traces.told(collector.url, "paystream-relay"):
        log.info("event=session-closed session=%s block=%d seconds=%d", "4-0", 12, 30)
        log.info("event=ready socket=%s", "/run/paystream/relay.sock")
    ((_, root),) = collector.spans
    assert (root.name, attributes(root)["paystream.resumed"]) == ("session", True)


def test_no_secret_is_in_a_span(collector: Collector) -> None:
    log = logging.getLogger("paystream.relay.confirm")
    token = "psw_" + "s3cret" * 4
    with traces.told(collector.url, "paystream-relay"):
        log.info("event=session-closed session=%s why=%r", "4-0", f"Bearer {token}")
    assert token not in repr(collector.spans)
    assert "(hidden)" in repr(collector.spans)


def test_a_collector_that_is_away_delays_no_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("paystream.relay.confirm")
    monkeypatch.setattr(traces, "ENDS_WITHIN_S", 0.5)
    began = time.monotonic()
    with traces.told("http://127.0.0.1:1", "paystream-relay"):
        log.info("event=session-closed session=%s", "4-0")
    assert time.monotonic() - began < 3


def test_the_standard_variables_count(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=live.example")
    log = logging.getLogger("paystream.relay.confirm")
    with traces.told(None, "paystream-relay"):
        log.info("event=session-closed session=%s", "4-0")
    ((service, root),) = collector.spans
    assert service == "another"
    assert root.trace_id == traces.ids_of("live.example", "4-0")[0].to_bytes(16, "big")


def test_without_an_endpoint_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in traces.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before = list(logging.getLogger("paystream").handlers)
    with traces.told(None, "paystream-relay"):
        assert logging.getLogger("paystream").handlers == before


def test_a_missing_package_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    told = traces.told("http://127.0.0.1:4318", "paystream-relay")
    with pytest.raises(Failure, match=r"paystream\[otel\]") as failed, told:
        pass
    assert failed.value.exit_code == Exit.MACHINE
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with traces.told(None, "paystream-relay"):
        assert "no-traces" in caplog.text
    told = traces.told("127.0.0.1:4318", "paystream-relay")
    with pytest.raises(Failure, match="--otlp-endpoint"), told:
        pass
