"""A relay of datagrams between one client's peer connection and the server, over two paths.

To the server it looks like a NAT: every address that the client sends from has a socket of its own
there, so that an answer finds its way back to where the question came from.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streaming.clients.path.model import Path

DATAGRAM_BYTES_MAX: Final = 65_535
BUFFER_BYTES: Final = 4 << 20
"""Of the kernel's receive and send buffers: a keyframe at line rate must fit."""
READ_MAX: Final = 4096
"""Datagrams that one socket may have read at a turn: others want theirs, too."""
SOURCES_MAX: Final = 16
"""Addresses of one client: more than any has candidates."""
IDLE_US: Final = 60_000_000
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("9I")
_MEMINFO_DROPS: Final = 8
"""`SK_MEMINFO_DROPS` of linux/sock_diag.h: what did not fit into the receive buffer."""

Address = tuple[str, int]
Send = Callable[[bytes], object]


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Where a relay stands and what is behind it."""

    host: str
    """The address that clients send to."""
    server: Address
    """The server's own candidate."""


class _OneWay:
    """Sends packets through a path: each when the model says."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        self._loop = loop
        self._waiting: list[tuple[int, int, bytes, Send]] = []
        self._number = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, packet: bytes, now_us: int, send: Send) -> None:
        """A packet has come; `send` gets it at its time, or never."""
        at_us = self.path.arrival_us(packet, now_us)
        if at_us is None:
            return
        if at_us <= now_us and not self._waiting:
            self._send(packet, send)
            return
        heapq.heappush(self._waiting, (at_us, next(self._number), packet, send))
        if self._waiting[0][2] is packet:
            self._set_timer(at_us)

    def _set_timer(self, at_us: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at_us / 1_000_000, self._due)

    def _due(self) -> None:
        self._timer = None
        now_us = _now_us(self._loop)
        while self._waiting and self._waiting[0][0] <= now_us:
            _, _, packet, send = heapq.heappop(self._waiting)
            self._send(packet, send)
        if self._waiting:
            self._set_timer(self._waiting[0][0])

    def _send(self, packet: bytes, send: Send) -> None:
        try:
            send(packet)
        except OSError:
            self.path.counts.unsent += 1

    def close(self) -> None:
        """Forget what is under way."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()


class Relay:
    """One peer connection's relay, with a socket that its client knows as the server's candidate.

    Must be made within a running loop. Raises OSError if `ends.host` is not of this machine.
    """

    def __init__(self, ends: Ends, to_client: Path, to_server: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = ends
        self._to_client = _OneWay(to_client, self._loop)
        self._to_server = _OneWay(to_server, self._loop)
        self._outside = _bound(ends.host)
        self._inside: dict[Address, socket.socket] = {}
        self._drops: dict[socket.socket, int] = {}
        self._used_us = _now_us(self._loop)
        self.closed = False
        self._loop.add_reader(self._outside, self._from_client)

    @property
    def address(self) -> Address:
        """What stands in the answer."""
        host, port = self._outside.getsockname()[:2]
        return str(host), int(port)

    @property
    def paths(self) -> tuple[Path, Path]:
        """The way to the client, and the way to the server."""
        return self._to_client.path, self._to_server.path

    def idle(self) -> bool:
        """Whether nothing has come from either end for a minute."""
        return _now_us(self._loop) - self._used_us > IDLE_US

    def _from_client(self) -> None:
        for _ in range(READ_MAX):
            try:
                packet, source = self._outside.recvfrom(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of something sent before: the client is not there
                continue
            inside = self._inside_for(source[:2])
            if inside is not None:
                self._used_us = _now_us(self._loop)
                self._to_server.take(packet, self._used_us, inside.send)
        self._count_overrun(self._outside, self._to_server.path)

    def _inside_for(self, source: Address) -> socket.socket | None:
        found = self._inside.get(source)
        if found is not None or len(self._inside) >= SOURCES_MAX:
            return found
        try:
            found = self._inside[source] = _connected(self._ends.server)
        except OSError:  # no way from here to the server's candidate
            self._to_server.path.counts.unsent += 1
            return None
        self._loop.add_reader(found, self._from_server, found, source)
        return found

    def _from_server(self, inside: socket.socket, client: Address) -> None:
        def send(packet: bytes) -> None:
            self._outside.sendto(packet, client)

        for _ in range(READ_MAX):
            try:
                packet = inside.recv(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError:  # as above: the server has closed its socket
                continue
            self._used_us = _now_us(self._loop)
            self._to_client.take(packet, self._used_us, send)
        self._count_overrun(inside, self._to_client.path)

    def _count_overrun(self, read: socket.socket, path: Path) -> None:
        """Add what the kernel has dropped of this socket's since the last look."""
        drops = _drops(read)
        path.counts.overrun += drops - self._drops.get(read, 0)
        self._drops[read] = drops

    def close(self) -> None:
        """Close its sockets; what is under way is gone."""
        if self.closed:
            return
        self.closed = True
        for one_way in (self._to_client, self._to_server):
            one_way.close()
        for each in (self._outside, *self._inside.values()):
            self._loop.remove_reader(each)
            each.close()


def _now_us(loop: asyncio.AbstractEventLoop) -> int:
    return int(loop.time() * 1_000_000)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bound(host: str) -> socket.socket:
    made = _roomy(_family(host))
    try:
        made.bind((host, 0))
    except OSError:
        made.close()
        raise
    return made


def _connected(server: Address) -> socket.socket:
    """A socket to the server alone; the kernel chooses the address that reaches it."""
    made = _roomy(_family(server[0]))
    try:
        made.connect(server)
    except OSError:
        made.close()
        raise
    return made


def _roomy(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(0)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        # The kernel takes what it allows.
        made.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return made


def _drops(read: socket.socket) -> int:
    """What the kernel could not queue for this socket; 0 where it does not say."""
    with contextlib.suppress(OSError, struct.error):
        found = read.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(found)[_MEMINFO_DROPS])
    return 0
