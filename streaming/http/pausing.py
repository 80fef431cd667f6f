"""Pause and resume as facts: numbered, in order, repeatable, and answered with what is so now.

Pure: the clock is given (seconds, monotonic). Pausing works at once. Resuming has a pace, because
each costs the publisher a keyframe and everybody else its size.
"""

from __future__ import annotations

from typing import Final

from streaming.http.limits import too_many
from streaming.pace import Bucket

NUMBER_MAX: Final = (1 << 53) - 1
RESUMES_PER_S: Final = 1.0
RESUMES_AT_ONCE: Final = 3
ASKED_AT_ONCE_S: Final = 3
"""So many seconds' worth of requests pass at once."""


class Pausing:
    """What one viewer's player last asked for, and what is so."""

    def __init__(self, requests_per_second: float, now: float) -> None:
        """`requests_per_second` of 0 is no limit."""
        self.number = 0
        """The highest number that was heard."""
        self.paused = False
        self._wanted = False
        self._resumes = Bucket(RESUMES_PER_S, RESUMES_AT_ONCE, now)
        self._limit = requests_per_second
        self._requests = Bucket(
            requests_per_second or 1, max(1, requests_per_second * ASKED_AT_ONCE_S), now
        )

    def take_request(self, now: float) -> None:
        """Count a request. Raises `ProblemError` 429."""
        wait = self._requests.take(now) if self._limit > 0 else 0.0
        if wait:
            raise too_many(
                429,
                "too-many-pauses",
                f"this player pauses and resumes more than {self._limit:g} times a second",
                wait,
            )

    def ask(self, number: int | None, *, paused: bool) -> bool:
        """The player wants this. Returns whether it is what counts now.

        A number below the highest was overtaken and changes nothing; the same number again is a
        repetition. None (a player that does not count) is the next number.
        """
        number = self.number + 1 if number is None else number
        if number > self.number:
            self.number = number
            self._wanted = paused
        return number == self.number and self._wanted == paused

    def still(self, number: int) -> bool:
        """Whether the resumption that had this number is wanted and has not come about."""
        return number == self.number and not self._wanted and self.paused

    def pause(self) -> None:
        """It is paused from now on."""
        self.paused = True

    def resume(self, now: float) -> float:
        """Go on if the pace allows it, and return 0; otherwise the seconds that it has to wait."""
        wait = self._resumes.take(now) if self.paused else 0.0
        if wait == 0:
            self.paused = False
        return wait
