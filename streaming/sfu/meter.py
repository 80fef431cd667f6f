"""How much of a stream one viewer was delivered: the figure that is paid for.

Pure: no input or output, no clock. Times come in as microseconds of one monotonic clock,
sequence numbers unwrapped (they never fall and never wrap). One meter belongs to one
connection and counts one of its tracks: the picture, or the sound where there is no picture.

What counts is the **media time of frames that the viewer has and can decode**. What is not
counted is not sent for long, and what is sent and can be decoded is counted: whoever denies
receipt loses the picture, and whoever sends nothing useful earns nothing.

- A frame is *held* when every packet of it has been received, at first or as a retransmission;
  *decodable* when it is held and so is every frame back to a held keyframe.
- A packet that is still missing after the repair time, while later ones are known to have come,
  breaks the chain: nothing counts from there to the next held keyframe.
- A decodable frame counts the media time (RTP clock) since the one before it; nothing if that
  is more than `gap_max_us`. So a freeze is free, and a picture a second is not. The sum never
  exceeds the time that passed on the server's clock while forwarding was on.
- `withheld_us` are never counted, once a connection: two clocks never disagree to the viewer's
  cost.
- What was forwarded and is not known to be held stays below `unconfirmed_max_us`; then
  forwarding stops. What turned out broken stays in that sum and is worked off by confirmed
  time, a twentieth of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from streaming.sfu.report_window import ReportWindow

PENDING_MAX = 2048
"""Frames that wait to be known held; with more, forwarding waits. Memory stays bounded."""
_WORKED_OFF = 20
_TRIAL_LEAST_US = 150_000
"""With less room than this it is not worth trying: the path and its feedback take longer."""
_SQUEEZED_US = 2_000
"""Frames of a catch-up follow each other more closely, and tell nothing about the usual time."""
_M32 = 0xFFFFFFFF
_HALF = 1 << 31


@dataclass(frozen=True, kw_only=True)
class MeterRules:
    """Limits of the meter, in microseconds and percent."""

    gap_max_us: int = 1_500_000
    withheld_us: int = 200_000
    unconfirmed_max_us: int = 4_000_000
    """With feedback about each packet."""
    unreported_max_us: int = 9_000_000
    """With receiver reports alone: RFC 3550 players report each 2 to 6 s."""
    report_settles_us: int = 400_000
    """How long a report waits to be judged: what it calls lost is being repaired."""
    trial_us: int = 500_000
    """Of the bound with feedback: what is kept for going on when the rest was broken."""
    give_up_us: int = 10_000_000
    """How long forwarding may stand still for want of receipt before the session ends."""
    chained: bool = True
    """Whether a frame needs those before it. Sound does not."""


VIDEO_RULES = MeterRules()
AUDIO_RULES = MeterRules(chained=False)


class _Frame:
    """One forwarded frame that is not yet known to be held."""

    __slots__ = ("ended", "first", "gap_us", "keyframe", "last", "sent_us", "timestamp")

    def __init__(self, first: int, timestamp: int, sent_us: int) -> None:
        self.first = first
        self.last = first
        self.timestamp = timestamp
        self.sent_us = sent_us
        self.gap_us = 0
        self.keyframe = False
        self.ended = False


class Meter:
    """Counts one connection. Not thread-safe."""

    def __init__(self, rules: MeterRules = VIDEO_RULES, clock_rate: int = 90_000) -> None:
        self.rules = rules
        self.per_packet = False
        """Whether receipt is known of each packet; receiver reports count until it is."""
        self.repair_us = 1_000_000
        """How long a missing packet is waited for, from when its frame was sent."""
        self.reports_alone = False
        """Whether receiver reports are all that is to be had."""
        self.awaited: int | None = None
        """A packet that the publisher has been asked for again: what comes from it on is not yet
        known to be decodable."""
        self.frames_forwarded = 0
        self._clock_rate = clock_rate
        self._pending: deque[_Frame] = deque()
        self._pending_us = 0
        self._broken_us = 0
        self._unpayable_us = 0
        self._counted_us = 0
        self._forwarded_us = 0
        self._stopped_us: int | None = None
        self._on_trial = False
        # The run: what was forwarded since forwarding was last held, or the chain last broken.
        self.run_us: int | None = None
        """When it began; None while the next frame is to begin one, and counts no time before."""
        self._run_media_us = 0
        self._run_counted_us = 0
        self._last_timestamp = 0
        self._typical_gap_us = 0
        # Receipt, by the packet: all up to `_held` have come, and those in `_ahead`.
        self._held = -1
        self._ahead: set[int] = set()
        self._highest = -1
        # Receipt, by reports.
        self._window = ReportWindow()
        self._reported: deque[tuple[int, int]] = deque()

    # --- what is forwarded -----------------------------------------------------------

    def may_forward(self, now_us: int) -> bool:
        """Whether another frame, forwarded now, would keep the unconfirmed time in bounds.

        Ask before each frame. Remembers since when the answer has been no; once it was, what
        is confirmed must free a quarter of the bound to change it. Where nothing is pending any
        more, and so nothing can be confirmed, it goes on within what was kept for that: after an
        outage a good path works off what the outage broke.
        """
        open_us = self._pending_us + self._broken_us
        limit_us = self.rules.unconfirmed_max_us if self.per_packet else self.unconfirmed_limit_us
        if self._stopped_us is not None:
            if len(self._pending) >= PENDING_MAX // 2:
                return False
            if open_us > limit_us * 3 // 4:
                if self.waiting or open_us + _TRIAL_LEAST_US > limit_us:
                    return False
                self._on_trial = True
            self._stopped_us = None
            return True
        if self._on_trial and open_us <= limit_us * 3 // 4:
            self._on_trial = False
        if self.per_packet and not self._on_trial:
            limit_us -= self.rules.trial_us
        if open_us <= limit_us and len(self._pending) < PENDING_MAX:
            return True
        self._stopped_us = now_us
        return False

    @property
    def unconfirmed_limit_us(self) -> int:
        """The bound on unconfirmed time: that of the receipt there is, or is promised."""
        if self.reports_alone and not self.per_packet:
            return self.rules.unreported_max_us
        return self.rules.unconfirmed_max_us

    def given_up(self, now_us: int) -> bool:
        """Whether forwarding has stood still for so long that the session is to end."""
        return self._stopped_us is not None and now_us - self._stopped_us >= self.rules.give_up_us

    def interrupt(self) -> None:
        """Forwarding was held (pause, no lease, another publisher): the next gap is free."""
        self.run_us = None

    def owe(self, owed_us: int) -> None:
        """Add unpaid media of other causes to the bounded sum, to be worked off.

        That is: the catch-up of a join, the first picture after a viewer's own pause (which
        counts no time), and what the session's earlier connection left unconfirmed.
        """
        self._broken_us += max(0, owed_us)

    @property
    def typical_gap_us(self) -> int:
        """The usual time between frames; the longest that counts while it is not known."""
        return self._typical_gap_us or self.rules.gap_max_us

    def starts_frame(self, now_us: int, sequence: int, timestamp: int, *, keyframe: bool) -> None:
        """The first packet of a frame has been forwarded; it ends the frame before."""
        self.frames_forwarded += 1
        pending = self._pending
        if pending:
            last = pending[-1]
            if not last.ended:
                last.ended = True
                last.last = max(last.last, sequence - 1)
        frame = _Frame(sequence, timestamp, now_us)
        frame.keyframe = keyframe or not self.rules.chained
        run_us = self.run_us
        if run_us is None:
            self._begin_run(frame, sequence, now_us)
        else:
            ticks = (timestamp - self._last_timestamp) & _M32
            if ticks < _HALF:  # a frame that comes out of order counts and moves nothing
                self._last_timestamp = timestamp
                gap_us = ticks * 1_000_000 // self._clock_rate
                if gap_us <= self.rules.gap_max_us:
                    self._add_gap(frame, gap_us, now_us - run_us)
        pending.append(frame)

    def _add_gap(self, frame: _Frame, gap_us: int, passed_us: int) -> None:
        typical_us = self._typical_gap_us
        if gap_us > _SQUEEZED_US:
            self._typical_gap_us = (
                typical_us + ((gap_us - typical_us) >> 4) if typical_us else gap_us
            )
        media_us = self._run_media_us = self._run_media_us + gap_us
        # What comes in a burst counts when the time for it has passed.
        counted_us = media_us if media_us < passed_us else passed_us
        if counted_us > self._run_counted_us:
            frame.gap_us = counted_us - self._run_counted_us
            self._run_counted_us = counted_us
            self._pending_us += frame.gap_us
            self._forwarded_us += frame.gap_us

    def _begin_run(self, frame: _Frame, sequence: int, now_us: int) -> None:
        self.run_us = now_us
        self._run_media_us = 0
        self._run_counted_us = 0
        self._last_timestamp = frame.timestamp
        if self._highest < 0:
            self._held = self._highest = sequence - 1
            self._window.begin(sequence - 1, now_us)
        elif not self._pending:
            self._step_to(sequence)

    def ends_frame(self, sequence: int) -> None:
        """The last packet of the newest frame has been forwarded."""
        if self._pending:
            frame = self._pending[-1]
            frame.last = max(frame.last, sequence)
            frame.ended = True

    def turns_keyframe(self, timestamp: int) -> None:
        """A packet that came late shows that its frame is a keyframe."""
        for frame in reversed(self._pending):
            if frame.timestamp == timestamp:
                frame.keyframe = True
                return

    # --- receipt of each packet --------------------------------------------------------

    def received(self, sequences: Collection[int]) -> None:
        """Packets of the counted track, or their retransmissions, have come to the viewer.

        Call `settle` after the last of a feedback.
        """
        if not sequences:
            return
        self._highest = max(self._highest, *sequences)
        held, ahead = self._held, self._ahead
        for sequence in sequences:
            if sequence == held + 1:
                held = sequence
                while ahead and held + 1 in ahead:
                    held += 1
                    ahead.remove(held)
            elif sequence > held:
                ahead.add(sequence)
        self._held = held

    def settle(self, now_us: int) -> bool:
        """Count what has become decodable. Returns whether the chain has broken.

        After a break nothing of what was sent can be decoded until a keyframe is held: stop
        forwarding, ask for one, and go on with it.
        """
        if not self.per_packet:
            self._judge_reported(now_us)
            return False
        self._count_held()
        pending = self._pending
        # Only where something later has come is a packet lost and not merely unreported.
        while pending and self._highest > self._held:
            if now_us - pending[0].sent_us < self.repair_us:
                return False
            if self._break_chain():
                return True
        return False

    def _count_held(self) -> None:
        pending = self._pending
        if pending and pending[0].keyframe and pending[0].first > self._held + 1:
            self._step_to(pending[0].first)  # nothing before a keyframe is needed for it
        held = self._held
        while pending:
            frame = pending[0]
            if not frame.ended or frame.last > held:
                return
            pending.popleft()
            self._count(frame)

    def _count(self, frame: _Frame) -> None:
        gap_us = frame.gap_us
        if gap_us:
            self._pending_us -= gap_us
            self._counted_us += gap_us
            if self._broken_us:
                self._broken_us = max(0, self._broken_us - gap_us // _WORKED_OFF)

    def _break_chain(self) -> bool:
        """Drop what depends on the missing packet; whether nothing that was sent is left."""
        pending = self._pending
        self._refuse(pending.popleft())
        while pending:
            frame = pending[0]
            if frame.keyframe:
                if self.rules.chained:  # its gap reaches back over what was dropped
                    self._refuse(frame)
                self._step_to(frame.first)
                self._count_held()
                return False
            self._refuse(pending.popleft())
        self._step_to(self._highest + 1)
        self.interrupt()
        return self.rules.chained

    def _step_to(self, sequence: int) -> None:
        """Wait for nothing before this packet any more."""
        held = max(self._held, sequence - 1)
        self._ahead = {number for number in self._ahead if number > held}
        while held + 1 in self._ahead:
            held += 1
            self._ahead.remove(held)
        self._held = held

    def _refuse(self, frame: _Frame) -> None:
        self._pending_us -= frame.gap_us
        self._broken_us += frame.gap_us
        self._unpayable_us += frame.gap_us
        frame.gap_us = 0

    def break_off(self) -> None:
        """The viewer cannot decode what it was sent, by its own word (PLI): it does not count.
        What a report has covered is judged by that."""
        pending = self._pending
        while pending and (not pending[-1].ended or pending[-1].last > self._held):
            self._refuse(pending.pop())
        self.interrupt()

    def excuse(self, sequence: int) -> None:
        """A packet has not come from the publisher and never will: nobody can decode what was
        sent from it on. It does not count, and is not held against the viewer."""
        pending = self._pending
        while pending and (not pending[-1].ended or pending[-1].last >= sequence):
            gap_us = pending.pop().gap_us
            self._pending_us -= gap_us
            self._forwarded_us -= gap_us
        self.interrupt()

    # --- receipt by reports --------------------------------------------------------------

    def report(self, highest_sequence: int, packets_lost: int, sent_to: int, now_us: int) -> bool:
        """A receiver report about the counted track, where there is no better receipt.

        `highest_sequence` as reported: only its low 16 bits are used, because some receivers
        do not extend it; they are unwrapped against `sent_to`, the last sequence number sent.
        `packets_lost` is the cumulative count. Returns whether the report covered anything.
        """
        if self.per_packet or self._highest < 0:
            return False
        self.reports_alone = True
        highest = sent_to - ((sent_to - highest_sequence) & 0xFFFF)
        if not self._window.add(highest, packets_lost, now_us):
            return False
        self._highest = max(self._highest, highest)
        self._held = max(self._held, highest)
        self._reported.append((now_us + self.rules.report_settles_us, highest))
        return True

    def _judge_reported(self, now_us: int) -> None:
        pending, reported = self._pending, self._reported
        while reported and reported[0][0] <= now_us:
            highest = reported[0][1]
            if self.awaited is not None and self.awaited <= highest:
                return
            reported.popleft()
            while pending and pending[0].ended and pending[0].last <= highest:
                frame = pending.popleft()
                if self._window.tolerable:
                    self._count(frame)
                else:
                    self._refuse(frame)

    def repaired(self, sequence: int) -> None:
        """A packet was sent again because the viewer asked for it."""
        self._window.repaired(sequence)

    def repairs_lost(self, packets_lost: int) -> None:
        """Cumulative loss that the viewer reports on the retransmission source."""
        self._window.repairs_lost(packets_lost)

    # --- figures ---------------------------------------------------------------------

    @property
    def delivered_ms(self) -> int:
        """What may be paid for. Never falls."""
        return max(0, self._counted_us - self.rules.withheld_us) // 1000

    @property
    def forwarded_ms(self) -> int:
        """Media time that was forwarded, confirmed or not, without what is withheld: it is
        what was delivered, what is pending and what is unpayable."""
        return max(0, self._forwarded_us - self.rules.withheld_us) // 1000

    @property
    def pending_ms(self) -> int:
        """What was forwarded and of which nothing is known yet."""
        return self._pending_us // 1000

    @property
    def unconfirmed_ms(self) -> int:
        """The bounded sum: what is pending, what was broken, what is owed."""
        return (self._pending_us + self._broken_us) // 1000

    @property
    def owed_ms(self) -> int:
        """What a later connection of the same session begins with: the bounded sum, and what
        this one had withheld."""
        withheld_us = min(self._counted_us, self.rules.withheld_us)
        return (self._pending_us + self._broken_us + withheld_us) // 1000

    @property
    def unpayable_ms(self) -> int:
        """What was forwarded and turned out broken, in all. Never falls."""
        return self._unpayable_us // 1000

    @property
    def waiting(self) -> bool:
        """Whether a frame that was sent to its end still waits to be known held."""
        return bool(self._pending) and self._pending[0].ended

    @property
    def pending_frames(self) -> int:
        """Frames that wait to be known held; at most `PENDING_MAX`."""
        return len(self._pending)
