"""`paystream up`: one command brings a site up, keeps it up, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming.clients.browser import chromium, page_with_wallet

pytestmark = pytest.mark.system

READY_WITHIN_S = 240.0


class Up:
    """One running `paystream up --json`, and the lines that it has said."""

    def __init__(self, *arguments: str) -> None:
        node = os.environ.get("PAYSTREAM_NODE")
        command = [sys.executable, "-m", "offchain.cli", "up", "--json"]
        command += ["--rpc-port", "0", "--listen", "127.0.0.1:0", *arguments]
        command += ["--node", node] if node else []
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.ready = self.event("ready")

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            told: dict[str, Any] = json.loads(line)
            if told["event"] == name and fields.items() <= told.items():
                return told
        raise AssertionError(name)

    def get(self, path: str, body: Any = None, token: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["url"] + path, data)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


def family(up: Up) -> list[int]:
    return [up.process.pid, *up.ready["processes"].values()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    running = Up()
    yield running
    if running.process.poll() is None:
        running.end()


def test_it_says_where_everything_is_and_is_ready(up: Up) -> None:
    assert up.ready["development_accounts"]
    assert up.get("/readyz") == {"ready": True, "failing": {}}
    metrics = urllib.request.urlopen(up.ready["metrics"], timeout=10).read()
    assert b"paystream_relay_ready 1.0" in metrics
    assert sorted(up.ready["processes"]) == ["node", "relay", "serve", "signer"]


def test_an_account_of_the_chain_signs_in_without_a_wallet(up: Up) -> None:
    alice = up.get("/api/v1/info")["development_accounts"][0]["address"]
    assert signed_in(up, alice).startswith("psw_")


def test_a_part_that_is_killed_comes_back(up: Up) -> None:
    for part in ("signer", "relay", "serve", "node"):
        os.kill(up.ready["processes"][part], signal.SIGKILL)
        ended = up.event("ended", part=part)
        assert ended["exit_code"] == -signal.SIGKILL
        assert up.event("restarted", part=part)["count"] == 1
    before = up.get("/api/v1/info")["best_block"]
    until = time.monotonic() + 90
    while True:
        try:
            assert up.get("/readyz")["ready"]
            assert up.get("/api/v1/info")["best_block"] > before, "it is the same chain, and grows"
            break
        except (urllib.error.URLError, ConnectionError, AssertionError):
            assert time.monotonic() < until
            time.sleep(0.5)


@pytest.mark.browser
def test_a_page_makes_a_stream_with_a_development_account(up: Up) -> None:
    async def main() -> None:
        async with chromium() as browser, page_with_wallet(browser, None) as page:
            await page.goto(f"{up.ready['url']}/broadcast")
            await page.get_by_role("button", name="Use a development account").click()
            await page.get_by_text("Everybody can sign as this account").wait_for()
            accounts = await page.locator("#account option").all_inner_texts()
            assert accounts[0].startswith("Alice (development)")
            assert len(accounts) == 6
            await page.locator("#price").fill("0.06")
            await page.locator("#create").click()
            await page.locator("#own-stream option").first.wait_for(state="attached")

    asyncio.run(main())
    assert len(up.get("/api/v1/streams")["streams"]) == 1


def signed_in(up: Up, account: str) -> str:
    """Give a watch token of a development account."""
    asked = up.get("/api/v1/challenge", {"account": account, "purpose": "watch"})
    body = {"account": account, "kind": "raw", "data": "0x" + asked["message"].encode().hex()}
    signed = up.get("/api/v1/development/sign", body)["signature"]
    answer = up.get("/api/v1/token", {"challenge": asked["challenge"], "signature": signed})
    return str(answer["token"])


def test_the_keys_are_with_the_signer_and_a_new_one_goes_on(up: Up) -> None:
    command = [sys.executable, "-m", "offchain.cli", "stream", "create", "--rate", "0.001 UNIT"]
    command += ["--key", "//Alice", "--chain", up.ready["chain"], "--json"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    path = f"/api/v1/streams/{json.loads(made.stdout)['stream']}/terms"
    token = signed_in(up, up.get("/api/v1/info")["development_accounts"][1]["address"])
    terms = up.get(path, token=token)
    assert "signer-connected" in (Path(up.ready["logs"]) / "relay.log").read_text()
    killed = next(iter(pids_of(up, "signer")))
    os.kill(killed, signal.SIGKILL)
    up.event("restarted", part="signer")
    until = time.monotonic() + 30
    while True:
        try:
            assert up.get(path, token=token)["delegate"] == terms["delegate"]
            break
        except urllib.error.HTTPError:  # until the relayer has connected again
            assert time.monotonic() < until
            time.sleep(0.5)


def pids_of(up: Up, part: str) -> list[int]:
    """Find the children of the supervisor that run a command."""
    found = []
    for each in Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split():
        words = Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
        if part.encode() in words:
            found.append(int(each))
    return found


def test_ctrl_c_leaves_nothing_behind(up: Up) -> None:
    state = Path(up.ready["state_dir"])
    assert state.is_dir()
    began = time.monotonic()
    assert up.end() == 0
    assert time.monotonic() - began < 20
    assert not any(alive(pid) for pid in family(up))
    assert not state.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_end_leaves_a_child_behind_and_a_named_state_is_kept(
    tmp_path: Path, number: signal.Signals
) -> None:
    state = tmp_path / "site"
    up = Up("--state-dir", str(state))
    assert up.end(number) == (0 if number == signal.SIGTERM else -number)
    until = time.monotonic() + 10
    while any(alive(pid) for pid in family(up)):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert (state / "journal.sqlite").exists()
    assert (state / "password").stat().st_mode & 0o777 == 0o600


def test_a_chain_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "offchain.cli", "up", "--chain", "ws://127.0.0.1:1"]
    command += ["--state-dir", str(tmp_path), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert "Error: relay ended before it was ready" in ended.stderr
    assert "Traceback" not in ended.stderr
