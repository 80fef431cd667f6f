"""How each part of the system is started: public commands, loopback, free ports."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from main_job.options import PathOptions
from main_job.processes import Child, ProcessFailed, Supervisor
from offchain import site
from offchain.cli.failure import Failure
from offchain.cli.node import find_node
from offchain.site import READY_SECONDS_MAX, free_port, paystream

__all__ = ["Dirs", "Meeting", "free_port", "paystream"]

SERVE_VARIABLE: Final = "PAYSTREAM_DEMO_SERVE"
"""A command that stands in for `paystream serve`; tests put a faulty server here."""
NODE_VARIABLE: Final = "PAYSTREAM_NODE"
"""Path of the node's program; scripts/demo sets it."""


@dataclass(frozen=True)
class Dirs:
    """Where one run keeps what it makes; all below one temporary directory."""

    root: Path

    @property
    def state(self) -> Path:
        """Keys, journal and socket."""
        return self.root / "state"

    @property
    def password_file(self) -> Path:
        """The keystore's password."""
        return self.root / "password"

    @property
    def socket(self) -> Path:
        """Where the relayer listens."""
        return self.state / "relay.sock"


def environment(dirs: Dirs) -> dict[str, str]:
    """Give the children's environment: nothing of this user's own PayStream set-up leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYSTREAM_")}
    return kept | {
        "PAYSTREAM_STATE_DIR": str(dirs.state),
        "PAYSTREAM_PASSWORD_FILE": str(dirs.password_file),
        "PYTHONUNBUFFERED": "1",
        "XDG_CONFIG_HOME": str(dirs.root / "config"),
    }


def node_program() -> Path:
    """Find the node's program. Raises ProcessFailed if it has not been built."""
    named = os.environ.get(NODE_VARIABLE)
    try:
        return find_node(Path(named) if named else None)
    except Failure as failure:
        raise ProcessFailed(f"{failure}; scripts/setup does it, too") from None


async def start_node(supervisor: Supervisor, dirs: Dirs) -> tuple[Child, str]:
    """Start a development chain of its own; give it and its address once it makes blocks."""
    port = free_port()
    command = site.node_command(node_program(), dirs.root / "chain", port)
    node = supervisor.start("node", command)
    url = f"ws://127.0.0.1:{port}"
    await site.makes_blocks(node, url)
    return node, url


async def start_relayer(
    supervisor: Supervisor, dirs: Dirs, chain: str, batch_account: str | None = None
) -> Child:
    """Start the relayer, with a batch account of its own where one is named; ready when it
    listens."""
    command = paystream("relay", "--chain", chain, "--socket", str(dirs.socket))
    if batch_account is not None:
        command += ["--batch-account", batch_account]
    relayer = supervisor.start("relay", command)
    await relayer.ready("ready", READY_SECONDS_MAX)
    return relayer


async def start_server(
    supervisor: Supervisor, dirs: Dirs, origin: str | None = None, *, listen: str = "127.0.0.1:0"
) -> tuple[Child, str]:
    """Start the media server on `listen`; give it and its URL once it listens.

    `origin` is where clients reach it, if that is elsewhere: tokens are bound to it.
    """
    prefix = shlex.split(os.environ.get(SERVE_VARIABLE, "")) or paystream("serve")
    command = [*prefix, "--socket", str(dirs.socket), "--listen", listen]
    if origin is not None:
        command += ["--origin", origin]
    server = supervisor.start("serve", command)
    message = await server.ready("ready", READY_SECONDS_MAX)
    return server, str(message["url"])


async def start_server_behind(
    supervisor: Supervisor, dirs: Dirs, path: PathOptions
) -> tuple[dict[str, Child], str]:
    """Start the media server and a path before it; give both by name, and the path's URL."""
    # The server must know the path's URL, and the path the server's: one is chosen before.
    listen = f"127.0.0.1:{free_port()}"
    server, url = await start_server(supervisor, dirs, f"http://{listen}")
    command = [sys.executable, "-m", "streaming.clients.path", "--listen", listen, "--to", url]
    command += ["--loss", str(path.loss), "--loss-in", str(path.loss_in)]
    command += ["--delay-ms", str(path.delay_ms), "--jitter-ms", str(path.jitter_ms)]
    if path.rate_kbps is not None:
        command += ["--rate-kbps", str(path.rate_kbps)]
    before = supervisor.start("path", [*command, "--seed", str(path.seed)])
    message = await before.ready("ready", READY_SECONDS_MAX)
    return {"serve": server, "path": before}, str(message["url"])


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Where publisher and viewers meet."""

    server: str
    stream: int


def start_publisher(
    supervisor: Supervisor, meeting: Meeting, key: str, video: Path | None, stall_s: int
) -> Child:
    """Start publishing, in a browser without a `video`; SIGUSR1 then freezes it for `stall_s`."""
    command = _in_browser("publish") if video is None else paystream("publish")
    command += ["--server", meeting.server, "--stream", str(meeting.stream), "--key", key]
    if video is not None:
        command += ["--video", str(video)]
    if stall_s:
        command += ["--stall", str(stall_s)]
    return supervisor.start("publish", command)


def start_viewer(
    supervisor: Supervisor,
    meeting: Meeting,
    key: str,
    *,
    seconds: int,
    money: str,
    count_only: bool,
) -> Child:
    """Start a viewer that deposits and grants `money`; its JSON object is what it saw."""
    command = paystream("watch", "--server", meeting.server, "--stream", str(meeting.stream))
    command += ["--key", key, "--seconds", str(seconds), "--json"]
    command += ["--deposit", money, "--cap", money]
    if count_only:
        command.append("--count-only")
    return supervisor.start(key, command)


def start_viewers_in_browser(
    supervisor: Supervisor, meeting: Meeting, keys: Sequence[str], *, seconds: int
) -> Child:
    """Start one Chromium with a page for each viewer; its JSON object is by key name."""
    command = [*_in_browser("watch"), *_many(meeting, keys, seconds)]
    return supervisor.start("viewers", command)


def start_crowd(
    supervisor: Supervisor, meeting: Meeting, keys: Sequence[str], *, seconds: int, money: str
) -> Child:
    """Start one process of counting viewers; its JSON object is by key name."""
    command = [sys.executable, "-m", "main_job.crowd", *_many(meeting, keys, seconds)]
    return supervisor.start("crowd", [*command, "--deposit", money])


def _many(meeting: Meeting, keys: Sequence[str], seconds: int) -> list[str]:
    arguments = ["--server", meeting.server, "--stream", str(meeting.stream)]
    arguments += ["--seconds", str(seconds)]
    for key in keys:
        arguments += ["--key", key]
    return arguments


def _in_browser(role: str) -> list[str]:
    return [sys.executable, "-m", "main_job.in_browser", role]
