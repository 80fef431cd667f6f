"""A media server in the relayer's process, for a clock that jumps: bytes go over, no socket does.

`spent_s` is the processor time of the media server's part.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import trio

from offchain.relayer.run import Relayer
from relayer_load.media_server import Server
from streaming.http.telling import Telling
from streaming.session_state import (
    STATE_INTERVAL_MS,
    Leases,
    SessionRef,
    States,
    decode_from_relayer,
    decode_from_server,
    encode_frame,
)


def told(relayer: Relayer, frame: bytes, boot_id: str) -> bytes:
    """Tell a relayer what a media server has sent; gives the frame that it answers with."""
    states = cast(States, decode_from_server(frame[4:]))
    return encode_frame(relayer.leaser.answer(states, boot_id))


class ServerInside:
    """Tells states as the link does, at the same intervals."""

    def __init__(self, relayer: Relayer, refs: list[SessionRef]) -> None:
        self.server = Server(refs, 2.0, trio.current_time)
        self.spent_s = 0.0
        self._relayer = relayer
        self._telling = Telling()
        self._sequence = 0

    @contextmanager
    def _billed(self) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.spent_s += time.thread_time() - began

    async def run(self) -> None:
        """Tell for ever."""
        self._relayer.leaser.greet("boot@load")
        while True:
            for frame in self._frames():
                answer = told(self._relayer, frame, "boot@load")
                with self._billed():
                    leases = cast(Leases, decode_from_relayer(answer[4:]))
                    self._telling.answered(leases.leases, trio.current_time())
                    self.server.take(leases)
                await trio.lowlevel.checkpoint()
            await trio.sleep(STATE_INTERVAL_MS / 1000)

    def _frames(self) -> list[bytes]:
        with self._billed():
            connections, publishers = self.server.snapshot()
            chosen = self._telling.choose([], connections, trio.current_time())
            frames = []
            for part in chosen:
                self._sequence += 1
                frames.append(
                    encode_frame(
                        States(sequence=self._sequence, connections=part, publishers=publishers)
                    )
                )
            return frames
