"""The local socket between media servers and a relayer, in memory, with all that can go wrong.

It carries whole frames, as both sides write them. A stream socket loses nothing by itself; what the
protocol allows for (a frame lost, told twice, late or out of order) is done to single frames.
"""

from __future__ import annotations

import os
import random
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import trio

from tests.simulation.story import Story

_UCRED = struct.Struct("3i")
LATE_S = 2.5


class Weather:
    """How bad the connection is. Each figure is the chance of a frame to meet that fate."""

    def __init__(self, numbers: random.Random, story: Story) -> None:
        self.lost = self.repeated = self.late = 0.0
        self.down = False
        self._numbers = numbers
        self._story = story

    @property
    def fair(self) -> bool:
        """Whether nothing goes wrong."""
        return not (self.lost or self.repeated or self.late)

    def fate(self) -> str:
        """Draw what becomes of a frame. Late ones are overtaken by those after them."""
        drawn = self._numbers.random()
        for name in ("lost", "repeated", "late"):
            drawn -= getattr(self, name)
            if drawn < 0:
                self._story.faults[f"frame-{name}"] += 1
                return name
        return "told"

    def late_s(self) -> float:
        """Draw how late a late frame is."""
        return self._numbers.uniform(0.05, LATE_S)


class Pipe:
    """One direction of a connection."""

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.closed = False
        self._news = trio.Event()

    def put(self, frame: bytes) -> None:
        """Deliver a frame."""
        if not self.closed:
            self.frames.append(frame)
            self._wake()

    def close(self) -> None:
        """End the direction; what was delivered can still be read."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if not self._news.is_set():
            self._news.set()

    async def get(self) -> bytes:
        """Wait for the next frame; empty at the end."""
        while not self.frames:
            if self.closed:
                return b""
            if self._news.is_set():
                self._news = trio.Event()
            await self._news.wait()
        return self.frames.popleft()


class Wire:
    """One connection: two pipes, in one weather."""

    def __init__(self, weather: Weather, nursery: trio.Nursery) -> None:
        self.weather = weather
        self.to_relayer, self.to_server = Pipe(), Pipe()
        self._nursery = nursery

    def send(self, pipe: Pipe, frame: bytes) -> None:
        """Send a frame into a pipe, whatever becomes of it."""
        if self.weather.fair:
            pipe.put(frame)
            return
        match self.weather.fate():
            case "told":
                pipe.put(frame)
            case "repeated":
                pipe.put(frame)
                pipe.put(frame)
            case "late":
                self._nursery.start_soon(self._deliver, pipe, frame, self.weather.late_s())

    async def _deliver(self, pipe: Pipe, frame: bytes, after_s: float) -> None:
        await trio.sleep(after_s)
        pipe.put(frame)

    @property
    def closed(self) -> bool:
        """Whether either side has hung up."""
        return self.to_relayer.closed or self.to_server.closed

    def close(self) -> None:
        """Hang up."""
        self.to_relayer.close()
        self.to_server.close()


class RelayerEnd:
    """The relayer's end of a wire, as far as it is a `trio.SocketStream`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._left = b""
        self.socket = self

    def getsockopt(self, _level: int, _option: int, _size: int = 0) -> bytes:
        """Give the credentials of the peer: this user's."""
        return _UCRED.pack(1, os.getuid(), os.getgid())

    async def receive_some(self, count: int | None = None) -> bytes:
        """Read what has come, at most `count` bytes; empty at the end."""
        if not self._left:
            self._left = await self._wire.to_relayer.get()
        count = len(self._left) if count is None else count
        part, self._left = self._left[:count], self._left[count:]
        return part

    async def send_all(self, data: bytes) -> None:
        """Write one frame. Raises BrokenResourceError after the end."""
        await trio.lowlevel.checkpoint()
        if self._wire.closed:
            raise trio.BrokenResourceError
        self._wire.send(self._wire.to_server, bytes(data))

    async def aclose(self) -> None:
        """Hang up."""
        self._wire.close()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> RelayerEnd:
        """Be closed at the end of a block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self.aclose()


class Listener:
    """Where a relayer accepts connections; as far as it is a `trio.SocketListener`."""

    def __init__(self) -> None:
        self._waiting: deque[RelayerEnd] = deque()
        self._news = trio.Event()

    def push(self, end: RelayerEnd) -> None:
        """Let a connection wait to be accepted."""
        self._waiting.append(end)
        self._news.set()

    async def accept(self) -> Any:
        """Wait for the next connection."""
        while not self._waiting:
            self._news = trio.Event()
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return self._waiting.popleft()


class Network:
    """Connects media servers with whichever relayer listens."""

    def __init__(self, numbers: random.Random, story: Story, nursery: trio.Nursery) -> None:
        self._numbers = numbers
        self._story = story
        self._nursery = nursery
        self.listener: Listener | None = None
        self.wires: list[Wire] = []
        self.weathers: dict[str, Weather] = {}

    def weather(self, server: str) -> Weather:
        """Give the weather between a server and the relayer."""
        if server not in self.weathers:
            self.weathers[server] = Weather(self._numbers, self._story)
        return self.weathers[server]

    def listen(self) -> Listener:
        """Let a relayer listen."""
        self.listener = Listener()
        return self.listener

    def unlisten(self) -> None:
        """Let the relayer be gone, with every connection that it had."""
        self.listener = None
        self.cut(lambda wire: True)

    def cut(self, which: Callable[[Wire], bool]) -> None:
        """Break connections."""
        for wire in self.wires:
            if which(wire):
                wire.close()
        self.wires = [wire for wire in self.wires if not wire.closed]

    def take_down(self, server: str) -> None:
        """Break a server's connections and let it make none."""
        weather = self.weather(server)
        weather.down = True
        self.cut(lambda wire: wire.weather is weather)

    def connect(self, server: str) -> Wire:
        """Connect to the relayer. Raises OSError where nobody listens."""
        weather = self.weather(server)
        if self.listener is None or weather.down:
            raise ConnectionRefusedError(server)
        wire = Wire(weather, self._nursery)
        self.wires = [each for each in self.wires if not each.closed]
        self.wires.append(wire)
        self.listener.push(RelayerEnd(wire))
        return wire
