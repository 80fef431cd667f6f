"""mppx (npm) and pympp (PyPI), as they come: they read our 402, answer it, and read the receipt."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from streaming import payment_auth
from streaming.payment_auth import Challenge
from tests.http.fake_relayer import STREAM, WATCH_TOKEN
from tests.http.rig import http_rig
from tests.programs.scene import HERE, ROOT, missing, program

pytestmark = pytest.mark.programs

PROGRAMS = ROOT / ".programs"
SECRET = b"of the test"
ASKED = {"currency": "native", "amount": "1", "methodDetails": {"b": [1, True], "a": "é"}}
WITHIN_S = 120.0


def peer(client: str) -> tuple[list[str], dict[str, str]]:
    """A client's command and environment, or the test fails."""
    if client == "mppx":
        if not (ROOT / "tests/node_modules/mppx").exists():
            missing("mppx", "npm's mppx")
        return [program("node", "nodejs"), str(HERE / "mppx_peer.mjs")], {}
    if not (PROGRAMS / "mpp").exists():
        missing("pympp", "PyPI's pympp")
    return [sys.executable, str(HERE / "pympp_peer.py")], {"PYTHONPATH": str(PROGRAMS)}


async def run(client: str, url: str, token: str) -> dict[str, Any]:
    command, more = peer(client)
    process = await asyncio.create_subprocess_exec(
        *command,
        url,
        token,
        env={**os.environ, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, said = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen


@pytest.mark.parametrize("client", ["mppx", "pympp"])
def test_it_reads_our_challenge_answers_it_and_reads_our_receipt(client: str) -> None:
    async def main() -> None:
        async with http_rig() as r:
            seen = await run(client, f"{r.url}/whep/1", WATCH_TOKEN)
            assert seen["status"] == 201
            challenge = seen["challenge"]
            assert (challenge["method"], challenge["intent"]) == ("paystream", "session")
            assert challenge["realm"] == "test"
            assert challenge["description"] == "Watch stream 1, paid by the second"
            assert challenge["request"]["amount"] == STREAM["rate_per_second"]
            assert challenge["request"]["recipient"] == STREAM["owner"]
            assert challenge["request"]["methodDetails"]["resource"] == "/whep/1"
            receipt = seen["receipt"]
            assert (receipt["status"], receipt["method"]) == ("success", "paystream")
            assert (receipt["reference"], receipt["challengeId"]) == ("1-1", challenge["id"])
            assert (receipt["intent"], receipt["spent"]) == ("session", "0")
            assert seen["again"]["realm"] == "test"
            assert seen["again"]["id"] != challenge["id"]
            admitted = [q.params for q in r.relayer.requests if q.method == "admit"]
            assert [params["token"] for params in admitted] == [WATCH_TOKEN]

    asyncio.run(main())


@pytest.mark.parametrize("client", ["mppx", "pympp"])
def test_we_read_what_it_writes_and_bind_challenges_as_it_does(client: str) -> None:
    async def main() -> None:
        async with http_rig() as r:
            seen = await run(client, f"{r.url}/whep/1", WATCH_TOKEN)
            credential = payment_auth.read_credential(seen["authorization"])
            assert credential.challenge.id == seen["challenge"]["id"]
            assert credential.payload == seen["read"] == {"token": WATCH_TOKEN}
            (made,) = payment_auth.read_challenges(seen["shown"])
            assert made.asked() == ASKED
            assert made.request == payment_auth.encoded(ASKED)
            ours = Challenge(
                id="",
                realm="live.example",
                method="paystream",
                intent="session",
                request=payment_auth.encoded(ASKED),
                expires="2030-01-31T12:00:00Z",
            )
            assert made.id == payment_auth.bound_id(SECRET, ours)
            assert payment_auth.is_bound(SECRET, made)

    asyncio.run(main())
