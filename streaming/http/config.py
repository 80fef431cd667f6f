"""What the media server is told when it starts: plain values, no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Options of the media server (`run_serve`)."""

    socket: Path
    """The relayer's local socket."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    """0 takes a free one; it is named in the line printed when ready."""
    origin: str | None = None
    """Public HTTP origin that tokens are bound to; by default what is listened on."""
    ice_hosts: tuple[str, ...] = ()
    """Addresses offered to WebRTC peers, or names of them; without any the machine's own. One that
    is not of this machine (an address of a NAT in front of it) is offered all the same. Loopback is
    offered, last, where the server listens on it, where it is given, or where nothing else is."""
    udp_ports: tuple[int, int] | None = None
    """First and last UDP port of media sockets, both from 1 to 65535; by default any free one."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may call this server."""
    server_id: str = "paystream-serve"
    connections_max: int = 1000
    on_ready: Callable[[str], None] | None = None
    """Called with the URL once requests are taken; by default one JSON line is printed:
    `{"event":"ready","url":...}`."""
