"""A whole running system for tests, on the node that they share."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from main_job import parts
from main_job.parts import Dirs, environment
from main_job.processes import Child, Supervisor
from main_job.rest import RestFailed
from main_job.stage import Plan, Stage, open_stage
from main_job.video import demo_clip
from offchain.ledger.types import Session
from tests.system.node_process import node_binary

RATE = 10**9
UNIT = 10**12
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def stage_on(
    directory: Path, chain: str | None, *, viewers: int = 1, publish: bool = True
) -> AsyncIterator[Stage]:
    """Start relayer, server, people and a publisher; end them with the block."""
    dirs = Dirs(directory)
    paths = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    own = {"PYTHONPATH": paths, "PAYSTREAM_NODE": str(node_binary())}
    supervisor = Supervisor(directory / "logs", environment(dirs) | own)
    plan = Plan(viewers=viewers, rate_per_second=RATE, viewer_funds=200 * UNIT, chain=chain)
    try:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                async with open_stage(supervisor, dirs, plan, lambda _phase: None) as stage:
                    if publish:
                        await stage.publish(await trio.to_thread.run_sync(demo_clip))
                    yield stage
            nursery.cancel_scope.cancel()
    finally:
        supervisor.end_all()


def viewer(stage: Stage, seconds: int, *options: str, number: int = 0, money: str = "5") -> Child:
    """Start a counting viewer that deposits and grants `money` (in whole units)."""
    name = stage.people.viewer_names[number]
    command = parts.paystream("watch", "--server", stage.meeting.server, "--key", name, "--json")
    command += ["--stream", str(stage.meeting.stream), "--seconds", str(seconds), "--count-only"]
    command += ["--deposit", money, "--cap", money, *options]
    return stage.supervisor.start(f"watch-{len(stage.supervisor.children)}", command)


async def command(stage: Stage, *arguments: str) -> tuple[int, str, str]:
    """Run a `paystream` command; give exit code, standard output and standard error."""
    child = stage.supervisor.start(
        f"command-{len(stage.supervisor.children)}", parts.paystream(*arguments)
    )
    code = await child.wait()
    return code, "\n".join(child.stdout_lines), child.log.read_text()


async def requested(
    method: str, url: str, body: str | bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send one HTTP request; give the status, and the JSON object of the answer if it is one."""

    def send() -> tuple[int, dict[str, Any]]:
        place = urlsplit(url)
        connection = http.client.HTTPConnection(place.netloc, timeout=20)
        try:
            connection.request(method, place.path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(content) if is_json else {}

    return await trio.to_thread.run_sync(send)


async def sessions(stage: Stage) -> list[dict[str, Any]]:
    """The stream's sessions, as its owner sees them."""
    try:
        answer = await stage.rest.get("sessions")
    except RestFailed as failed:
        if failed.status != 503:
            raise
        return []  # a relayer that has just begun has read no block yet
    found: list[dict[str, Any]] = answer["sessions"]
    return found


async def until_delivered(stage: Stage, milliseconds: int, within_s: float = 60) -> dict[str, Any]:
    """Wait until a session has so much delivered, and give it."""
    return (await until_all_delivered(stage, 1, milliseconds, within_s))[0]


async def until_all_delivered(
    stage: Stage, count: int, milliseconds: int, within_s: float = 60
) -> list[dict[str, Any]]:
    """Wait until so many sessions have so much delivered each, and give them."""
    with trio.fail_after(within_s):
        while True:
            delivered = [
                session
                for session in await sessions(stage)
                if int(session["delivered_ms"]) >= milliseconds
            ]
            if len(delivered) >= count:
                return delivered
            await trio.lowlevel.checkpoint()
            await _next_best_block(stage)


async def until_closed(stage: Stage, grant: int, within_s: float = 90) -> None:
    """Wait until the grant has no open session in the best block."""
    with trio.fail_after(within_s):
        while await open_sessions(stage, grant):
            await _next_best_block(stage)


async def open_sessions(stage: Stage, grant: int) -> dict[int, Session]:
    """The grant's sessions in the best block."""
    return await stage.ledger.sessions(grant)


async def _next_best_block(stage: Stage) -> None:
    async with stage.ledger.heads("best") as heads:
        seen = 0
        async for _ in heads:
            seen += 1
            if seen == 2:
                return
