"""Sound without the picture: free for a while, then the viewer's choice, then counted by itself.

A path that is too narrow for the picture, or a viewer that waits for a keyframe, has the sound
alone. That is free for ten seconds; after them the sound waits, too, unless its viewer has chosen
to go on with it and to pay for it. Pure: times are microseconds that are passed in.
"""

from __future__ import annotations

import dataclasses

from streaming.sfu.meter import AUDIO_RULES, Meter, Unconfirmed

FREE_US = 10_000_000
_WORKED_OFF = 20


class SoundAlone:
    """Whether one viewer's sound goes on without its picture, and what of it counts."""

    def __init__(self, clock_rate: int, unconfirmed: Unconfirmed) -> None:
        """`unconfirmed` is the bound of the connection, which is the picture's, too."""
        rules = dataclasses.replace(AUDIO_RULES, withheld_us=0)  # the picture's are withheld
        self.meter = Meter(rules, clock_rate, unconfirmed)
        self.chosen = False
        """Whether the viewer wants to hear, and pay for, the sound alone."""
        self.counted = False
        """Whether the sound is what is counted."""
        self.given_us = 0
        """Sound that was free, in all. Never falls."""
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

    @property
    def free_left_us(self) -> int:
        """How much sound would still be free."""
        return max(0, FREE_US - self._free_us)

    def passes(self, now_us: int, *, picture: bool, sound: bool) -> None:
        """Count the time since the last call, in which picture or sound went on, as it was
        counted until now.

        What is free comes back by a twentieth of the time with the picture.
        """
        since_us = 0 if self._seen_us is None else now_us - self._seen_us
        self._seen_us = now_us
        if picture:
            self._free_us = max(0, self._free_us - since_us // _WORKED_OFF)
        elif sound and not self.counted:
            self._free_us += since_us
            self.given_us += since_us

    def counts(self, *, held: bool, picture: bool) -> bool:
        """Whether the sound is what is counted now: where it was chosen and the picture is held
        back; where the picture does not come for another reason, once no more is free."""
        return self.chosen and (held or (self.used_up and not picture))

    def begin(self) -> Meter:
        """Let the sound be counted from now on. Its first packet counts no time, and is owed."""
        self.counted = True
        self.meter.interrupt()
        self.meter.forget_reports()
        if self.meter.frames_forwarded:
            self.meter.owe(self.meter.typical_gap_us)
        return self.meter
