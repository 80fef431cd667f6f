"""A cable between two of our processes, which can be held or torn out: nothing comes through."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

CHUNK_BYTES = 1 << 16


class Cable:
    """Forwards TCP from a port of the loopback to another, or to a socket; `serve` it in a nursery.

    While it is held no byte comes through in either direction, no connection is made or ended, and
    nobody is told: what a cut network looks like from its ends. Then all of it comes at last. While
    it is torn out every connection is broken and each new one is refused.
    """

    def __init__(self, to: int | Path) -> None:
        self.to = to
        """A TCP port of the loopback, or a Unix socket."""
        self.port = 0
        """Where it listens, once it is served."""
        self._through = trio.Event()
        self._through.set()
        self._plugged = trio.Event()
        self._plugged.set()
        self._lives = trio.CancelScope()

    def hold(self) -> None:
        """Let nothing through from now on."""
        if self._through.is_set():
            self._through = trio.Event()

    def release(self) -> None:
        """Let everything through again, what has waited first."""
        self._through.set()

    def tear_out(self) -> None:
        """Break every connection, and refuse each new one."""
        self._plugged = trio.Event()
        self._lives.cancel()

    def plug_in(self) -> None:
        """Take connections again, on the same port."""
        self._plugged.set()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        while True:
            with trio.CancelScope() as self._lives:  # which closes the listeners as well
                await trio.serve_listeners(self._carry, listeners)
            await self._plugged.wait()
            listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")

    async def _connected(self) -> trio.SocketStream:
        if isinstance(self.to, Path):
            return await trio.open_unix_socket(self.to)
        return await trio.open_tcp_stream("127.0.0.1", self.to)

    async def _carry(self, near: trio.SocketStream) -> None:
        # An end that breaks off, or is not there, is what happens to cables.
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            async with near:
                await self._through.wait()
                async with await self._connected() as far, trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, near, far, nursery.cancel_scope)
                    nursery.start_soon(self._pump, far, near, nursery.cancel_scope)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in source:
                await self._through.wait()
                await sink.send_all(chunk)
        await self._through.wait()
        both.cancel()
