"""What a viewer saw, by its own clock: frames, and the time between them. Pure."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from typing import Final

from streaming.session_state import GAP_MAX_MS
from streaming.sfu.publication import Track
from streaming.sfu.rtp import Packet

GAP_MAX_US = GAP_MAX_MS * 1000
HOLE_MAX_US = 300_000
FREEZE_MIN_US: Final = 200_000
FREEZE_TIMES: Final = 3
USUAL_OF_GAPS: Final = 30
GAPS_MIN: Final = 5
"""With fewer it is not known what is usual."""


class FrameClock:
    """Adds up the gaps between frames; one above 1.5 s counts nothing.

    Beside that it adds up freezes. The picture stands still in a gap of at least 200 ms that is
    longer than three times the usual one (the middle one of the last 30 gaps); what counts is
    the time beyond the usual gap. A still camera and a sparse screen share are no freezes.

    Sound is heard alone in what is no gap of its own and lies in a gap of the picture's that counts
    nothing.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.watched_us = 0
        self.frozen_us = 0
        self.first_us: int | None = None
        self.last_us: int | None = None
        self.sound_us: int | None = None
        """When sound came last."""
        self._alone_us = 0
        self._since_frame_us = 0
        self._gaps_us: deque[int] = deque(maxlen=USUAL_OF_GAPS)
        self._ended = False

    def frame(self, now_us: int) -> None:
        """A frame was decoded (or has come complete) at this time."""
        if self.first_us is None:
            self.first_us = now_us
        if self.last_us is not None:
            gap_us = now_us - self.last_us
            if gap_us <= GAP_MAX_US:
                self.watched_us += gap_us
            self._look_for_freeze(gap_us)
            self._gaps_us.append(gap_us)
        self._alone_us += self._heard_alone_us(now_us)
        self._since_frame_us = 0
        self.last_us = now_us
        self.frames += 1

    def sound(self, now_us: int) -> None:
        """Sound was decoded (or a packet of it has come) at this time."""
        if self.sound_us is not None and now_us - self.sound_us <= GAP_MAX_US:
            self._since_frame_us += now_us - self.sound_us
        self.sound_us = now_us

    def _heard_alone_us(self, now_us: int) -> int:
        gap_us = self._since_frame_us if self.last_us is None else now_us - self.last_us
        without_picture = gap_us > GAP_MAX_US
        return self._since_frame_us if without_picture else 0

    def end(self, now_us: int) -> None:
        """Nobody looks any more: a picture that stands still did so until this time."""
        if self.last_us is not None:
            self._look_for_freeze(now_us - self.last_us)
        self._alone_us += self._heard_alone_us(now_us)
        self._since_frame_us = 0
        self._ended = True

    def _look_for_freeze(self, gap_us: int) -> None:
        # Nearly every gap is a short one, for which nothing needs to be sorted.
        if gap_us < FREEZE_MIN_US or len(self._gaps_us) < GAPS_MIN or self._ended:
            return
        usual_us = round(statistics.median(self._gaps_us))
        if gap_us > FREEZE_TIMES * usual_us:
            self.frozen_us += gap_us - usual_us

    @property
    def watched_ms(self) -> int:
        """The sum until now."""
        return self.watched_us // 1000

    @property
    def sound_alone_ms(self) -> int:
        """Sound that was heard without a picture, until the last frame or the end."""
        return self._alone_us // 1000

    @property
    def freezes_ms(self) -> int:
        """For how long the picture stood still until now."""
        return self.frozen_us // 1000


class SoundCounter:
    """Tells of the packets of a sound track without decoding them."""

    def __init__(self, on_sound: Callable[[int], None]) -> None:
        self._on_sound = on_sound

    def forward(self, _packet: Packet, now_us: int) -> None:
        """Take one packet."""
        self._on_sound(now_us)

    def source_changed(self) -> None:
        """Sound goes on from any source."""

    def gap_unrepaired(self, number: int, now_us: int) -> None:
        """A packet never came."""


class FrameCounter:
    """Counts complete frames of a video track without decoding them.

    A frame is complete when every packet of it has come. Counting begins with a keyframe; a
    hole is waited for a while and then stepped over to the next frame, as a decoder does that
    shows a picture with a flaw rather than none.
    """

    def __init__(self, track: Track, on_frame: Callable[[int], None]) -> None:
        self._track = track
        self._on_frame = on_frame
        self._next: int | None = None
        self._hole_us: int | None = None

    def forward(self, packet: Packet, now_us: int) -> None:
        """Take one packet, in the order of arrival."""
        if self._next is None:
            if not packet.keyframe:
                return
            self._next = packet.sequence
        self._advance(self._next, now_us)
        if self._track.history.newest < self._next:
            return
        if self._hole_us is None:
            self._hole_us = now_us
        elif now_us - self._hole_us > HOLE_MAX_US:
            self._track.request_keyframe(now_us)
            self._step_over(self._next, now_us)

    def _advance(self, number: int, now_us: int) -> None:
        while (found := self._track.history.get(number)) is not None:
            number += 1
            self._hole_us = None
            if found.ends_frame:
                self._on_frame(now_us)
        self._next = number

    def _step_over(self, number: int, now_us: int) -> None:
        for found in self._track.history.since(number + 1):
            if found.starts_frame:
                self._hole_us = None
                self._advance(found.sequence, now_us)
                return

    def source_changed(self) -> None:
        """Begin again with the next keyframe."""
        self._next = None
        self._hole_us = None

    def gap_unrepaired(self, number: int, now_us: int) -> None:
        """A packet never came: `forward` steps over the hole by its own patience."""
