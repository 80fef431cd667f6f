"""Spans of sessions for an OpenTelemetry collector, told from the lines of the log.

What is logged of a session (`session=4-0`, see `offchain.cli.log_lines`) becomes spans: what has a
beginning and an end is one, every other line an event in it. Both processes make the same trace and
the same root out of a session's name, without telling each other, so that they meet in one trace.

Sending is the SDK's: in batches from a thread of its own, into a bounded queue. A collector that is
away costs spans and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.log_lines import fields_of

log = logging.getLogger("paystream.traces")

VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
LOGGERS: Final = ("paystream", "streaming")
"""Above what the relayer logs, and above what the media server does."""
ENDS_WITHIN_S: Final = 2.0
"""How long the last spans may take at a process's end."""
OPEN_MAX: Final = 8_192
"""Spans that are open at a time; the oldest are given up."""
_INSTALL: Final = "`pip install 'paystream[otel]'` where paystream is"


@dataclass(frozen=True)
class Stretch:
    """A span of a session: the lines that begin and end it, and what tells several apart.

    The `root` is the session itself; every process knows its place without having begun it.
    """

    name: str
    begins: str
    ends: frozenset[str]
    by: str | None = None
    root: bool = False


STRETCHES: Final = (
    Stretch(
        "session",
        "session-admitted",
        frozenset({"session-closed", "session-never-opened"}),
        root=True,
    ),
    Stretch(
        "opening",
        "session-admitted",
        frozenset({"session-open", "session-refused", "session-never-opened"}),
    ),
    Stretch("closing", "session-ends", frozenset({"session-closed", "session-never-opened"})),
    Stretch("connection", "connection-began", frozenset({"connection-ended"}), by="connection"),
    Stretch("media", "media-began", frozenset({"connection-ended"}), by="connection"),
)


@contextmanager
def told(endpoint: str | None, service: str) -> Iterator[None]:
    """Send this process's spans to a collector while the block runs, if one is named.

    `endpoint` is the collector's base address, such as http://127.0.0.1:4318; without one the
    standard variables count, which also name headers, certificates and the resource. `service` is
    the process's name, unless OTEL_SERVICE_NAME is another. Raises Failure.
    """
    provider = _provider(endpoint, service)
    if provider is None:
        yield
        return
    handler = SessionSpans(provider)
    taken = [(each, each.level) for each in map(logging.getLogger, LOGGERS)]
    for logger, _ in taken:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)  # what is written to standard error has a level of its own
    try:
        yield
    finally:
        for logger, level in taken:
            logger.removeHandler(handler)
            logger.setLevel(level)
        _end(provider)


def _provider(endpoint: str | None, service: str) -> Any:
    """Give what makes and sends spans; None where no collector is named. Raises Failure."""
    if endpoint is None and not any(os.environ.get(name) for name in VARIABLES):
        return None
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise Failure(
            f"--otlp-endpoint is {endpoint!r}: give the collector's address, such as "
            "http://127.0.0.1:4318",
            Exit.USAGE,
            "otlp-endpoint-invalid",
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        if endpoint is None:  # it may be there for other programs of this machine
            log.warning("event=no-traces why=%r", f"OpenTelemetry is missing: {_INSTALL}")
            return None
        raise Failure(
            f"--otlp-endpoint needs OpenTelemetry, which is not installed: {_INSTALL}",
            Exit.MACHINE,
            "otel-missing",
        ) from None
    found = Resource.create()  # what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say
    named = {"service.namespace": found.attributes.get("service.namespace", "paystream")}
    if str(found.attributes["service.name"]).startswith("unknown_service"):
        named["service.name"] = service
    ids: Any = Ids()  # no subclass of the SDK's: this module is imported without it, too
    provider = TracerProvider(
        resource=found.merge(Resource(named)),
        id_generator=ids,
        shutdown_on_exit=False,
    )
    url = None if endpoint is None else endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider


def _end(provider: Any) -> None:
    """Send what is left, within `ENDS_WITHIN_S`: nobody waits for a collector that is away."""
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(ENDS_WITHIN_S)


class Ids:
    """Numbers of traces and spans: random ones, and for a session's root those of its name."""

    def __init__(self) -> None:
        self.next: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        """Give the trace of the span that begins."""
        return self.next[0] if self.next else int.from_bytes(os.urandom(16), "big") or 1

    def generate_span_id(self) -> int:
        """Give the number of the span that begins."""
        return self.next[1] if self.next else int.from_bytes(os.urandom(8), "big") or 1

    def is_trace_id_random(self) -> bool:
        """Tell the SDK that traces may not be sampled by their number."""
        return False


def ids_of(namespace: str, session: str) -> tuple[int, int]:
    """Give trace and root of a session, the same in each process of a site.

    `namespace` is the resource's `service.namespace`: one for each site whose spans meet in one
    collector, since two chains may count alike.
    """
    digest = hashlib.sha256(f"{namespace}/session/{session}".encode()).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:24], "big") or 1


@dataclass
class _Session:
    """The open spans of one session, by stretch and what tells several apart."""

    spans: dict[tuple[str, str], Any] = field(default_factory=dict)


class SessionSpans(logging.Handler):
    """Makes spans of what is logged. `logging` locks around `emit`."""

    def __init__(self, provider: Any) -> None:
        super().__init__(logging.DEBUG)
        self._tracer = provider.get_tracer("paystream")
        self._ids: Ids = provider.id_generator
        self._namespace = str(provider.resource.attributes.get("service.namespace", ""))
        self._sessions: dict[str, _Session] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line. What goes wrong here is no fault of the line's."""
        try:
            fields = fields_of(record)
            session = fields.pop("session", None)
            if session is not None:
                self._take(str(fields.pop("event")), str(session), fields, record)
        except Exception:
            self.handleError(record)

    def _take(
        self, event: str, name: str, fields: Mapping[str, Any], record: logging.LogRecord
    ) -> None:
        at_ns = int(record.created * 1e9)
        session = self._sessions.setdefault(name, _Session())
        for stretch in STRETCHES:
            if event == stretch.begins:
                self._begin(session, name, stretch, fields, at_ns)
        self._tell(session, event, fields, record, at_ns)
        for stretch in reversed(STRETCHES):
            if event in stretch.ends:
                self._finish(session, name, stretch, fields, at_ns)
        if not session.spans:
            del self._sessions[name]
        while len(self._sessions) > OPEN_MAX:
            del self._sessions[next(iter(self._sessions))]

    def _begin(
        self,
        session: _Session,
        name: str,
        stretch: Stretch,
        fields: Mapping[str, Any],
        at_ns: int,
        *,
        resumed: bool = False,
    ) -> Any:
        from opentelemetry import trace

        place = (stretch.name, str(fields.get(stretch.by, "")) if stretch.by else "")
        if place in session.spans:
            return session.spans[place]
        attributes: dict[str, Any] = {"paystream.session": name, **_attributes(fields)}
        if resumed:
            attributes["paystream.resumed"] = True
        trace_id, root_id = ids_of(self._namespace, name)
        context = None
        if stretch.root:
            self._ids.next = (trace_id, root_id)
        else:
            flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
            parent = trace.SpanContext(trace_id, root_id, is_remote=True, trace_flags=flags)
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        try:
            span = self._tracer.start_span(
                stretch.name, context=context, attributes=attributes, start_time=at_ns
            )
        finally:
            self._ids.next = None
        session.spans[place] = span
        return span

    def _tell(
        self,
        session: _Session,
        event: str,
        fields: Mapping[str, Any],
        record: logging.LogRecord,
        at_ns: int,
    ) -> None:
        """Put a line into the session's own span, or else into the newest that is open."""
        spans = session.spans
        span = spans.get(("session", "")) or (spans[next(reversed(spans))] if spans else None)
        if span is None:
            return
        attributes = {**_attributes(fields), "level": record.levelname.lower()}
        span.add_event(event, attributes=attributes, timestamp=at_ns)

    def _finish(
        self, session: _Session, name: str, stretch: Stretch, fields: Mapping[str, Any], at_ns: int
    ) -> None:
        place = (stretch.name, str(fields.get(stretch.by, "")) if stretch.by else "")
        span = session.spans.get(place)
        if span is None and stretch.root:  # it began before this process did
            span = self._begin(session, name, stretch, fields, at_ns, resumed=True)
        if span is None:
            return
        del session.spans[place]
        span.set_attributes(_attributes(fields))
        span.end(end_time=at_ns)


def _attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"paystream.{name}": value if isinstance(value, int | float) else str(value)
        for name, value in fields.items()
        if value is not None and name != "event"
    }
