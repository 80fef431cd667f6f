"""Sound without the picture: free for a while, then the viewer's choice, then counted by itself.

A path that is too narrow for the picture, or a viewer that waits for a keyframe, has the sound
alone. That is free for ten seconds; after them the sound waits, too, unless its viewer has chosen
to go on with it and to pay for it. Pure: times are microseconds that are passed in.
"""

from __future__ import annotations

import dataclasses

from streaming.sfu.meter import AUDIO_RULES, Meter

FREE_US = 10_000_000
_WORKED_OFF = 20


class SoundAlone:
    """Whether one viewer's sound goes on without its picture, and what of it counts."""

    def __init__(self, clock_rate: int) -> None:
        rules = dataclasses.replace(AUDIO_RULES, withheld_us=0)  # the picture's are withheld
        self.meter = Meter(rules, clock_rate)
        self.chosen = False
        """Whether the viewer wants to hear, and pay for, the sound alone."""
        self._free_us = 0
        self._seen_us: int | None = None

    def rejoins(self) -> None:
        """An earlier connection of the session has had what is free."""
        self._free_us = FREE_US

    def stops(self) -> None:
        """Neither picture nor sound is sent for now: that time is nobody's."""
        self._seen_us = None

    @property
    def used_up(self) -> bool:
        """Whether no more sound is free."""
        return self._free_us >= FREE_US

    def passes(self, now_us: int, *, picture: bool, sound: bool) -> None:
        """Count the time since the last call, in which picture or sound went on.

        What is free comes back by a twentieth of the time with the picture.
        """
        since_us = 0 if self._seen_us is None else now_us - self._seen_us
        self._seen_us = now_us
        if picture:
            self._free_us = max(0, self._free_us - since_us // _WORKED_OFF)
        elif sound and not self.chosen:
            self._free_us += since_us

    def counts(self, *, picture_held: bool) -> bool:
        """Whether the sound is what is counted now."""
        return self.chosen and picture_held
