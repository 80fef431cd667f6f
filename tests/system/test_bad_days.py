"""Bad input and bad days on the whole system: named, mended, nothing charged and nothing lost."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from main_job.stage import Stage
from offchain.ledger.types import StreamChange
from tests.system.node_process import NodeProcess
from tests.system.staged import (
    RATE,
    UNIT,
    command,
    requested,
    sessions,
    stage_on,
    until_closed,
    until_delivered,
    viewer,
)

pytestmark = pytest.mark.system

ABSENCE_S = 30
SDP = {"Content-Type": "application/sdp"}

_TRANSPORT = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\na=setup:actpass\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
)
_SECTION = "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n"
SOUND = f"{_TRANSPORT}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{_SECTION}a=rtpmap:111 opus/48000/2\r\n"
VIDEO = f"{_TRANSPORT}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{_SECTION}a=rtpmap:96 VP8/90000\r\n"


def bearer(token: str) -> dict[str, str]:
    return {**SDP, "Authorization": f"Bearer {token}"}


async def token_of(stage: Stage, purpose: str) -> str:
    """A fresh token: the creator's to publish, the first viewer's to watch."""
    people = stage.people
    key = people.owner if purpose == "publish" else people.viewers[0]
    asked: dict[str, Any] = {"account": key.address, "purpose": purpose}
    if purpose == "publish":
        asked["stream"] = stage.meeting.stream
    challenge = await stage.rest.post("challenge", asked)
    signature = "0x" + key.sign(challenge["message"].encode()).hex()
    proof = {"challenge": challenge["challenge"], "signature": signature}
    return str((await stage.rest.post("token", proof))["token"])


def says(problem: dict[str, Any], *words: str) -> None:
    text = f"{problem.get('title')} {problem.get('detail')} {problem.get('code')}".lower()
    for word in words:
        assert word in text, text


async def test_requests_that_are_wrong_are_told_what_and_charge_nothing(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url, publish=False) as stage:
        server, stream = stage.meeting.server, stage.meeting.stream
        whip, whep = f"{server}/whip/{stream}", f"{server}/whep/{stream}"
        publish, watch = await token_of(stage, "publish"), await token_of(stage, "watch")

        status, problem = await requested("POST", whip, VIDEO, bearer("psp_" + "x" * 43))
        assert status == 401, problem
        says(problem, "token")
        status, problem = await requested(
            "GET", f"{server}/api/v1/sessions", headers=bearer("psw_" + "x" * 43)
        )
        assert status == 401, problem
        status, problem = await requested("POST", whip, VIDEO, SDP)
        assert status == 401, problem
        says(problem, "token")

        for body, expected in (("", 400), ("this is no SDP", 400), ("v=0\r\n" * 200_000, 413)):
            status, problem = await requested("POST", whip, body, bearer(publish))
            assert status == expected, problem
            assert problem["detail"]
        status, problem = await requested("POST", whip, SOUND, bearer(publish))
        assert status == 422, problem
        says(problem, "video")

        status, problem = await requested("POST", whip, VIDEO, bearer(watch))
        assert status in {401, 403}
        status, problem = await requested("POST", whep, VIDEO, bearer(publish))
        assert status in {401, 403, 409}

        await stage.ledger.end_stream(stage.people.owner, stream, wait="finalized")
        with trio.fail_after(20):
            while True:
                status, problem = await requested("POST", whip, VIDEO, bearer(publish))
                if status == 410:
                    break
        says(problem, "end")
        assert await sessions(stage) == []


async def test_commands_that_cannot_succeed_say_why_and_move_nothing(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url, publish=False) as stage:
        address = stage.people.viewers[0].address
        before = await stage.ledger.free_balance(address)
        text = tmp_path / "film.mp4"
        text.write_text("this is no film")
        stream = str(stage.meeting.stream)
        port = stage.meeting.server.rpartition(":")[2]
        cases: list[tuple[list[str], str]] = [
            (["stream", "create", "--rate", "0", "--key", "creator"], "rate"),
            (["vault", "deposit", "1000 UNIT", "--key", "viewer-1"], "deposit at most"),
            (["publish", "--stream", stream, "--key", "creator", "--video", str(text)], "film.mp4"),
            (["serve", "--listen", f"127.0.0.1:{port}"], port),
            (["relay", "--state-dir", str(stage.dirs.state)], "journal"),
            (["watch", "--stream", stream, "--key", "nobody"], "nobody"),
        ]
        stage.supervisor.env["PAYSTREAM_SERVER"] = stage.meeting.server
        for arguments, word in cases:
            code, said, words = await command(stage, *arguments)
            assert code != 0, (arguments, said, words)
            assert word in words, (arguments, words)
            assert "Traceback" not in words, words
        assert await stage.ledger.free_balance(address) == before
        assert stage.parts["relay"].running, "a second relayer does not disturb the first"


async def test_a_wrong_password_and_a_corrupt_key_are_told_apart(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url, publish=False) as stage:
        wrong = tmp_path / "wrong"
        wrong.write_text("not the password")
        wrong.chmod(0o600)
        arguments = ["vault", "deposit", "1 UNIT", "--key", "viewer-1"]
        code, _, words = await command(stage, *arguments, "--password-file", str(wrong))
        assert code != 0
        assert "password" in words
        key_file = stage.dirs.state / "keys" / "viewer-1.json"
        key_file.write_text(key_file.read_text()[:100])
        code, _, words = await command(stage, *arguments)
        assert code != 0
        assert "viewer-1" in words
        assert "Traceback" not in words


async def test_a_revoked_grant_stops_the_media_and_what_was_paid_stays_paid(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        watching = viewer(stage, 60)
        session = await until_delivered(stage, 7_000)
        key = stage.people.viewers[0]
        await stage.ledger.revoke(key, session["grant"], wait="finalized")
        with trio.fail_after(15):
            assert await watching.wait() == 0
        seen = watching.last_json()
        assert seen["end_reason"] != "seconds"
        await until_closed(stage, session["grant"])
        await _everything_adds_up(stage, seen)


async def test_a_vault_run_dry_stops_the_media_and_what_was_paid_stays_paid(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        seconds = 15
        money = f"0.{seconds * RATE:012d}"
        watching = viewer(stage, 90, money=money)
        with trio.fail_after(100):
            assert await watching.wait() == 0
        seen = watching.last_json()
        assert seen["end_reason"] != "seconds"
        assert seen["watched_ms"] < (seconds + 6) * 1000
        session = (await sessions(stage))[0]
        await until_closed(stage, session["grant"])
        stream = await stage.ledger.stream(stage.meeting.stream)
        assert stream is not None
        assert seconds * RATE * 8 // 10 <= stream.earned_total <= seconds * RATE


async def test_a_price_above_the_grant_is_refused_before_anything_is_charged(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        first = viewer(stage, 3)
        assert await first.wait() == 0
        stream = stage.meeting.stream
        change = StreamChange(rate_per_second=2 * RATE)
        await stage.ledger.update_stream(stage.people.owner, stream, change, wait="finalized")
        token = await token_of(stage, "watch")
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{stage.meeting.server}/api/v1/streams/{stream}/terms"
        status, terms = await requested("GET", url, headers=headers)
        assert status == 200
        assert "rate" in terms["missing"]
        assert terms["payable"] is False


async def test_a_killed_media_server_costs_at_most_the_unconfirmed_tail(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        watching = viewer(stage, 60)
        session = await until_delivered(stage, 7_000)
        await stage.kill("serve")
        with trio.fail_after(40):
            await watching.wait()
        seen = watching.last_json()
        # What it forwarded since its last word it alone knew, and is waited for; a new one in its
        # place has nothing to tell.
        await stage.start_server()
        await until_closed(stage, session["grant"])
        await _everything_adds_up(stage, seen)


async def test_a_node_that_is_gone_for_half_a_minute_comes_back_to_a_paid_session(
    own_node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path / "stage", own_node.url) as stage:
        watching = viewer(stage, 60)
        session = await until_delivered(stage, 7_000)
        await trio.to_thread.run_sync(own_node.kill)
        with trio.move_on_after(ABSENCE_S):
            await watching.wait()
        assert watching.running, "it is the length of the absence that is tested here"
        await trio.to_thread.run_sync(own_node.start)
        with trio.fail_after(90):
            assert await watching.wait() == 0
        seen = watching.last_json()
        await until_closed(stage, session["grant"], within_s=120)
        await _everything_adds_up(stage, seen)


async def test_a_killed_relayer_and_its_journal_survive_twice(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        watching = viewer(stage, 25)
        for _ in range(2):
            session = await until_delivered(stage, 5_000)
            await stage.kill("relay")
            await stage.start_relayer()
        with trio.fail_after(60):
            assert await watching.wait() == 0
        seen = watching.last_json()
        assert seen["end_reason"] == "seconds"
        await until_closed(stage, session["grant"])
        await _everything_adds_up(stage, seen)


async def test_a_publisher_that_dies_costs_nobody_anything(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path, node.url) as stage:
        watching = viewer(stage, 25)
        session = await until_delivered(stage, 7_000)
        stage.parts["publish"].send(signal.SIGKILL)
        with trio.fail_after(60):
            await watching.wait()
        seen = watching.last_json()
        assert seen["watched_ms"] < 15_000, "most of its 25 s the viewer waited for pictures"
        await until_closed(stage, session["grant"])
        await _everything_adds_up(stage, seen)


async def _everything_adds_up(stage: Stage, seen: dict[str, Any]) -> None:
    """Paid is what left the vault and what was earned, and no more than what was watched."""
    stream = await stage.ledger.stream(stage.meeting.stream)
    assert stream is not None
    address = stage.people.viewers[0].address
    paid = 5 * UNIT - await stage.ledger.vault(address)
    assert paid == stream.earned_total == stream.seconds * RATE
    assert stream.seconds * 1000 <= seen["watched_ms"] + 500
    assert seen["watched_ms"] - stream.seconds * 1000 < 4_500
    assert stream.sessions_open == 0
