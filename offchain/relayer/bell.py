"""A bell: one task tells another that there is something to do."""

from __future__ import annotations

import trio


class Bell:
    """Wakes one task; ringing twice before it looks wakes it once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or the next who does."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Wait until the bell rings, at most so long."""
        with trio.move_on_after(seconds):
            await self._event.wait()
        self._event = trio.Event()
