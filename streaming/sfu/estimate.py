"""What a viewer's path carries: an estimate from feedback per packet, and the judgement
whether the picture still goes through. Pure: times are integers in microseconds that are
passed in; what feedback packets tell is summed up, and conclusions are drawn some times a second.

The stream's rate is the publisher's: it is forwarded whole or not at all. So the estimate
sets the pace (`pacer.pacing_bps`) and later the layer, and `PathJudge` takes the picture away
when the path cannot carry it. Loss alone is no congestion: a radio link that loses 5 % at
random carries the picture, with repair.

Sources: draft-ietf-rmcat-gcc-02 (delay gradient, AIMD, the loss rule), with libwebrtc's
trendline in place of the Kalman filter; draft-alvestrand-rmcat-remb; RFC 6817 (LEDBAT) on the
least delay as the measure of an empty queue.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from streaming.sfu.sliding import SlidingMinimum, SlidingSum
from streaming.sfu.transport_cc import Outcome

State = Literal["normal", "overuse", "underuse"]
Carries = Literal["picture", "sound alone"]

RATE_WINDOW_US = 1_000_000
"""Of the acknowledged and the sent rate."""
STANDING_US = 50_000
"""A queue that never falls below this for half a second stands."""
FRESH_US = 3_000_000
"""For how long feedback per packet overrules REMB and reports."""
TARGET_MIN_BPS = 30_000
LEARN_EVERY_US = 150_000
"""How often conclusions are drawn: for browsers, who tell each 50 or 100 ms, from two or three
feedback packets. `DelayTrend` has points enough with that."""

_TREND_US = 1_000_000
_TREND_POINTS = 20
_TREND_LEAST = 5
_TREND_GAIN_US = 240_000
"""60 groups and a gain of 4, as libwebrtc has it, where each group counts as a millisecond."""
_THRESHOLD_US = 12_500
"""Fixed: GCC's adapts, so that a sender that obeys it is not starved by TCP; here the stream's
rate does not follow the estimate, and the least delay of a feedback packet swings little."""
_REPORT_LEAST = 50
"""Packets of a window below which its loss says nothing."""


class DelayTrend:
    """Whether the delay grows: a line through the least delays of the last second's feedback.

    The least delay of one or a few feedback packets is taken: what a frame's own packets wait
    for each other, and jitter, does not count.
    """

    def __init__(self) -> None:
        self._points: deque[tuple[int, int]] = deque()
        # Of all points, from the first after the last clearing on; exact, since they are whole.
        self._origin = (0, 0)
        self._sum_x = self._sum_y = self._sum_xx = self._sum_xy = 0
        self._over = 0
        self.state: State = "normal"

    def add(self, arrival_us: int, delay_us: int) -> None:
        """What feedback told last: the latest arrival, and the least delay (any origin)."""
        points = self._points
        if points:
            step_us = arrival_us - points[-1][0]
            if -_TREND_US <= step_us <= 0:
                return
            while points and (
                step_us < 0  # another clock
                or arrival_us - points[0][0] > _TREND_US
                or len(points) == _TREND_POINTS
            ):
                self._count(*points.popleft(), -1)
        if not points:
            self._origin = (arrival_us, delay_us)
        points.append((arrival_us, delay_us))
        self._count(arrival_us, delay_us, 1)
        if len(points) < _TREND_LEAST:
            self._over = 0
            self.state = "normal"
            return
        self._judge(self._slope() * _TREND_GAIN_US)

    def _count(self, arrival_us: int, delay_us: int, sign: int) -> None:
        """Add a point to the sums, or take it out of them."""
        x, y = arrival_us - self._origin[0], delay_us - self._origin[1]
        self._sum_x += sign * x
        self._sum_y += sign * y
        self._sum_xx += sign * x * x
        self._sum_xy += sign * x * y

    def _slope(self) -> float:
        """Of the least squares: growth of the delay by time."""
        size, sum_x = len(self._points), self._sum_x
        return (size * self._sum_xy - sum_x * self._sum_y) / (size * self._sum_xx - sum_x * sum_x)

    def _judge(self, trend_us: float) -> None:
        if trend_us > _THRESHOLD_US:
            self._over += 1
            self.state = "overuse" if self._over > 1 else "normal"
        else:
            self._over = 0
            self.state = "underuse" if trend_us < -_THRESHOLD_US else "normal"


class Estimator:
    """What is known of one viewer's path."""

    def __init__(self) -> None:
        self.acknowledged_bps = 0
        """What arrived, by the receiver's clock, over the last second."""
        self.sent_bps = 0
        """What had been sent of that and of what went missing, by ours."""
        self.rtt_us: int | None = None
        """The least of the last seconds, with up to one interval of feedback in it."""
        self._trend = DelayTrend()
        self._totals: deque[tuple[int, int, int, int]] = deque()
        self._received_bytes = 0
        self._sent_bytes = 0
        self._lost = SlidingSum(250_000, 8)
        self._expected = SlidingSum(250_000, 8)
        self._rtt = SlidingMinimum(1_000_000)
        self._delay = SlidingMinimum(500_000)
        self._base = SlidingMinimum(30_000_000)
        self.queue_us = 0
        """What stands in the path's queue: the least delay of the last half to whole second,
        above the least of the last half to whole minute."""
        self._target: int | None = None
        self._capacity_bps = 0
        self._raised_us = 0
        self._changed_us = 0
        self._feedback_us: int | None = None
        # What feedback has told since conclusions were drawn last.
        self._learnt_us = -LEARN_EVERY_US
        self._more_received = self._more_missing = 0
        self._last_sent_us = self._last_arrival_us = 0
        self._least_delay_us = self._least_rtt_us = 0
        self._remb: int | None = None
        self._by_reports: int | None = None

    # --- what comes in ---

    def take(self, outcome: Outcome, *, at_once: bool = False) -> bool:
        """Learn from a feedback packet (`transport_cc.SendHistory.take`). Whether conclusions
        were drawn: `at_once`, or because it was time."""
        received = len(outcome.received)
        missing = len(outcome.missing) - outcome.late
        if not received and not missing:
            return False
        now_us = self._feedback_us = outcome.feedback_us
        self._more_received += received
        self._more_missing += missing
        got = outcome.received_bytes
        self._received_bytes += got
        self._sent_bytes += got + outcome.missing_bytes - outcome.late_bytes
        if received:
            self._note_times(outcome, first=self._more_received == received)
        if not at_once and 0 <= now_us - self._learnt_us < LEARN_EVERY_US:
            return False
        self._learn(now_us)
        return True

    def _note_times(self, outcome: Outcome, *, first: bool) -> None:
        """`first`: since conclusions were drawn last."""
        delay_us, sent_us = outcome.least_delay_us, outcome.last_sent_us
        rtt_us = outcome.feedback_us - sent_us
        if first or delay_us < self._least_delay_us:
            self._least_delay_us = delay_us
        if first or rtt_us < self._least_rtt_us:
            self._least_rtt_us = rtt_us
        if first or sent_us > self._last_sent_us:  # later feedback may have been overtaken by it
            self._last_sent_us, self._last_arrival_us = sent_us, outcome.last_arrival_us

    def _learn(self, now_us: int) -> None:
        """Draw conclusions from what feedback has told since the last time."""
        self._learnt_us = now_us
        self._expected.add(self._more_received + self._more_missing, now_us)
        if self._more_missing:
            self._lost.add(self._more_missing, now_us)
        if self._more_received:
            self._arrived(now_us)
        self._more_received = self._more_missing = 0
        self._adapt(now_us)

    def _arrived(self, now_us: int) -> None:
        last_sent, last_arrival = self._last_sent_us, self._last_arrival_us
        least_us = self._least_delay_us
        self._rtt.add(max(self._least_rtt_us, 0), now_us)
        self.rtt_us = self._rtt.least
        self._delay.add(least_us, now_us)
        self._base.add(least_us, now_us)
        delay, base = self._delay.least, self._base.least
        self.queue_us = 0 if delay is None or base is None else delay - base
        self._trend.add(last_arrival, least_us)
        self._rates(last_arrival, last_sent)

    def _rates(self, last_arrival: int, last_sent: int) -> None:
        totals = self._totals
        if totals and last_sent <= totals[-1][1]:
            return  # about late ones alone; their bytes are counted
        totals.append((last_arrival, last_sent, self._received_bytes, self._sent_bytes))
        while len(totals) > 2 and last_sent - totals[1][1] >= RATE_WINDOW_US:
            totals.popleft()
        if len(totals) > 4 * _TREND_POINTS:
            totals.popleft()
        arrival, at, got, all_bytes = totals[0]
        if last_arrival - arrival >= RATE_WINDOW_US // 4 and last_sent > at:
            self.acknowledged_bps = (
                (self._received_bytes - got) * 8_000_000 // (last_arrival - arrival)
            )
            self.sent_bps = (self._sent_bytes - all_bytes) * 8_000_000 // (last_sent - at)

    def set_remb(self, bps: int) -> None:
        """A receiver's own estimate (REMB), heeded where there is no feedback per packet."""
        self._remb = max(bps, TARGET_MIN_BPS)

    def report(
        self, lost: int, expected: int, sent_bps: int, now_us: int, rtt_us: int | None = None
    ) -> None:
        """What a receiver report adds: packets lost and expected since the one before, while
        `sent_bps` was sent. Heeded where there is no feedback per packet."""
        if self._is_fresh(now_us):
            return
        self._expected.add(max(expected, 0), now_us)
        self._lost.add(max(min(lost, expected), 0), now_us)
        self.sent_bps = sent_bps
        if rtt_us is not None:
            self._rtt.add(rtt_us, now_us)
            self.rtt_us = self._rtt.least
        self._by_reports = self._by_loss(
            self._by_reports or sent_bps, 3 * sent_bps // 2, sent_bps // 2, now_us
        )

    def _is_fresh(self, now_us: int) -> bool:
        return self._feedback_us is not None and now_us - self._feedback_us < FRESH_US

    # --- what comes out ---

    @property
    def target_bps(self) -> int | None:
        """What the path is believed to carry; None when nothing is known."""
        if self._target is not None:
            return self._target
        return self._remb if self._remb is not None else self._by_reports

    @property
    def remb_bps(self) -> int | None:
        """The receiver's own estimate, if it sent one."""
        return self._remb

    @property
    def state(self) -> State:
        """Whether the queue on the path grows, shrinks or neither."""
        return self._trend.state

    @property
    def has_feedback(self) -> bool:
        """Whether there has been feedback per packet."""
        return self._feedback_us is not None

    def room_bps(self, stream_bps: int) -> int | None:
        """What a full path has room for beside the stream, for repair; may be negative. None
        while no queue stands: then loss is not the path's being full."""
        if self._target is None or self.queue_us < STANDING_US:
            return None
        return max(self._target, self.acknowledged_bps) - stream_bps

    def loss(self, now_us: int) -> float:
        """Share of packets lost on the path in the last two seconds, before repair; 0 with
        fewer than fifty."""
        self._expected.advance(now_us)
        self._lost.advance(now_us)
        if self._expected.total < _REPORT_LEAST:
            return 0.0
        return min(max(self._lost.total / self._expected.total, 0.0), 1.0)

    # --- AIMD ---

    def _adapt(self, now_us: int) -> None:
        acknowledged = self.acknowledged_bps
        if not acknowledged:
            return
        if self._target is None:
            self._target = acknowledged
            self._raised_us = now_us
        state, loss = self._trend.state, self.loss(now_us)
        if state == "overuse":
            self._lower(acknowledged * 85 // 100, now_us)
        elif state == "normal" and self.queue_us < STANDING_US and loss <= 0.1:
            self._raise(self._target, acknowledged, now_us)
        elif loss > 0.1:
            self._target = self._by_loss(
                self._target, self._target, acknowledged * 85 // 100, now_us
            )
        self._raised_us = now_us
        self._target = max(self._target, TARGET_MIN_BPS)

    def _lower(self, to_bps: int, now_us: int) -> None:
        if self._target is not None and to_bps < self._target:
            self._target = to_bps
        self._capacity_bps = self.acknowledged_bps
        self._changed_us = now_us

    def _raise(self, target: int, acknowledged: int, now_us: int) -> None:
        """8 % a second; near what once was too much one packet each response time."""
        past_us = min(now_us - self._raised_us, 1_000_000)
        if self._capacity_bps and target < self._capacity_bps * 12 // 10:
            more = 9_600 * past_us // ((self.rtt_us or 0) + 100_000)
        else:
            more = target * past_us * 8 // 100_000_000
        # What arrived without a queue is proven; what was never tried is not claimed.
        most = 3 * acknowledged // 2 + 10_000
        self._target = max(acknowledged, target, min(target + more, most))

    def _by_loss(self, target: int, most: int, least: int, now_us: int) -> int:
        """The loss rule: above 10 % lower by half the loss, below 2 % raise by 5 %."""
        if now_us - self._changed_us < 500_000 + (self.rtt_us or 0):
            return target
        loss = self.loss(now_us)
        if 0.02 <= loss <= 0.1 or self._expected.total < _REPORT_LEAST:
            return target
        self._changed_us = now_us
        if loss > 0.1:
            return max(int(target * (1 - loss / 2)), least, TARGET_MIN_BPS)
        return max(target, min(target * 105 // 100, most))


class RepairLoss:
    """What is still missing when repair has had its time.

    Packets are told by their media key; a retransmission must be given to
    `transport_cc.SendHistory.assign` under the key of the packet that it repeats.
    """

    def __init__(self, repair_us: int = 1_000_000) -> None:
        self._repair_us = repair_us
        self._missing: dict[int, int] = {}
        """When each that was reported missing is due. One that came stays until then, so that
        a lost repeat of it is not taken for it."""
        self._came: set[int] = set()
        self._lost = SlidingSum(250_000, 8)
        self._held = SlidingSum(250_000, 8)

    def take(self, outcome: Outcome) -> None:
        """Learn from a feedback packet."""
        now_us, missing = outcome.feedback_us, self._missing
        if missing:
            self._came.update(missing.keys() & outcome.received)
        for key in outcome.missing:
            missing.setdefault(key, now_us + self._repair_us)
        self._held.add(len(outcome.received), now_us)
        if missing:
            self._expire(now_us)

    def _expire(self, now_us: int) -> None:
        """Of those that are due; they stand in the order of their time."""
        missing = self._missing
        while missing:
            key = next(iter(missing))
            if missing[key] > now_us:
                return
            del missing[key]
            if key in self._came:
                self._came.remove(key)
            else:
                self._lost.add(1, now_us)

    def share(self, now_us: int) -> float:
        """Share of the packets of the last two seconds; 0 with fewer than fifty."""
        if not self._missing and not self._lost.total:
            return 0.0
        self._expire(now_us)
        self._lost.advance(now_us)
        self._held.advance(now_us)
        total = self._lost.total + self._held.total
        return self._lost.total / total if total >= _REPORT_LEAST else 0.0


class PathJudge:
    """Whether to send a viewer the picture, or sound alone because the path is too narrow.

    The picture goes when for 3 s more than 10 % stay lost after repair, or a queue stands and
    less than 90 % of what is sent, and less than the stream, arrives. It is tried again after
    10, 20, 40 and then each 60 s; a trial that goes wrong within its first 3 s ends when that
    has been seen for 1 s, or when the picture breaks within 15 s. Who carried the picture for a
    minute begins with 10 s again.
    """

    BAD_US = 3_000_000
    TRIAL_US = 3_000_000
    TRIAL_BAD_US = 1_000_000
    BROKE_US = 15_000_000
    AGAIN_US = (10_000_000, 20_000_000, 40_000_000, 60_000_000)
    PROVEN_US = 60_000_000

    def __init__(self) -> None:
        self.carries: Carries = "picture"
        self._failures = 0
        self._bad_since_us: int | None = None
        self._since_us: int | None = None
        """Since when `carries` is what it is."""

    @property
    def again_us(self) -> int | None:
        """When the picture is tried again; None while it is sent."""
        if self.carries == "picture" or self._since_us is None:
            return None
        return self._since_us + self.AGAIN_US[min(self._failures, len(self.AGAIN_US)) - 1]

    def judge(
        self,
        now_us: int,
        estimator: Estimator,
        unrepaired: float,
        *,
        picture_bps: int,
        sound_bps: int,
    ) -> Carries:
        """To be called with each feedback or report, and at `again_us`.

        `unrepaired` is `RepairLoss.share`, or what the caller knows better; the rates are the
        stream's own, as it comes from the publisher.
        """
        if self._since_us is None:
            self._since_us = now_us
        again_us = self.again_us
        if again_us is not None:
            if now_us >= again_us:
                self._turn("picture", now_us)
            return self.carries
        past_us = now_us - self._since_us
        if past_us >= self.PROVEN_US:
            self._failures = 0
        if not self._is_bad(now_us, estimator, unrepaired, picture_bps + sound_bps):
            self._bad_since_us = None
            return self.carries
        if self._bad_since_us is None:
            self._bad_since_us = now_us
        trial = self._failures and self._bad_since_us - self._since_us < self.TRIAL_US
        if now_us - self._bad_since_us >= (self.TRIAL_BAD_US if trial else self.BAD_US):
            self._fail(now_us)
        return self.carries

    def broke(self, now_us: int) -> None:
        """What was sent of the picture cannot be decoded, because of the path. Soon after a trial
        has begun it shows that this one goes wrong, too."""
        if self._tries(now_us):
            self._fail(now_us)

    def gives_way(self, now_us: int) -> bool:
        """No more of the picture may be sent for want of receipt. Whether the path is why: it
        looks bad now, or the picture is only being tried."""
        if self.carries == "picture" and self._bad_since_us is None and not self._tries(now_us):
            return False
        if self.carries == "picture":
            self._fail(now_us)
        return True

    def _tries(self, now_us: int) -> bool:
        since_us = self._since_us
        if not self._failures or self.carries != "picture" or since_us is None:
            return False
        return now_us - since_us < self.BROKE_US

    def _fail(self, now_us: int) -> None:
        self._failures += 1
        self._turn("sound alone", now_us)

    def _turn(self, carries: Carries, now_us: int) -> None:
        self.carries = carries
        self._since_us = now_us
        self._bad_since_us = None

    @staticmethod
    def _is_bad(now_us: int, estimator: Estimator, unrepaired: float, stream_bps: int) -> bool:
        if unrepaired > 0.1:
            return True
        if not estimator.has_feedback:
            # Reports tell loss before repair. With 30 % a tenth is left after one repeat.
            loss = estimator.loss(now_us)
            remb = estimator.remb_bps
            return loss > 0.3 or (loss > 0.1 and remb is not None and remb < stream_bps)
        if estimator.queue_us < STANDING_US:
            return False
        arrived = estimator.acknowledged_bps
        return 10 * arrived < 9 * estimator.sent_bps and arrived < stream_bps
