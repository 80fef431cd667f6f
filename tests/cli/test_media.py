"""`watch`, `publish` and what asks the server, against a server of a few answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.rest import AccountSigner
from offchain.keys import dev_key, verify
from streaming.clients.config import PublishResult, WatchResult
from streaming.clients.rest_client import ClientError
from tests.cli.fake_ledger import ALICE, GENESIS, NOW_MS, UNIT, FakeLedger, event

TERMS = {
    "genesis_hash": GENESIS,
    "stream": 1,
    "asset": "native",
    "rate_per_second": str(UNIT // 1000),
    "viewer": ALICE,
    "delegate": "0x" + "11" * 32,
    "proof": "0x00" + "22" * 64,
    "vault": "0",
    "grant": None,
    "free_balance": str(100 * UNIT),
    "missing": ["funds", "grant"],
    "needs": {"deposit": str(UNIT), "cap": str(UNIT), "gap_ms": 72_000},
    "payable": False,
}
SESSION = {
    "grant": 3,
    "index": 0,
    "stream": 1,
    "status": "closed",
    "delivered_ms": 10_400,
    "paid_seconds": 10,
    "paid": str(UNIT // 100),
    "rate_per_second": str(UNIT // 1000),
    "close_reason": "Order",
}


@dataclass
class Server:
    """What the server answers, and what it was asked."""

    url: str = ""
    terms: dict[str, Any] = field(default_factory=lambda: dict(TERMS))
    message: str = f"PayStream wants to know that you are {ALICE}"
    status: dict[str, Any] = field(default_factory=dict)
    owner: str = ALICE
    looks_until_closed: int = 2
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body))
        path = request.path.removeprefix("/api/v1")
        if path == "/challenge" and body["purpose"] == "publish" and self.owner != ALICE:
            detail = f"{ALICE} does not own stream 1: sign with {self.owner}"
            return web.json_response({"code": "not-owner", "detail": detail}, status=403)
        if path == "/challenge":
            return web.json_response({"challenge": "c1", "message": self.message})
        if path == "/token":
            return self._token(body)
        if request.headers.get("Authorization") != "Bearer psw_1" and path != "/info":
            if path == "/status":
                return web.json_response(self.status)
            return web.json_response(
                {"status": 401, "code": "token-invalid", "detail": "sign in again"}, status=401
            )
        if path.endswith("/terms"):
            return web.json_response(self.terms)
        if path == "/info":
            return web.json_response({"symbol": "UNIT", "decimals": 12})
        if path == "/sessions":
            return web.json_response({"sessions": [SESSION]})
        if request.method == "GET":
            self.looks_until_closed -= 1
        state = "closed" if self.looks_until_closed <= 0 else "closing"
        return web.json_response({**SESSION, "status": state})

    def _token(self, body: Any) -> web.Response:
        signed = f"<Bytes>{self.message}</Bytes>".encode()
        signature = bytes.fromhex(body["signature"][2:])
        if not verify("sr25519", dev_key("Alice").public_key, signed, signature):
            return web.json_response({"code": "signature-wrong", "detail": "no"}, status=401)
        purpose = next(asked for _, path, asked in self.asked[::-1] if path.endswith("challenge"))
        token = "psp_1" if purpose["purpose"] == "publish" else "psw_1"
        return web.json_response({"token": token, "account": ALICE, "expires_at_ms": NOW_MS})


@pytest.fixture
def server() -> Iterator[Server]:
    made, ready, loop = Server(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        site = web.Application()
        site.router.add_route("*", "/{tail:.*}", made.answer)
        runner = web.AppRunner(site)
        await runner.setup()
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    return made


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    configs: list[Any] = []

    async def run_watch(config: Any) -> WatchResult:
        configs.append(config)
        config.on_progress({"event": "watching", "watched_ms": 1000})
        return WatchResult(
            stream=1,
            account=ALICE,
            session="3-0",
            sessions=("3-0",),
            watched_ms=10_400,
            freezes_ms=1_260,
            frames_decoded=250,
            first_frame_ms=321,
            delivered_ms=10_300,
        )

    monkeypatch.setattr("streaming.cli.run_watch", run_watch)
    return configs


def run(server: Server, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--server", server.url])


def refused(result: Result, code: Exit, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    for word in ("Error: ", *words):
        assert word in result.stderr


WATCH = ("watch", "--stream", "1")
PAY = ("--deposit", "2 UNIT", "--cap", "1 UNIT")


def test_what_is_missing_is_paid_and_granted_before_watching(
    server: Server, ledger: FakeLedger, watched: list[Any]
) -> None:
    ledger.events_of_receipt = (
        event("Granted", grant=3, viewer=ALICE, asset="Native", cap=UNIT, expires_at=NOW_MS),
    )
    result = run(server, *WATCH, *PAY, "--seconds", "10", "--count-only", "--json")
    assert result.exit_code == 0, result.output
    assert ledger.sent == [(b"deposit_and_grant", ALICE, "finalized")]
    told = json.loads(result.stdout)
    assert (told["session"], told["watched_ms"], told["frames_decoded"]) == ("3-0", 10_400, 250)
    assert (told["account"], told["delegate"]) == (ALICE, TERMS["delegate"])
    assert told["first_frame_ms"] == 321
    assert told["freezes_ms"] == 1_260
    (config,) = watched
    assert (config.stream, config.seconds, config.count_only) == (1, 10.0, True)
    assert config.signer.account == ALICE


def test_a_payable_stream_needs_no_transaction(
    server: Server, ledger: FakeLedger, watched: list[Any]
) -> None:
    server.terms |= {"missing": [], "payable": True}
    result = run(server, *WATCH)
    assert result.exit_code == 0, result.output
    assert ledger.sent == []
    assert "10.4 s" in result.stdout
    assert "0.32 s" in result.stdout
    assert "1.3 s" in result.stdout


HELD = {
    "event": "held",
    "session": "3-0",
    "reasons": ["path"],
    "why": "the path cannot carry the picture",
    "choice": "wait",
    "choices": ["sound-alone", "wait"],
    "sound_free_ms": 9_000,
}


def test_why_nothing_comes_is_said_on_standard_error(
    server: Server, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Any] = []

    async def run_watch(config: Any) -> WatchResult:
        configs.append(config)
        for told in (HELD, {"event": "flowing", "session": "3-0"}):
            config.on_progress(told)
        return WatchResult(stream=1, account=ALICE, session="3-0", sound_alone_ms=7_300)

    monkeypatch.setattr("streaming.cli.run_watch", run_watch)
    server.terms |= {"missing": [], "payable": True}
    result = run(server, *WATCH)
    assert "the path cannot carry the picture; --sound-alone goes on with sound" in result.stderr
    assert "the picture goes on" in result.stderr
    assert "7.30 s" in result.stdout
    result = run(server, *WATCH, "--sound-alone", "--json")
    told = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert told == [HELD, {"event": "flowing", "session": "3-0"}]
    assert json.loads(result.stdout)["sound_alone_ms"] == 7_300
    assert [config.sound_alone for config in configs] == [False, True]


def test_a_slot_that_is_taken_is_the_server_to_tell(
    server: Server, ledger: FakeLedger, watched: list[Any]
) -> None:
    server.terms |= {"missing": ["slot"], "payable": False}
    assert run(server, *WATCH).exit_code == 0
    assert len(watched) == 1


def test_only_money_missing_is_only_a_deposit(
    server: Server, ledger: FakeLedger, watched: list[Any]
) -> None:
    server.terms |= {"missing": ["funds"], "grant": {"id": 3}}
    assert run(server, *WATCH, *PAY).exit_code == 0
    assert ledger.sent == [(b"deposit 2000000000000", ALICE, "finalized")]


@pytest.mark.parametrize(
    ("terms", "given", "code", "words"),
    [
        ({}, (), Exit.SERVER_REFUSED, ["funds, grant", "--deposit AMOUNT --cap AMOUNT"]),
        ({"missing": ["grant"]}, (), Exit.SERVER_REFUSED, ["give --cap AMOUNT"]),
        ({"missing": ["funds"]}, (), Exit.SERVER_REFUSED, ["give --deposit AMOUNT"]),
        ({"missing": []}, PAY, Exit.SERVER_REFUSED, ["not active"]),
        ({"genesis_hash": "0x00"}, PAY, Exit.USAGE, ["another chain", "--chain"]),
        ({"proof": "0x00"}, PAY, Exit.USAGE, ["proof"]),
        ({}, ("--deposit", "200 UNIT", "--cap", "1"), Exit.REFUSED, ["100 UNIT"]),
    ],
)
def test_what_cannot_be_paid_is_not_watched(
    server: Server,
    ledger: FakeLedger,
    watched: list[Any],
    *,
    terms: dict[str, Any],
    given: tuple[str, ...],
    code: Exit,
    words: list[str],
) -> None:
    server.terms |= terms
    refused(run(server, *WATCH, *given), code, *words)
    assert watched == []
    assert ledger.sent == []


def test_a_dry_run_watches_nothing(server: Server, ledger: FakeLedger, watched: list[Any]) -> None:
    told = json.loads(run(server, *WATCH, *PAY, "--dry-run", "--json").stdout)
    assert (told["call"], told["fee"]) == ("Utility.batch_all", 12_345_678)
    server.terms |= {"missing": [], "payable": True}
    assert "nothing" in run(server, *WATCH, "--dry-run").stdout
    assert (ledger.sent, watched) == ([], [])


def test_no_server(ledger: FakeLedger) -> None:
    result = CliRunner().invoke(app, [*WATCH, "--server", "http://127.0.0.1:1"])
    refused(result, Exit.SERVER, "http://127.0.0.1:1", "paystream serve")


def test_a_text_that_is_not_about_us_is_not_signed(server: Server, ledger: FakeLedger) -> None:
    server.message = "sign me"
    refused(run(server, *WATCH), Exit.SERVER_REFUSED, ALICE, "do not use")
    assert not [path for _, path, _ in server.asked if path.endswith("/token")]


def test_a_challenge_is_signed_so_that_it_is_no_transaction() -> None:
    key = dev_key("Alice")
    signer = AccountSigner(key)
    message = f"hello {ALICE}".encode()
    signature = signer.sign(message)
    assert not verify("sr25519", key.public_key, message, signature)
    assert verify("sr25519", key.public_key, b"<Bytes>" + message + b"</Bytes>", signature)
    with pytest.raises(Failure):
        signer.sign(b"hello")
    assert "Alice" not in repr(signer)


def test_publish_says_when_it_is_live(
    server: Server, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def run_publish(config: Any) -> PublishResult:
        config.on_progress({"event": "live", "stream": config.stream})
        config.on_progress({"event": "publishing", "frames": 25})
        return PublishResult(
            stream=1, published_ms=1000, video_frames=25, reconnects=0, end_reason="seconds"
        )

    monkeypatch.setattr("streaming.cli.run_publish", run_publish)
    arguments = ("publish", "--stream", "1")
    result = run(server, *arguments)
    assert json.loads(result.stdout) == {"event": "live", "stream": 1}
    told = json.loads(run(server, *arguments, "--json").stdout)
    assert (told["video_frames"], told["account"]) == (25, ALICE)
    missing = str(tmp_path / "none.mp4")
    refused(run(server, *arguments, "--video", missing), Exit.USAGE, missing)


def test_an_ended_stream_is_the_servers_word(
    server: Server, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_publish(config: Any) -> PublishResult:
        raise ClientError("stream 1 has ended for good", code="stream-ended", status=410)

    monkeypatch.setattr("streaming.cli.run_publish", run_publish)
    refused(run(server, "publish", "--stream", "1"), Exit.SERVER_REFUSED, "ended for good")


def test_a_session_is_closed_through_the_server(
    server: Server, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offchain.cli.session.CLOSE_LOOK_S", 0)
    result = run(server, "session", "close", "3-0", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["session"], told["status"], told["paid"]) == ("3-0", "closed", UNIT // 100)
    methods = [each[0] for each in server.asked if each[1] == "/api/v1/sessions/3-0"]
    assert methods == ["DELETE", "GET", "GET"]
    assert "0.01 UNIT for 10 s" in run(server, "session", "close", "3-0").stdout


def test_a_session_that_does_not_close_is_a_failure(
    server: Server, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offchain.cli.session.CLOSE_WITHIN_S", 0.0)
    result = run(server, "session", "close", "3-0")
    assert result.exit_code == Exit.FAILED
    assert "is closing and not closed" in result.stderr
    assert run(server, "session", "close", "3-0", "--no-wait").exit_code == 0


def test_history_comes_from_the_server_with_integers(server: Server, ledger: FakeLedger) -> None:
    told = json.loads(run(server, "session", "list", "--history", "--json").stdout)
    assert told["sessions"][0]["paid"] == UNIT // 100
    text = run(server, "session", "list", "--history").stdout
    assert "10.4 s" in text
    assert "0.01 UNIT" in text


def test_a_grant_takes_the_key_that_the_server_names(server: Server, ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (
        event("Granted", grant=3, viewer=ALICE, asset="Native", cap=UNIT, expires_at=NOW_MS),
    )
    result = run(server, "grant", "give", "--stream", "1", "--cap", "1 UNIT", "--json")
    assert json.loads(result.stdout)["grant"] == 3
    assert ledger.sent == [(b"grant", ALICE, "finalized")]


def test_status_of_all_three(server: Server, ledger: FakeLedger) -> None:
    server.status = {
        "server": {"connections": 2, "publishers": 1},
        "relayer": {"journal": "ok", "chain_reachable": True, "sessions": {"open": 2}},
        "relayer_problem": None,
    }
    result = run(server, "status")
    assert result.exit_code == 0, result.output
    assert "2 open" in result.stdout
    server.status |= {"relayer": None, "relayer_problem": "the relayer is away"}
    gone = run(server, "status", "--json")
    assert gone.exit_code == Exit.SERVER
    assert json.loads(gone.stdout)["relayer"]["error"] == "the relayer is away"


# --- tokens -------------------------------------------------------------------------------

TOKEN = ("stream", "token", "1")


def test_a_creator_gets_what_obs_and_ffmpeg_ask_for(server: Server, ledger: FakeLedger) -> None:
    result = run(server, *TOKEN, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "stream": 1,
        "account": ALICE,
        "url": f"{server.url}/whip/1",
        "token": "psp_1",
        "expires_at_ms": NOW_MS,
    }
    (asked,) = (body for _, path, body in server.asked if path.endswith("/challenge"))
    assert asked == {"account": ALICE, "purpose": "publish", "stream": 1}
    assert ledger.sent == []


def test_a_token_is_on_standard_output_alone(
    server: Server, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    people, bare = run(server, *TOKEN), run(server, *TOKEN, "--bare")
    assert bare.stdout == "psp_1\n"
    assert bare.stderr == ""
    for part in (f"{server.url}/whip/1", "psp_1"):
        assert part in people.stdout
    assert "OBS" in people.stderr
    assert "psp_1" not in people.stderr + caplog.text


def test_who_does_not_own_the_stream_is_refused(server: Server, ledger: FakeLedger) -> None:
    server.owner = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
    refused(run(server, *TOKEN), Exit.SERVER_REFUSED, f"sign with {server.owner}")
