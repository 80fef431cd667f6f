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
