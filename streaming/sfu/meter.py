"""How much of a stream one viewer was delivered: the figure that is paid for.

Pure: no input or output, no clock. Times come in as microseconds of one monotonic clock,
sequence numbers unwrapped (they never fall and never wrap). One meter belongs to one
connection and counts one of its tracks: the picture, or the sound where there is no picture.

The rules, each in favour of whoever did not cause the doubt:

- Delivered time is the sum of the gaps between consecutive forwarded frames. A gap above
  `gap_max_us` counts nothing, so a freeze is free and a picture at one frame a second is not.
- A frame counts once a receiver report (RFC 3550, 6.4) covers its last packet, and only if
  the unrepaired loss in that report's interval is at most `loss_max_percent`. A repair that was
  still under way when the report was made shows in the next one, and is believed then.
- `withheld_us` of each uninterrupted run are not counted, so that the two ends' clocks and
  buffers never disagree to the viewer's cost.
- What was forwarded and not confirmed stays below `unconfirmed_max_us`; then forwarding stops.
  Frames that a report covered with too much loss stay in that sum and are worked off by
  confirmed time, a tenth of it: who overstates loss gains no more than the tolerated tenth.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

PENDING_MAX = 2048
"""Frames waiting for a report; more are merged, so that memory stays bounded."""


@dataclass(frozen=True, kw_only=True)
class MeterRules:
    """Limits of the meter, in microseconds and percent."""

    gap_max_us: int = 1_500_000
    withheld_us: int = 200_000
    loss_max_percent: int = 10
    unconfirmed_max_us: int = 4_000_000
    give_up_us: int = 10_000_000
    """How long forwarding may stand still for want of reports before the session ends."""


VIDEO_RULES = MeterRules()
AUDIO_RULES = MeterRules(unconfirmed_max_us=9_000_000)
"""Chromium reports sound every 2.5 to 7.5 s, so 4 s would stop an honest listener."""


@dataclass(slots=True)
class _Pending:
    """One forwarded frame (or several merged ones) that no report has covered yet."""

    last_sequence: int
    gap_us: int
    starts_run: bool


@dataclass(frozen=True, slots=True)
class _Refused:
    """The newest interval, if it was reported with too much loss."""

    expected: int
    lost: int
    gap_us: int


class Meter:
    """Counts one connection. Not thread-safe."""

    def __init__(self, rules: MeterRules = VIDEO_RULES) -> None:
        self.rules = rules
        self._pending: deque[_Pending] = deque()
        self._pending_us = 0
        self._refused_us = 0
        self._refused: _Refused | None = None
        self._forwarded_us = 0
        self._frames = 0
        self._closed_runs_us = 0
        self._run_us = 0
        self._last_frame_us: int | None = None
        self._covered_to: int | None = None
        self._lost = 0
        self._stopped_us: int | None = None
        self._resume_at_us = rules.unconfirmed_max_us * 3 // 4

    # --- what is forwarded -----------------------------------------------------------

    def may_forward(self, now_us: int) -> bool:
        """Whether another frame, forwarded now, would keep the unconfirmed time in bounds.

        Ask before each frame. Remembers since when the answer has been no; once it was, it
        takes a report that covers a quarter of the bound to change it.
        """
        if self._stopped_us is not None and self._unconfirmed_us() > self._resume_at_us:
            return False
        gap = 0
        if self._last_frame_us is not None:
            gap = now_us - self._last_frame_us
            if gap > self.rules.gap_max_us:
                gap = 0
        if self._unconfirmed_us() + gap <= self.rules.unconfirmed_max_us:
            self._stopped_us = None
            return True
        if self._stopped_us is None:
            self._stopped_us = now_us
        return False

    def given_up(self, now_us: int) -> bool:
        """Whether forwarding has stood still for so long that the session is to end."""
        return self._stopped_us is not None and now_us - self._stopped_us >= self.rules.give_up_us

    def frame(self, now_us: int, last_sequence: int, first_sequence: int | None = None) -> None:
        """A whole frame has been forwarded, up to the packet `last_sequence`.

        `first_sequence` of the connection's first frame says from where reports count.
        """
        if self._covered_to is None:
            self._covered_to = (last_sequence if first_sequence is None else first_sequence) - 1
        self._frames += 1
        gap = 0
        starts_run = True
        if self._last_frame_us is not None:
            gap = max(0, now_us - self._last_frame_us)
            starts_run = gap > self.rules.gap_max_us
            if starts_run:
                gap = 0
        self._last_frame_us = now_us
        self._forwarded_us += gap
        self._pending_us += gap
        if len(self._pending) < PENDING_MAX:
            self._pending.append(_Pending(last_sequence, gap, starts_run))
            return
        last = self._pending[-1]
        last.last_sequence = max(last.last_sequence, last_sequence)
        last.gap_us += gap

    def interrupt(self) -> None:
        """Forwarding was held (pause, no lease, another publisher): the next gap is free."""
        self._last_frame_us = None

    # --- what is reported ------------------------------------------------------------

    def report(self, highest_sequence: int, packets_lost: int, sent_to: int) -> bool:
        """A receiver report about the counted track.

        `highest_sequence` as reported: only its low 16 bits are used, because some receivers
        do not extend it; they are unwrapped against `sent_to`, the last sequence number sent.
        `packets_lost` is the cumulative count. Returns whether the report covered anything.
        """
        if self._covered_to is None:
            return False
        highest = sent_to - ((sent_to - highest_sequence) & 0xFFFF)
        expected = highest - self._covered_to
        if expected <= 0:
            return False
        lost = packets_lost - self._lost
        self._lost = packets_lost
        self._covered_to = highest
        self._forgive(-lost)
        accepted = self._tolerable(lost, expected)
        covered_us = 0
        while self._pending and self._pending[0].last_sequence <= highest:
            frame = self._pending.popleft()
            self._pending_us -= frame.gap_us
            covered_us += frame.gap_us
            if accepted:
                self._confirm(frame)
        if not accepted:
            self._refused_us += covered_us
            self._refused = _Refused(expected, lost, covered_us)
            self._close_run()
        return True

    def _tolerable(self, lost: int, expected: int) -> bool:
        return lost * 100 <= expected * self.rules.loss_max_percent

    def _forgive(self, repaired: int) -> None:
        """Take back the last refusal if enough of its loss turned out to be repaired."""
        refused, self._refused = self._refused, None
        if refused is None or repaired <= 0:
            return
        if self._tolerable(refused.lost - repaired, refused.expected):
            self._refused_us = max(0, self._refused_us - refused.gap_us)
            self._closed_runs_us += max(0, refused.gap_us - self.rules.withheld_us)

    def _confirm(self, frame: _Pending) -> None:
        if frame.starts_run:
            self._close_run()
        self._run_us += frame.gap_us
        self._refused_us = max(0, self._refused_us - frame.gap_us // 10)

    def _close_run(self) -> None:
        self._closed_runs_us += max(0, self._run_us - self.rules.withheld_us)
        self._run_us = 0

    # --- figures ---------------------------------------------------------------------

    def _unconfirmed_us(self) -> int:
        return self._pending_us + self._refused_us

    @property
    def delivered_ms(self) -> int:
        """What may be paid for. Never falls."""
        run = max(0, self._run_us - self.rules.withheld_us)
        return (self._closed_runs_us + run) // 1000

    @property
    def forwarded_ms(self) -> int:
        """What was forwarded, confirmed or not."""
        return self._forwarded_us // 1000

    @property
    def unconfirmed_ms(self) -> int:
        """What was forwarded and not (or only with too much loss) confirmed."""
        return self._unconfirmed_us() // 1000

    @property
    def frames_forwarded(self) -> int:
        """Whole frames forwarded."""
        return self._frames

    @property
    def waiting(self) -> bool:
        """Whether a frame still waits for the report that covers it."""
        return bool(self._pending)

    @property
    def pending_frames(self) -> int:
        """Entries held for frames that no report has covered; at most `PENDING_MAX`."""
        return len(self._pending)
