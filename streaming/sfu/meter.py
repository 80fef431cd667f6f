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
- Media that flows while its timestamps stand, creep or leap counts nothing. Beyond `gap_max_us` of
  that, it is owed as what was broken is, and so it stops; a clock that is a little slow is not
  felt.
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


class Unconfirmed:
    """What one connection may have unconfirmed, of all that its meters count together."""

    def __init__(self) -> None:
        self._meters: list[Meter] = []
        self._stopped_us: int | None = None
        self._on_trial = False
        self.beside_us = 0
        """What of the bound is kept for what may be counted beside a picture that has broken."""

    def covers(self, meter: Meter) -> None:
        """Bound what this meter counts, too."""
        self._meters.append(meter)

    def limit_us(self, asks: Meter) -> int:
        """The bound for what one of the meters counts: that of the receipt there is, or is
        promised, of this and of what is pending beside it."""
        limit_us = asks.receipt_limit_us
        for meter in self._meters:
            if meter is not asks and meter.waiting:
                limit_us = max(limit_us, meter.receipt_limit_us)
        return limit_us

    def may_forward(self, asks: Meter, now_us: int) -> bool:
        """See `Meter.may_forward`."""
        open_us, limit_us = 0, self.limit_us(asks)
        for meter in self._meters:
            open_us += meter.open_us
        if self._stopped_us is not None:
            if asks.pending_frames >= PENDING_MAX // 2:
                return False
            if open_us > limit_us * 3 // 4:
                waiting = any(meter.waiting for meter in self._meters)
                if waiting or open_us + _TRIAL_LEAST_US > limit_us:
                    return False
                self._on_trial = True
            self._stopped_us = None
            return True
        if self._on_trial and open_us <= limit_us * 3 // 4 - self.beside_us:
            self._on_trial = False
        if asks.per_packet and not self._on_trial:
            limit_us -= asks.rules.trial_us
        if asks.per_packet and asks.rules.chained:
            limit_us -= self.beside_us
        if open_us <= limit_us and asks.pending_frames < PENDING_MAX:
            return True
        self._stopped_us = now_us
        return False

    def go_on(self, *, on_trial: bool) -> None:
        """Something else is forwarded now, or the same once more, within what was kept for that."""
        self._stopped_us = None
        self._on_trial = self._on_trial or on_trial

    @property
    def untimed(self) -> bool:
        """Whether most of it is no want of receipt: the media's timestamps said nothing."""
        open_us = sum(meter.open_us for meter in self._meters)
        return open_us > 0 and 2 * sum(meter.untimed_us for meter in self._meters) >= open_us

    def has_room(self, asks: Meter, more_us: int) -> bool:
        """Whether so much more may be unconfirmed."""
        open_us = sum(meter.open_us for meter in self._meters)
        return open_us + more_us <= self.limit_us(asks)

    def given_up(self, now_us: int, after_us: int) -> bool:
        """Whether forwarding has stood still for so long."""
        return self._stopped_us is not None and now_us - self._stopped_us >= after_us

    def work_off(self, worked_us: int) -> None:
        """Let confirmed time make up for what was broken, whichever meter counted that."""
        for meter in self._meters:
            worked_us -= meter.forgive(worked_us)


class Meter:
    """Counts one connection, or what goes beside another of the same. Not thread-safe."""

    def __init__(
        self,
        rules: MeterRules = VIDEO_RULES,
        clock_rate: int = 90_000,
        unconfirmed: Unconfirmed | None = None,
    ) -> None:
        """`unconfirmed` is the bound of the connection, where another meter has it, too."""
        self.rules = rules
        self.unconfirmed = unconfirmed or Unconfirmed()
        self.unconfirmed.covers(self)
        self.per_packet = False
        """Whether receipt is known of each packet; receiver reports count until it is."""
        self.repair_us = 1_000_000
        """How long a missing packet is waited for, from when its frame was sent; needed while
        the meter `misses` one."""
        self.reports_alone = False
        """Whether receiver reports are all that is to be had."""
        self.awaited: int | None = None
        """A packet that the publisher has been asked for again: what comes from it on is not yet
        known to be decodable. Needed where receipt is known by reports."""
        self.frames_forwarded = 0
        self._clock_rate = clock_rate
        self._pending: deque[_Frame] = deque()
        self._pending_us = 0
        self._broken_us = 0
        self._unpayable_us = 0
        self._counted_us = 0
        self._forwarded_us = 0
        self._stamped_us = 0
        # What flows by the server's clock, and what of it the timestamps have not accounted for.
        self._octets = 0
        self._flowed_us: int | None = None
        self._stamped_before_us = 0
        self._untimed_us = 0
        self._untimed_owed_us = 0
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
        self._window_begun = False
        self._lost_before = 0
        self._reported: deque[tuple[int, int]] = deque()

    # --- what is forwarded -----------------------------------------------------------

    def may_forward(self, now_us: int) -> bool:
        """Whether another frame, forwarded now, would keep the unconfirmed time in bounds.

        Ask before each frame. Remembers since when the answer has been no; once it was, what
        is confirmed must free a quarter of the bound to change it. Where nothing is pending any
        more, and so nothing can be confirmed, it goes on within what was kept for that: after an
        outage a good path works off what the outage broke.
        """
        return self.unconfirmed.may_forward(self, now_us)

    @property
    def unconfirmed_limit_us(self) -> int:
        """The bound on unconfirmed time."""
        return self.unconfirmed.limit_us(self)

    @property
    def receipt_limit_us(self) -> int:
        """The bound by the receipt there is, or is promised, of what this meter counts."""
        if self.by_reports:
            return self.rules.unreported_max_us
        return self.rules.unconfirmed_max_us

    @property
    def by_reports(self) -> bool:
        """Whether receiver reports tell what has come, and nothing better does or will."""
        return self.reports_alone and not self.per_packet

    @property
    def open_us(self) -> int:
        """What this meter adds to the bounded sum."""
        return self._pending_us + self._broken_us

    @property
    def untimed_us(self) -> int:
        """What of that is owed because the media flowed and its timestamps said nothing; it is
        worked off last."""
        return self._untimed_owed_us

    def forgive(self, worked_us: int) -> int:
        """Take so much from what was broken; returns how much it was."""
        worked_us = min(worked_us, self._broken_us)
        self._broken_us -= worked_us
        self._untimed_owed_us = min(self._untimed_owed_us, self._broken_us)
        return worked_us

    def given_up(self, now_us: int) -> bool:
        """Whether forwarding has stood still for so long that the session is to end."""
        return self.unconfirmed.given_up(now_us, self.rules.give_up_us)

    def interrupt(self) -> None:
        """Forwarding was held (pause, no lease, another publisher): the next gap is free."""
        self.run_us = None
        self._flowed_us = None  # nothing was sent since that could have had a timestamp

    def owe(self, owed_us: int) -> None:
        """Add unpaid media of other causes to the bounded sum, to be worked off.

        That is: the catch-up of a join, the first picture after a viewer's own pause (which
        counts no time), what the session's earlier connection left unconfirmed, and what flowed
        under timestamps that said nothing.
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
            self._stamped_us += frame.gap_us

    def flows(self, octets: int, now_us: int) -> bool:
        """Compare the time in which media was sent with what its timestamps say; some ten times a
        second. `octets` is the payload sent in all: padding is no media.

        Returns whether something is owed for that now, so that `may_forward` is to be asked: a
        frame that never ends would ask no more.
        """
        if octets == self._octets:
            return False
        self._octets = octets
        since_us = 0 if self._flowed_us is None else now_us - self._flowed_us
        self._flowed_us = now_us
        stamped_us = self._stamped_us - self._stamped_before_us
        self._stamped_before_us = self._stamped_us
        if since_us > self.rules.gap_max_us:  # a freeze is free, and so is the picture after it
            self._untimed_us = 0
            return False
        self._untimed_us = max(0, self._untimed_us + since_us - stamped_us)
        owed_us = self._untimed_us - self.rules.gap_max_us
        if owed_us <= 0:
            return False
        self._untimed_us -= owed_us
        self.owe(owed_us)
        self._untimed_owed_us += owed_us
        return True

    def _begin_run(self, frame: _Frame, sequence: int, now_us: int) -> None:
        self.run_us = now_us
        self._run_media_us = 0
        self._run_counted_us = 0
        self._last_timestamp = frame.timestamp
        if self._highest < 0:
            self._held = self._highest = sequence - 1
        elif not self._pending:
            self._step_to(sequence)
        if not self._window_begun:
            self._window_begun = True
            self._window.begin(sequence - 1, self._lost_before, now_us)

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
        held, ahead = self._held, self._ahead
        if not ahead:
            next_held = held + len(sequences)
            if sequences == list(range(held + 1, next_held + 1)):  # those that were next
                self._held = next_held
                self._highest = max(self._highest, next_held)
                return
        self._highest = max(self._highest, *sequences)
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
        while pending and self.misses:
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
            self.unconfirmed.work_off(gap_us // _WORKED_OFF)

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

    def forget_reports(self) -> None:
        """What follows is judged by its own loss: until now it was not counted."""
        self._window_begun = False

    def passed_by(self, packets_lost: int) -> None:
        """A receiver report while nothing is counted: so many were lost until then."""
        self._lost_before = packets_lost

    def report(self, highest_sequence: int, packets_lost: int, sent_to: int, now_us: int) -> bool:
        """A receiver report about the counted track, where there is no better receipt.

        `highest_sequence` as reported: only its low 16 bits are used, because some receivers
        do not extend it; they are unwrapped against `sent_to`, the last sequence number sent.
        `packets_lost` is the cumulative count. Returns whether the report covered anything.
        """
        if self.per_packet or self._highest < 0:
            return False
        self.reports_alone = True
        self._lost_before = packets_lost
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
        return self.open_us // 1000

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
    def misses(self) -> bool:
        """Whether a packet has not come although a later one has."""
        return self._highest > self._held

    @property
    def pending_frames(self) -> int:
        """Frames that wait to be known held; at most `PENDING_MAX`."""
        return len(self._pending)
