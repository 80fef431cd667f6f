"""Lines of the log: fields come from the call, in both formats; tokens never show."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from offchain.cli.log_lines import formatter


def line(form: str, template: str, *given: Any, **more: Any) -> str:
    record = logging.LogRecord("paystream.relay", logging.INFO, "x.py", 1, template, given, None)
    for name, value in more.items():
        setattr(record, name, value)
    return formatter(form).format(record)


def test_fields_keep_their_kind_and_their_words() -> None:
    why = 'it\'s "full" at=3'
    told = json.loads(line("json", "event=session-open session=%s block=%d why=%r", "1-0", 7, why))
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "session-open",
        "session": "1-0",
        "block": 7,
        "why": why,
        "level": "info",
        "logger": "paystream.relay",
    }


def test_text_is_one_line_with_the_same_fields() -> None:
    text = line("text", "event=link-refused uid=%d why=%r until=%s", 7, "two\nlines \x1b[2J", None)
    time, rest = text.split(" ", 1)
    assert time.startswith("20")
    assert rest == 'info paystream.relay link-refused uid=7 why="two\\nlines \\x1b[2J" until=None'


def test_sentences_stay_sentences() -> None:
    sentence = "no relayer at %s (%s); trying on"
    told = json.loads(line("json", sentence, "/run/x", "gone=1"))
    assert told["event"] == "no relayer at /run/x (gone=1); trying on"
    assert line("text", "it said %s", "a\nb").endswith("it said a\\nb")
    assert line("text", "100% of it").endswith("100% of it")


def test_an_exception_is_in_its_line() -> None:
    try:
        int("no good")
    except ValueError:
        trace = sys.exc_info()
    told = json.loads(line("json", "event=states-crashed", exc_info=trace))
    assert "no good" in told["exception"]
    text = line("text", "event=states-crashed", exc_info=trace)
    assert text.splitlines()[0].endswith("paystream.relay states-crashed")
    assert "no good" in text.splitlines()[-1]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("secret", ["psw_Abcdefgh-1234_x", "psp_0123456789abcdef"])
def test_tokens_are_hidden_wherever_they_come_from(form: str, secret: str) -> None:
    for text in (
        line(form, "event=request-failed why=%s", f"401 for {secret}"),
        line(form, "it was %s", f"Authorization: Bearer {secret}"),
    ):
        assert secret not in text
        assert "(hidden)" in text


@pytest.mark.parametrize(
    ("template", "given"),
    [("event=x a=%s b=%d", ("one",)), ("event=x %d of %d", (1, 2)), ("event=%s", (None,))],
)
def test_a_badly_written_call_still_gives_a_line(template: str, given: tuple[Any, ...]) -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, template, given, None)
    try:
        record.getMessage()
    except TypeError:
        return  # logging itself refuses it, and says so
    assert json.loads(formatter("json").format(record))["level"] == "info"
