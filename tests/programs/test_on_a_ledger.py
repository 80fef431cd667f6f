"""GStreamer's webrtcbin on a running chain: what it watched is what the ledger has charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from main_job.stage import Stage
from offchain.cli.rest import AccountSigner
from offchain.keys.signer import LocalKey
from streaming.clients.rest_client import RestClient
from tests.programs.scene import HERE, peer
from tests.programs.test_gstreamer import PYTHON
from tests.system.staged import stage_on, until_closed, viewer

pytestmark = pytest.mark.programs

WATCH_S = 30.0
T = TypeVar("T")


async def test_webrtcbin_pays_for_what_it_watched(tmp_path: Path) -> None:
    async with stage_on(tmp_path, None, publish=False) as stage:
        await stage.publish(None)
        key, meeting = stage.people.viewers[0], stage.meeting
        # our own client deposits and grants, and leaves at once
        before = viewer(stage, 3)
        assert await before.wait() == 0, before.complaint("failed")
        watched_ms = await in_asyncio(
            lambda: watches_in_webrtcbin(meeting.server, meeting.stream, key)
        )
        assert watched_ms > WATCH_S * 900
        await is_reconciled(stage, key.address, watched_ms + before.last_json()["watched_ms"])


async def is_reconciled(stage: Stage, account: str, watched_ms: float) -> None:
    """At least 97 % of it is paid, whole seconds apart, and never more than half a second more."""
    ((number, _),) = (await stage.ledger.grants_of(account)).items()
    await until_closed(stage, number)
    grant = await stage.ledger.grant(number)
    stream = await stage.ledger.stream(stage.meeting.stream)
    assert grant is not None
    assert stream is not None
    assert grant.spent == grant.seconds * stream.rate_per_second
    paid_ms = 1000 * grant.seconds
    sessions = grant.next_index
    assert watched_ms * 0.97 - 1_200 * sessions <= paid_ms <= watched_ms + 500, (
        f"{watched_ms} ms were watched, {paid_ms} ms are paid"
    )


async def in_asyncio(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Let another loop do a job meanwhile, in a thread of its own."""
    return await trio.to_thread.run_sync(lambda: asyncio.run(job()))


async def watches_in_webrtcbin(server: str, stream: int, key: LocalKey) -> float:
    """Sign in, watch, and leave; what it has measured."""
    async with RestClient(server) as client:
        token = (await client.sign_in("watch", AccountSigner(key)))["token"]
    script = str(HERE / "gstreamer_peer.py")
    door = f"{server}/whep/{stream}"
    async with peer(PYTHON, script, "watch", door, token, "VP8", "rare-reports") as watching:
        answered = await watching.says("answered")
        assert answered["status"] == 201, answered
        await watching.says("picture")
        await asyncio.sleep(WATCH_S)
        return float((await watching.leave())["watched_ms"])
