"""`profile`, `chat` and `stream describe`, against a server with a community."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.keys.signer import dev_key
from streaming.community.database import opening
from tests.http.rig import http_rig

ALICE = dev_key("Alice").address


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Its address; it runs in a thread of its own."""
    started: list[str] = []
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            started.append(rig.url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert ready.wait(30)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def run(server: str, *arguments: str, key: str = "//Alice", given: str | None = None) -> Result:
    environment = {"PAYSTREAM_SERVER": server, "PAYSTREAM_KEY": key, "COLUMNS": "120"}
    return CliRunner().invoke(app, list(arguments), env=environment, input=given)


def told(server: str, *arguments: str, key: str = "//Alice") -> Any:
    result = run(server, *arguments, "--json", key=key)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1
    return json.loads(result.stdout)


def test_a_profile_is_set_bit_by_bit_taken_and_deleted(server: str) -> None:
    told(server, "profile", "set", "--name", "Alice", "--handle", "alice", "--language", "en")
    kept = told(server, "profile", "set", "--about", "at tea")
    assert (kept["name"], kept["handle"], kept["about"]) == ("Alice", "alice", "at tea")
    assert told(server, "profile", "show", "alice") == kept
    assert "@alice" in run(server, "profile", "show", ALICE).stdout
    assert told(server, "profile", "export")["profile"]["about"] == "at tea"
    refused = run(server, "profile", "delete", given="n\n")
    assert refused.exit_code == Exit.USAGE
    assert told(server, "profile", "delete", "--yes") == {"account": ALICE, "deleted": True}
    gone = run(server, "profile", "show", "alice")
    assert gone.exit_code == Exit.SERVER_REFUSED
    assert "nobody of this name" in gone.stderr


def test_a_command_leaves_no_session_behind(server: str) -> None:
    for _ in range(3):
        sessions = told(server, "profile", "export")["sessions"]
        assert [one["device"] for one in sessions] == ["the paystream command"]


def test_a_stream_is_described_by_its_owner(server: str, tmp_path: Path) -> None:
    file = tmp_path / "tea.md"
    file.write_text("Come **in**")
    describe = ("stream", "describe", "1", "--title", "Tea", "--description-file", str(file))
    kept = told(server, *describe, "--tag", "hats", "--tag", "tea", "--age-min", "12")
    assert kept["card"]["tags"] == ["hats", "tea"]
    assert told(server, "stream", "about", "1") == kept
    shown = run(server, "stream", "about", "1").stdout
    for words in ("Tea", "#hats #tea", "12 years", "Come **in**"):
        assert words in shown
    other = run(server, *describe, key="//Bob")
    assert other.exit_code == Exit.SERVER_REFUSED
    assert f"owned by {ALICE}: sign with that account" in other.stderr
    missing = run(server, *describe[:-1], str(tmp_path / "none"))
    assert missing.exit_code == Exit.USAGE
    assert "--description-file" in missing.stderr
    age = run(server, "stream", "describe", "1", "--title", "Tea", "--age-min", "17")
    assert age.exit_code == Exit.SERVER_REFUSED
    assert "age_min" in age.stderr


def test_chat_is_read_and_spoken(server: str) -> None:
    assert "Nobody has said anything" in run(server, "chat", "read", "1").stdout
    said = told(server, "chat", "say", "1", "hello [red]everybody[/red]", key="//Bob")
    assert (said["number"], said["text"]) == (1, "hello [red]everybody[/red]")
    assert "hello [red]everybody[/red]" in run(server, "chat", "read", "1").stdout
    assert told(server, "chat", "read", "1", "--after", "1")["messages"] == []
    refused = run(server, "chat", "say", "1", "a\nb")
    assert refused.exit_code == Exit.SERVER_REFUSED
    assert "one line" in refused.stderr


def test_somebody_is_followed_and_no_more(server: str) -> None:
    told(server, "profile", "set", "--name", "Alice", "--handle", "alice")
    bob = {"key": "//Bob"}
    followed = told(server, "profile", "follow", "alice", **bob)
    assert (followed["who"], followed["you_follow"], followed["followers"]) == ("alice", True, 1)
    listed = told(server, "profile", "following", **bob)
    assert [one["handle"] for one in listed["follows"]] == ["alice"]
    assert "Alice" in run(server, "profile", "following", **bob).stdout
    assert told(server, "profile", "unfollow", "alice", **bob)["followers"] == 0
    assert "You follow nobody." in run(server, "profile", "following", **bob).output
    refused = run(server, "profile", "follow", "alice")
    assert refused.exit_code == Exit.SERVER_REFUSED
    assert "yourself" in refused.stderr


def test_sessions_are_listed_and_ended(server: str) -> None:
    [one] = told(server, "profile", "sessions")["sessions"]
    assert one["device"] == "the paystream command"
    gone = run(server, "profile", "sessions", "--end", one["id"])
    assert gone.exit_code == Exit.SERVER_REFUSED  # that command has signed out since
    assert "the paystream command" in run(server, "profile", "sessions").stdout


def test_what_was_said_of_a_stream_is_removed(server: str) -> None:
    told(server, "stream", "describe", "1", "--title", "Tea")
    refused = run(server, "stream", "undescribe", "1", key="//Bob")
    assert refused.exit_code == Exit.SERVER_REFUSED
    assert told(server, "stream", "undescribe", "1") == {"stream": 1, "removed": True}
    assert run(server, "stream", "about", "1").exit_code == Exit.SERVER_REFUSED


def test_a_chat_is_heard(server: str) -> None:
    told(server, "profile", "set", "--name", "Alice")
    told(server, "chat", "say", "1", "hello")
    heard = run(server, "chat", "listen", "1", "--seconds", "1", "--json")
    assert heard.exit_code == 0, heard.output
    [joined] = [json.loads(line) for line in heard.stdout.splitlines()]
    assert joined["type"] == "joined"
    assert [one["text"] for one in joined["messages"]] == ["hello"]
    assert "Alice: hello" in run(server, "chat", "listen", "1", "--seconds", "1").stdout


def test_there_is_nothing_to_hear_without_a_community() -> None:
    nowhere = run("http://127.0.0.1:1", "chat", "listen", "1", "--seconds", "1")
    assert nowhere.exit_code == Exit.SERVER, nowhere.output
    assert "paystream serve" in nowhere.stderr


def test_a_creator_moderates_and_the_log_says_so(server: str, tmp_path: Path) -> None:
    for key in ("//Alice", "//Bob"):
        told(server, "profile", "set", "--name", key[2:], "--handle", key[2:].lower(), key=key)
    told(server, "chat", "say", "1", "buy my coin", key="//Bob")
    bob = dev_key("Bob").address
    muted = told(server, "community", "time-out", "1", "bob", "--seconds", "60")
    assert muted["account"] == bob
    refused = run(server, "chat", "say", "1", "buy it", key="//Bob")
    assert refused.exit_code == Exit.SERVER_REFUSED
    assert "may speak in this chat again" in refused.stderr
    told(server, "community", "let-speak", "1", "bob")
    told(server, "community", "ban", "1", "bob", "--reason", "sells coins")
    assert told(server, "community", "mutes", "1")["mutes"][0]["until_ms"] is None
    assert "for good" in run(server, "community", "mutes", "1").stdout
    told(server, "community", "delete", "1", "1", "--reason", "an advert")
    assert told(server, "community", "moderators", "1")["moderators"] == []
    told(server, "community", "moderator", "1", "bob")
    (named,) = told(server, "community", "moderators", "1")["moderators"]
    assert (named["handle"], named["account"]) == ("bob", bob)
    assert bob[:8] in run(server, "community", "moderators", "1").stdout
    told(server, "community", "moderator", "1", "bob", "--dismiss")
    assert "Nobody but the owner" in run(server, "community", "moderators", "1").stdout
    listed = told(server, "community", "audit", "list", "--stream", "1")["acts"]
    assert [one["act"] for one in reversed(listed)] == [
        "time-out",
        "let-speak",
        "ban",
        "delete-message",
        "name-moderator",
        "dismiss-moderator",
    ]
    assert "sells coins" in run(server, "community", "audit", "list", "--stream", "1").stdout
    assert run(server, "community", "audit", "list").exit_code == Exit.SERVER_REFUSED
    tables = tmp_path / "c.sqlite"
    verify = ("community", "audit", "verify", "--database", str(tables))
    checked = told(server, *verify)
    assert (checked["ok"], checked["entries"]) == (True, 6)
    assert checked["head"] in run(server, *verify).stdout.replace("\n", "")
    assert told(server, *verify, "--head", checked["head"])["ok"]
    other = run(server, *verify, "--head", "3:00", "--json")
    assert other.exit_code == Exit.FAILED
    error = json.loads(other.stdout)["error"]
    assert error["code"] == "audit-broken"
    assert "no entry is 3:00, which was noted elsewhere" in error["message"]
    assert run(server, *verify[:3]).exit_code == Exit.USAGE
    missing = run(server, *verify[:4], str(tmp_path / "none"))
    assert missing.exit_code == Exit.MACHINE
    assert not (tmp_path / "none").exists(), "looking makes no file"


def test_words_and_links_wait_for_a_moderator(server: str) -> None:
    kept = told(server, "community", "settings", "1", "--links", "held", "--links-days", "7")
    assert kept["settings"]["links_held"] is True
    assert "off" in run(server, "community", "settings", "1", "--slow-mode", "0").stdout
    assert run(server, "community", "settings", "1", "--links", "maybe").exit_code == Exit.USAGE
    shown = told(server, "community", "settings", "1")["settings"]
    assert (shown["links_held"], shown["links_days"], shown["slow_mode_s"]) == (True, 7, 0)
    assert "held" in run(server, "community", "settings", "1").stdout
    told(server, "community", "filter", "add", "moon", "--stream", "1")
    told(server, "community", "filter", "add", "coin", "--stream", "1", "--refuse")
    assert told(server, "chat", "say", "1", "see a.example/x", key="//Bob")["held"] is True
    assert "It waits" in run(server, "chat", "say", "1", "to the moon", key="//Bob").stderr
    assert run(server, "chat", "say", "1", "c o i n", key="//Bob").exit_code == Exit.SERVER_REFUSED
    first, second = told(server, "community", "held", "1")["held"]
    assert "to the moon" in run(server, "community", "held", "1").stdout
    assert told(server, "community", "release", "1", str(first["number"]))["number"] == 1
    rejected = told(server, "community", "release", "1", str(second["number"]), "--reject")
    assert rejected["rejected"] is True
    assert told(server, "community", "held", "1")["held"] == []
    listed = told(server, "community", "filter", "list", "--stream", "1")["filters"]
    assert {one["pattern"] for one in listed} == {"moon", "coin"}
    assert "coin" in run(server, "community", "filter", "list", "--stream", "1").stdout
    number = str(listed[0]["number"])
    assert told(server, "community", "filter", "remove", number, "--stream", "1")["removed"]
    assert run(server, "community", "filter", "list").exit_code == Exit.SERVER_REFUSED


def test_what_is_reported_is_answered(server: str) -> None:
    told(server, "chat", "say", "1", "buy my coin", key="//Bob")
    report = ("community", "report", "1", "spam", "--message", "1")
    assert told(server, *report, "--text", "again", key="//Charlie")["number"] > 0
    assert run(server, *report, key="//Charlie").exit_code == Exit.SERVER_REFUSED
    assert run(server, *report[:4]).exit_code == Exit.USAGE
    assert run(server, *report, "--who", "bob").exit_code == Exit.USAGE
    assert told(server, "community", "queue", "--stream", "1")["reports"][0]["count"] == 1
    assert "buy my coin" in run(server, "community", "queue", "--stream", "1").stdout
    assert run(server, "community", "queue").exit_code == Exit.SERVER_REFUSED
    answer = ("community", "answer", "1", "time-out", "--message", "1")
    assert run(server, *answer).exit_code == Exit.SERVER_REFUSED
    assert told(server, *answer, "--seconds", "60") == {
        "stream": 1,
        "answer": "time-out",
        "closed": 1,
    }
    own = told(server, "community", "reports", key="//Charlie")["reports"]
    assert [one["answer"] for one in own] == ["time-out"]
    assert "time-out" in run(server, "community", "reports", key="//Charlie").stdout


def test_what_is_said_answers_another(server: str) -> None:
    told(server, "chat", "say", "1", "who is there?")
    answer = told(server, "chat", "say", "1", "me", "--reply-to", "1", key="//Bob")
    assert answer["reply_to"] == 1
    none = run(server, "chat", "say", "1", "x", "--reply-to", "9", key="//Bob")
    assert none.exit_code == Exit.SERVER_REFUSED
    assert "no message 9" in none.stderr


def test_a_stream_says_when_it_starts(server: str) -> None:
    describe = ("stream", "describe", "1", "--title", "Tea")
    starts = ("--starts-at", "2030-05-01T20:00+02:00=Hats", "--starts-at", "2030-04-30T18:00Z")
    kept = told(server, *describe, *starts)["card"]["schedule"]
    assert kept == [
        {"starts_at_ms": 1_903_802_400_000, "title": ""},
        {"starts_at_ms": 1_903_888_800_000, "title": "Hats"},
    ]
    for wrong in ("tomorrow", "2030-05-01T20:00", "=Hats"):
        assert run(server, *describe, "--starts-at", wrong).exit_code == Exit.USAGE


def test_streams_are_found_by_what_is_said_of_them(server: str) -> None:
    told(server, "stream", "describe", "1", "--title", "Tea party", "--tag", "hats")
    [one] = told(server, "stream", "find", "party", "--tag", "hats")["streams"]
    assert (one["stream"], one["card"]["title"]) == (1, "Tea party")
    assert "Tea party" in run(server, "stream", "find", "tea").stdout
    assert told(server, "stream", "find", "croquet") == {"streams": []}
    assert told(server, "stream", "find", "--starts-within-s", "60") == {"streams": []}
    refused = run(server, "stream", "find", "--language", "english")
    assert refused.exit_code == Exit.SERVER_REFUSED
