"""Media and community as two processes, on a node: the whole journey, and a half that dies."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from main_job import parts
from offchain.site import READY_SECONDS_MAX
from tests.system.node_process import NodeProcess
from tests.system.staged import (
    command,
    requested,
    stage_on,
    until_delivered,
    viewer,
)

pytestmark = pytest.mark.system


async def test_a_stream_is_watched_at_one_and_talked_about_at_the_other(
    node: NodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = parts.free_port()
    people = f"http://127.0.0.1:{port}"
    media = parts.paystream("serve", "--only", "media", "--community-origin", people)
    monkeypatch.setenv(parts.SERVE_VARIABLE, shlex.join(media))
    async with stage_on(tmp_path, node.url) as stage:
        at_media, stream = stage.meeting.server, str(stage.meeting.stream)
        start = parts.paystream("serve", "--only", "community", "--listen", f"127.0.0.1:{port}")
        start += ["--media-origin", at_media]
        start += ["--community-database", str(tmp_path / "community.sqlite")]
        community = stage.supervisor.start("community", start)
        await community.ready("ready", READY_SECONDS_MAX)
        assert await requested("GET", f"{people}/readyz") == (200, {"ready": True, "failing": {}})

        async def said(*arguments: str) -> Any:
            code, out, log = await command(stage, *arguments, "--server", people, "--json")
            assert code == 0, log
            return json.loads(out)

        owner, watcher = stage.people.owner_name, stage.people.viewer_names[0]
        await said("stream", "describe", stream, "--title", "Tea", "--key", owner)
        watching = viewer(stage, 8)
        await until_delivered(stage, 2_000)
        await said("chat", "say", stream, "hello", "--key", watcher)
        await said("chat", "say", stream, "welcome", "--key", owner)
        messages = (await said("chat", "read", stream))["messages"]
        assert [(one["text"], one["role"]) for one in messages] == [
            ("hello", None),
            ("welcome", "owner"),
        ]
        _, cards = await requested("GET", f"{people}/api/v1/cards")
        [card] = [one for one in cards["cards"] if one["stream"] == stage.meeting.stream]
        assert card["card"]["title"] == "Tea"

        # what is the other's is refused with its address, and with no personal data
        status, problem = await requested("GET", f"{at_media}/api/v1/streams/{stream}/chat")
        assert (status, problem["code"]) == (404, "community-elsewhere")
        assert people in problem["detail"]
        status, problem = await requested("GET", f"{people}/api/v1/info")
        assert (status, problem["code"]) == (404, "media-elsewhere")
        assert "Tea" not in str(await requested("GET", f"{at_media}/api/v1/streams/{stream}"))

        # people may go, and media goes on
        community.send(signal.SIGKILL)
        await community.wait()
        with trio.fail_after(90):
            assert await watching.wait() == 0
        assert watching.last_json()["delivered_ms"] > 4_000
