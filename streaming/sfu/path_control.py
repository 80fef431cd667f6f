"""How fast a viewer is sent to, how much of it may be repair, and whether the picture goes at all.

One object a viewer: feedback goes in, packets go through. Pure: times are microseconds that are
passed in; `wake_at` tells when packets that wait are due.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.sfu.estimate import STANDING_US, Estimator, PathJudge, RepairLoss
from streaming.sfu.pacer import NACKS_PER_SECOND, Pacer, RetransmitBudget, catch_up_bps, pacing_bps
from streaming.sfu.transport_cc import Outcome

LIVE_LEAST_BPS = 3_000_000
"""Live packets leave at least as fast where no queue stands on the path: a keyframe of a still
picture is not held back for seconds because the picture was still."""
UNKNOWN_STREAM_BPS = 1_500_000
"""What a stream is taken to be before its first second is measured."""
QUEUE_BYTES_MAX = 4_000_000
QUEUE_AGE_MAX_US = 1_000_000

Send = Callable[[int], None]
"""Sends one packet that waited; called with the time."""


class PathControl:
    """Pace, repair and judgement of one viewer's path."""

    def __init__(self, *, nacks_per_second: int = NACKS_PER_SECOND) -> None:
        """`nacks_per_second` are answered; 0 is no limit."""
        self.estimator = Estimator()
        self.wake_at: Callable[[int], None] = _ignore
        self.judge = PathJudge()
        self._repair_loss = RepairLoss()
        self._stream_bps = UNKNOWN_STREAM_BPS
        self._catching_up = False
        self._stands = False
        """Whether a queue was last seen to stand on the path."""
        self._pacer: Pacer[Send] = Pacer(
            LIVE_LEAST_BPS, bytes_max=QUEUE_BYTES_MAX, age_max_us=QUEUE_AGE_MAX_US
        )
        self.may_go = self._pacer.offer
        """Whether a packet of the picture (size in bytes, time) may go at once; it is then
        counted as sent. Otherwise let it `wait`."""
        self.passes = self._pacer.spend
        """Counts a packet (size in bytes, time) that goes past the queue: sound, a
        retransmission."""
        self.budget = RetransmitBudget(nacks_per_second=nacks_per_second)
        self._set_rates()

    # --- sending ---------------------------------------------------------------------------

    def catch_up(self) -> None:
        """What is sent next is a burst from the past: at most 2.5 times the stream's rate."""
        self._catching_up = True
        self._set_rates()

    def caught_up(self) -> None:
        """The burst has been handed over: live packets follow."""
        if not len(self._pacer):
            self._catching_up = False
            self._set_rates()

    def wait(self, what: Send, size: int, now_us: int) -> None:
        """Send a packet of the picture in its turn, since it may not go at once."""
        if self._pacer.push(what, size, now_us) and len(self._pacer) == 1:
            self._wake(now_us)

    def due(self, now_us: int) -> None:
        """Send what waited for this moment."""
        for what in self._pacer.due(now_us):
            what(now_us)
        if self._catching_up:
            self.caught_up()
        self._wake(now_us)

    def drop_waiting(self) -> None:
        """Nothing that waits is sent any more."""
        self._pacer.clear()

    def _wake(self, now_us: int) -> None:
        next_us = self._pacer.next_us
        if next_us is not None:
            self.wake_at(max(next_us, now_us))

    def _set_rates(self) -> None:
        stream_bps, estimator = self._stream_bps, self.estimator
        if self._catching_up:
            rate_bps = catch_up_bps(stream_bps)
        elif estimator.queue_us >= STANDING_US:
            rate_bps = pacing_bps(stream_bps, estimator.target_bps)
        else:
            rate_bps = max(catch_up_bps(stream_bps), LIVE_LEAST_BPS)
        self._pacer.set_rate(rate_bps)
        self.budget.set_rates(stream_bps, estimator.room_bps(stream_bps))

    # --- what is known of the path -----------------------------------------------------------

    def stream_rate(self, bits_per_second: int) -> None:
        """What the publisher sends; 0 while it is not measured yet. Call some times a second."""
        stream_bps = bits_per_second or self._stream_bps
        # Where no queue stands, the stream's rate is all that the rates depend on.
        if self._stands or stream_bps != self._stream_bps:
            self._stream_bps = stream_bps
            self._set_rates()

    def feedback(self, outcome: Outcome) -> bool:
        """What a transport-wide feedback told. Whether a catch-up has filled the path: then the
        rest of it is worth nothing, and the picture had better begin with a new keyframe."""
        self._repair_loss.take(outcome)
        if not self.estimator.take(outcome, at_once=self._catching_up):
            return False
        stands = self.estimator.queue_us >= STANDING_US
        filled = stands and self._catching_up
        if filled:
            self._catching_up = False
        if stands != self._stands:
            self._stands = stands
            self._set_rates()
        return filled

    def report(self, lost: int, expected: int, now_us: int) -> None:
        """What a receiver report added, where there is no better feedback."""
        self.estimator.report(lost, expected, self._stream_bps, now_us)

    def picture_broke(self, now_us: int) -> None:
        """The picture cannot be decoded any more, because of what the path has lost."""
        self.judge.broke(now_us)

    def gives_way(self, now_us: int) -> bool:
        """Whether the path is why no more of the picture may be sent: then the sound goes alone."""
        return self.judge.gives_way(now_us)

    def carries_picture(self, now_us: int, *, sound_bps: int = 64_000) -> bool:
        """Whether the path carries the picture. Ask some times a second."""
        picture_bps = max(self._stream_bps - sound_bps, 0)
        unrepaired = self._repair_loss.share(now_us)
        carries = self.judge.judge(
            now_us, self.estimator, unrepaired, picture_bps=picture_bps, sound_bps=sound_bps
        )
        return carries == "picture"


def _ignore(_at_us: int) -> None:
    return None
