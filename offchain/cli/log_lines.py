"""What the processes write to standard error: one line an event, as text or as JSON.

Code logs with the standard library: `log.info("event=session-open session=%s block=%d", ref, at)`.
The fields of such a line are read from the call itself, so a value never has to be parsed out of a
sentence again. What has no `event=` is a sentence for people, and stays one. `session` is the same
in both processes, from the first packet to the finalized block.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from offchain import chain_names

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("text", "json")
_QUIET: Final = ("aioice", "aiortc", "asyncio", "trio-websocket", "websockets")
"""Libraries that tell every step; their warnings are kept."""
_FIELD: Final = re.compile(r"(?P<name>[a-z_]+)=(?P<value>%(?:\.\d+)?[a-z]|[^\s%]+)")
_SECRET: Final = re.compile(r"\bps[wp]_[\w-]{8,}|(?i:bearer\s+)[\w.~+/-]{8,}")
"""Tokens, should one ever come into an error's words."""
_PLAIN: Final = re.compile(r"[^\s\"=]+")
_HIDDEN: Final = "(hidden)"
_Event = MutableMapping[str, Any]


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send this process's log to a stream, by default standard error. Names are of `LEVELS` and
    `FORMATS`."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(formatter(form))
    handler.setLevel(level.upper())  # traces take more of the log than is written
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)


def formatter(form: str) -> logging.Formatter:
    """Give the formatter of one of `FORMATS`."""
    as_json = form == "json"
    return structlog.stdlib.ProcessorFormatter(
        pass_foreign_args=True,
        foreign_pre_chain=[
            _fields,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _hide_secrets,
            structlog.processors.JSONRenderer(default=str) if as_json else _as_text,
        ],
    )


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Give the fields of an `event=` line, without secrets; none of a sentence for people."""
    event: _Event = {"_record": record, "positional_args": record.args or ()}
    del _fields(None, "", event)["_record"]
    return dict(_hide_secrets(None, "", event))


def _fields(_logger: Any, _method: str, event: _Event) -> _Event:
    """Take the fields of an `event=` line from its template and arguments."""
    record: logging.LogRecord = event["_record"]
    template, given = record.msg, event.pop("positional_args", ())
    if not isinstance(template, str) or not template.startswith("event="):
        return event
    rest = iter(given if isinstance(given, tuple) else ())
    for match in _FIELD.finditer(template):
        value: Any = match["value"]
        if value.startswith("%"):
            value = next(rest, None)
        is_figure = isinstance(value, int | float) or value is None
        event[match["name"]] = value if is_figure else str(value)
    return _of_chain(event)


def _of_chain(event: _Event) -> _Event:
    """Name the chain, where it has a name: two ledgers give their sessions the same numbers."""
    chain = chain_names.current()
    if chain:
        event["chain"] = chain
        if "session" in event:
            event["session"] = f"{chain}/{event['session']}"
    return event


def _hide_secrets(_logger: Any, _method: str, event: _Event) -> _Event:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRET.sub(_HIDDEN, value)
    return event


def _as_text(_logger: Any, _method: str, event: _Event) -> str:
    first = [event.pop("timestamp"), event.pop("level"), event.pop("logger")]
    trace = event.pop("exception", None)
    words = [*first, _printable(str(event.pop("event")))]
    words += [f"{name}={_word(value)}" for name, value in event.items()]
    line = " ".join(str(word) for word in words)
    return line if trace is None else f"{line}\n{trace}"


def _printable(text: str) -> str:
    """Keep what strangers say on its line, and away from the terminal's commands."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _word(value: Any) -> str:
    text = _printable(str(value))
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', "'") + '"'
