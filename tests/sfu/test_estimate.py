"""The estimate of a path and the judgement about the picture, on simulated paths."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from streaming.sfu import pacer
from streaming.sfu.estimate import (
    TARGET_MIN_BPS,
    Carries,
    DelayTrend,
    Estimator,
    PathJudge,
    RepairLoss,
)
from streaming.sfu.pacer import Pacer, RetransmitBudget
from streaming.sfu.sliding import SlidingMinimum, SlidingSum
from streaming.sfu.transport_cc import Outcome, Receiver, SendHistory, parse_feedback

S = 1_000_000
STEP_US = 5_000
PACKET = 1200
SOUND = 120


class Path:
    """One direction: a rate, a queue that drops at its tail, delay, jitter and loss. Seeded."""

    def __init__(
        self,
        *,
        rate_bps: int = 100_000_000,
        queue_us: int = 200_000,
        delay_us: int = 20_000,
        jitter_us: int = 0,
        loss: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.rate_bps = rate_bps
        self.queue_us = queue_us
        self.delay_us = delay_us
        self.jitter_us = jitter_us
        self.loss = loss
        self.outage: tuple[int, int] = (0, 0)
        self._chance = random.Random(seed)
        self._free_us = 0

    def arrival(self, size: int, now_us: int) -> int | None:
        """When a packet that is sent now arrives; None if it does not."""
        if max(self._free_us - now_us, 0) > self.queue_us:
            return None
        self._free_us = max(self._free_us, now_us) + size * 8 * S // self.rate_bps
        lost = self._chance.random() < self.loss
        jitter = self._chance.randrange(self.jitter_us + 1)
        if lost or self.outage[0] <= now_us < self.outage[1]:
            return None
        return self._free_us + self.delay_us + jitter


class Viewing:
    """A stream of 30 pictures a second, with keyframes and sound, sent to one viewer: paced,
    numbered, repaired from feedback, judged."""

    def __init__(
        self,
        path: Path,
        stream_bps: int = 2_500_000,
        keyframe_each: int = 120,
        back_loss: float = 0.0,
    ) -> None:
        self.path = path
        self.picture_bps = stream_bps - 48_000
        self.sound_bps = 48_000
        self.keyframe_each = keyframe_each
        self.back = Path(delay_us=path.delay_us, loss=back_loss, seed=2)
        self.history = SendHistory()
        self.pacer: Pacer[tuple[int, int]] = Pacer(pacer.pacing_bps(stream_bps))
        self.budget = RetransmitBudget()
        self.budget.set_rates(stream_bps)
        self.estimator = Estimator()
        self.repair = RepairLoss()
        self.judge = PathJudge()
        self.receiver = Receiver(1, 2)
        self.turns: list[tuple[int, Carries]] = []
        self.states: Counter[str] = Counter()
        self.targets: list[tuple[int, int]] = []
        self.overfull = 0
        self._sizes: dict[int, int] = {}
        self._arriving: list[tuple[int, int]] = []
        self._returning: list[tuple[int, bytes]] = []
        self._key = 0
        self._frame = 0
        self._sounds = 0
        self._now = 0

    def run(self, until_us: int) -> None:
        while self._now < until_us:
            self._publish()
            at = self.pacer.next_us
            if at is not None and at <= self._now:
                for key, size in self.pacer.due(self._now):
                    self._send(key, size)
            self._receive()
            self._learn()
            self._now += STEP_US

    def _publish(self) -> None:
        if self._now >= self._sounds * 20_000:
            self._sounds += 1
            self._key += 1
            self._send(self._key, SOUND)  # past the queue
        if self._now < self._frame * S // 30:
            return
        frame_bytes = self.picture_bps // 240
        # A keyframe is eight times as large as the others, the mean is the rate.
        share = self.keyframe_each / (self.keyframe_each + 7)
        size = int(frame_bytes * share) * (1 if self._frame % self.keyframe_each else 8)
        self._frame += 1
        if self.judge.carries != "picture":
            return
        while size > 0:
            self._key += 1
            packet = min(size, PACKET)
            size -= packet
            if self.pacer.offer(packet, self._now):
                self._send(self._key, packet)
            else:
                self.pacer.push((self._key, packet), packet, self._now)
        self.overfull += self.pacer.overfull(self._now)

    def _send(self, key: int, size: int) -> None:
        self._sizes[key] = size
        number = self.history.assign(key, size, self._now)
        arrival = self.path.arrival(size, self._now)
        if arrival is not None:
            heapq.heappush(self._arriving, (arrival, number))

    def _receive(self) -> None:
        while self._arriving and self._arriving[0][0] <= self._now:
            arrival, number = heapq.heappop(self._arriving)
            self.receiver.add(number, arrival)
        while packet := self.receiver.due(self._now):
            at = self.back.arrival(len(packet), self._now)
            if at is not None:
                self._returning.append((at, packet))

    def _learn(self) -> None:
        while self._returning and self._returning[0][0] <= self._now:
            feedback = parse_feedback(self._returning.pop(0)[1][12:])
            assert feedback is not None
            outcome = self.history.take(feedback, self._now)
            self.estimator.take(outcome)
            self.repair.take(outcome)
            self._repair(outcome)
            self._judge()

    def _repair(self, outcome: Outcome) -> None:
        for key in outcome.missing:
            if self.judge.carries != "picture" and self._sizes[key] != SOUND:
                continue
            if self.budget.take(self._sizes[key], self._now):
                self.pacer.spend(self._sizes[key], self._now)
                self._send(key, self._sizes[key])

    def _judge(self) -> None:
        before = self.judge.carries
        carries = self.judge.judge(
            self._now,
            self.estimator,
            self.repair.share(self._now),
            picture_bps=self.picture_bps,
            sound_bps=self.sound_bps,
        )
        self.states[self.estimator.state] += 1
        target = self.estimator.target_bps
        if target is not None:
            self.targets.append((self._now, target))
        stream_bps = self.picture_bps + self.sound_bps
        self.budget.set_rates(stream_bps, self.estimator.room_bps(stream_bps))
        self.pacer.set_rate(pacer.pacing_bps(stream_bps, target), pacer.catch_up_bps(stream_bps))
        if carries != before:
            self.turns.append((self._now, carries))
            if carries == "sound alone":
                self.pacer.clear()


GOOD_PATHS = {
    "wide": Path(),
    "2.5 over 3 Mbit/s": Path(rate_bps=3_000_000),
    "2.5 over 3 Mbit/s with 2 % loss": Path(rate_bps=3_000_000, loss=0.02),
    "2.5 over 3 Mbit/s with jitter": Path(rate_bps=3_000_000, jitter_us=30_000),
    "2.5 over 3 Mbit/s with a deep queue": Path(rate_bps=3_000_000, queue_us=2 * S),
    "2.5 over 3 Mbit/s with 150 ms of jitter": Path(rate_bps=3_000_000, jitter_us=150_000),
    "5 % loss": Path(loss=0.05),
    "5 % loss, 40 ms away": Path(loss=0.05, delay_us=40_000, rate_bps=10_000_000),
    "10 % loss": Path(loss=0.1),
    "jitter of 150 ms": Path(jitter_us=150_000),
    "jitter of 150 ms and 5 % loss": Path(jitter_us=150_000, loss=0.05),
    "200 ms away": Path(delay_us=200_000, loss=0.02),
}


@pytest.mark.parametrize("name", GOOD_PATHS)
def test_a_path_that_carries_the_picture_keeps_it(name: str) -> None:
    viewing = Viewing(GOOD_PATHS[name])
    viewing.run(20 * S)
    assert viewing.turns == []
    assert viewing.overfull == 0
    target = viewing.targets[-1][1]
    assert target >= 0.8 * 2_500_000
    assert viewing.repair.share(20 * S) < 0.02


@pytest.mark.parametrize(
    ("queue_us", "loss", "delay_us"),
    [(200_000, 0.0, 20_000), (30_000, 0.0, 20_000), (2 * S, 0.0, 20_000), (200_000, 0.05, 100_000)],
)
def test_a_path_that_is_too_narrow_gets_sound_alone(
    queue_us: int, loss: float, delay_us: int
) -> None:
    path = Path(rate_bps=1_500_000, queue_us=queue_us, loss=loss, delay_us=delay_us)
    viewing = Viewing(path)
    viewing.run(42 * S)
    times = [at for at, _ in viewing.turns]
    assert [carries for _, carries in viewing.turns] == [
        "sound alone",
        *["picture", "sound alone"] * 2,
    ]
    assert times[0] <= 5 * S
    # Tried again after 10 and 20 s, and given up soon each time.
    assert [round((times[at] - times[at - 1]) / S) for at in (1, 3)] == [10, 20]
    assert all(times[at] - times[at - 1] <= 3_200_000 for at in (2, 4))


def test_a_path_that_widens_gets_its_picture_back() -> None:
    viewing = Viewing(Path(rate_bps=1_500_000))
    viewing.run(8 * S)
    assert viewing.judge.carries == "sound alone"
    viewing.path.rate_bps = 4_000_000
    viewing.run(60 * S)
    assert [carries for _, carries in viewing.turns] == ["sound alone", "picture"]


def test_a_path_that_narrows_is_seen() -> None:
    viewing = Viewing(Path(rate_bps=10_000_000))
    viewing.run(20 * S)
    assert viewing.turns == []
    viewing.path.rate_bps = 1_500_000
    viewing.run(25 * S)
    assert [carries for _, carries in viewing.turns] == ["sound alone"]


def test_short_outages_are_no_reason() -> None:
    viewing = Viewing(Path(rate_bps=5_000_000))
    for second in range(5, 30, 5):
        viewing.path.outage = (second * S, second * S + 300_000)
        viewing.run((second + 5) * S)
    assert viewing.turns == []


def test_most_of_the_feedback_may_be_lost() -> None:
    viewing = Viewing(Path(rate_bps=3_500_000), back_loss=0.3)
    viewing.run(20 * S)
    assert viewing.turns == []
    narrow = Viewing(Path(rate_bps=1_500_000), back_loss=0.3)
    narrow.run(6 * S)
    assert narrow.judge.carries == "sound alone"


def test_the_target_follows_the_path() -> None:
    narrow = Viewing(Path(rate_bps=1_500_000))
    narrow.run(4 * S)
    assert 1_000_000 <= narrow.targets[-1][1] <= 1_700_000
    assert narrow.states["overuse"] > 0
    assert 80_000 <= narrow.estimator.queue_us <= 220_000
    assert 1_400_000 <= narrow.estimator.acknowledged_bps <= 1_550_000
    assert narrow.estimator.sent_bps >= 2_000_000
    room = narrow.estimator.room_bps(2_500_000)
    assert room is not None
    assert -1_200_000 <= room <= -800_000
    wide = Viewing(Path(rate_bps=50_000_000, delay_us=30_000))
    wide.run(20 * S)
    # What was never tried is not claimed: the stream is all that was sent.
    assert 2_500_000 <= wide.targets[-1][1] <= 4_500_000
    assert wide.states["overuse"] == 0
    assert wide.estimator.queue_us < 5_000
    assert wide.estimator.room_bps(2_500_000) is None
    rtt = wide.estimator.rtt_us
    assert rtt is not None
    assert 60_000 <= rtt <= 75_000


def test_loss_alone_does_not_lower_the_target() -> None:
    viewing = Viewing(Path(loss=0.05))
    viewing.run(20 * S)
    assert viewing.states["overuse"] == 0
    assert min(target for at, target in viewing.targets if at > 3 * S) >= 2_000_000
    assert 0.03 <= viewing.estimator.loss(20 * S) <= 0.07


# --- the parts ---


def test_the_trend_tells_growing_from_shrinking_and_jitter() -> None:
    trend = DelayTrend()
    chance = random.Random(4)
    now = delay = 0
    for _ in range(100):
        now += 50_000
        trend.add(now, chance.randrange(5_000))
        assert trend.state == "normal"
    for _ in range(15):
        now, delay = now + 50_000, delay + 10_000
        trend.add(now, delay)
    assert trend.state == "overuse"
    for _ in range(14):
        now, delay = now + 50_000, delay - 10_000
        trend.add(now, delay)
    assert trend.state == "underuse"
    for _ in range(40):
        now += 50_000
        trend.add(now, 0)
    assert trend.state == "normal"


def test_remb_and_reports_are_heeded_where_there_is_nothing_else() -> None:
    estimator = Estimator()
    assert estimator.target_bps is None
    for second in range(10):
        estimator.report(30, 150, 2_000_000, second * S, 80_000)
    lowered = estimator.target_bps
    assert lowered is not None
    assert 1_000_000 <= lowered < 1_500_000
    assert estimator.loss(9 * S) == pytest.approx(0.2)
    assert estimator.rtt_us == 80_000
    for second in range(10, 60):
        estimator.report(0, 150, 2_000_000, second * S)
    assert estimator.target_bps == 3_000_000
    estimator.set_remb(700_000)
    assert estimator.target_bps == 700_000
    estimator.set_remb(0)
    assert estimator.target_bps == TARGET_MIN_BPS


def test_feedback_overrules_reports() -> None:
    viewing = Viewing(Path())
    viewing.run(3 * S)
    before = viewing.estimator.target_bps
    viewing.estimator.set_remb(100_000)
    viewing.estimator.report(500, 500, 1, 3 * S)
    assert viewing.estimator.target_bps == before
    assert viewing.estimator.loss(3 * S) == 0


def judge_reports(share: float, remb: int | None, seconds: int = 10) -> Carries:
    estimator, judge = Estimator(), PathJudge()
    if remb is not None:
        estimator.set_remb(remb)
    for step in range(4 * seconds):
        now = step * S // 4
        estimator.report(int(100 * share), 100, 2_000_000, now)
        judge.judge(now, estimator, 0.0, picture_bps=1_950_000, sound_bps=50_000)
    return judge.carries


@pytest.mark.parametrize(
    ("share", "remb", "expected"),
    [
        (0.05, None, "picture"),
        (0.2, None, "picture"),
        (0.4, None, "sound alone"),
        (0.2, 1_000_000, "sound alone"),
        (0.05, 1_000_000, "picture"),
        (0.2, 3_000_000, "picture"),
    ],
)
def test_the_judge_has_reports_alone(share: float, remb: int | None, expected: Carries) -> None:
    assert judge_reports(share, remb) == expected


def test_a_picture_that_went_well_for_a_minute_begins_anew() -> None:
    judge, estimator = PathJudge(), Estimator()
    turns: list[tuple[int, Carries]] = []
    bad = [(0, 25 * S), (150 * S, 160 * S)]
    for step in range(4 * 180):
        now = step * S // 4
        before = judge.carries
        unrepaired = 0.5 if any(start <= now < end for start, end in bad) else 0.0
        judge.judge(now, estimator, unrepaired, picture_bps=1, sound_bps=1)
        if judge.carries != before:
            turns.append((now, judge.carries))
    assert turns == [
        (3 * S, "sound alone"),
        (13 * S, "picture"),
        (14 * S + S // 4, "sound alone"),
        (34 * S + S // 4, "picture"),
        (153 * S, "sound alone"),
        (163 * S, "picture"),
    ]


def test_what_is_missing_after_its_time_is_lost() -> None:
    repair = RepairLoss()

    def take(at: int, received: list[int], missing: list[int]) -> None:
        outcome = Outcome(at)
        outcome.received, outcome.missing = received, missing
        repair.take(outcome)

    take(0, list(range(90)), list(range(90, 100)))
    take(200_000, [], list(range(90, 95)))  # their first repeats are lost, too
    take(900_000, list(range(90, 98)), [])
    assert repair.share(900_000) == 0
    assert repair.share(1_000_000) == pytest.approx(0.02)
    assert repair.share(5 * S) == 0


def test_inventions_do_no_harm() -> None:
    """Feedback with wild times and counts: no exception, and numbers that stay numbers."""
    chance = random.Random(9)
    history, estimator, judge = SendHistory(), Estimator(), PathJudge()
    for step in range(3000):
        now = step * 20_000
        for key in range(4):
            history.assign(4 * step + key, PACKET, now)
        base = (history.next - chance.randrange(-3, 40)) & 0xFFFF
        count = chance.randrange(1, 30)
        body = base.to_bytes(2, "big") + count.to_bytes(2, "big") + chance.randbytes(4)
        body += (0x4000 | count).to_bytes(2, "big") + chance.randbytes(2 * count)
        feedback = parse_feedback(body)
        assert feedback is not None
        estimator.take(history.take(feedback, now))
        target = estimator.target_bps
        assert target is None or target >= TARGET_MIN_BPS
        assert estimator.acknowledged_bps >= 0
        assert estimator.state in {"normal", "overuse", "underuse"}
        assert 0 <= estimator.loss(now) <= 1
        judge.judge(now, estimator, 0.0, picture_bps=10**6, sound_bps=10**4)
    # Late arrivals do not raise the claim beyond what was sent, four times over at most.
    assert estimator.acknowledged_bps <= 4 * 4 * PACKET * 8 * 50


def test_sliding_sums_and_minima() -> None:
    total = SlidingSum(100_000, 10)
    for step in range(30):
        total.add(1, step * 100_000)
    assert total.total == 11
    total.advance(3_500_000)
    assert total.total == 5
    total.add(-2, 3_500_000)
    total.advance(1)  # time does not go back
    assert total.total == 3
    total.advance(1 << 60)
    assert total.total == 0
    least = SlidingMinimum(S)
    assert least.least is None
    least.add(5, 0)
    least.add(7, S)
    assert least.least == 5
    least.add(6, 2 * S)
    assert least.least == 6
    least.add(9, 20 * S)
    assert least.least == 9


class Fed:
    """An estimator that is given what it would learn each 100 ms, without a path."""

    def __init__(self) -> None:
        self.estimator = Estimator()
        self.now = 0

    def feed(
        self, seconds: int, *, received: int, missing: int = 0, late: int = 0, delay_us: int = 0
    ) -> None:
        """Packets each 100 ms; the late ones are among the received."""
        for _ in range(10 * seconds):
            self.now += 100_000
            outcome = Outcome(self.now + 100_000)
            outcome.received = list(range(received))
            outcome.received_bytes = PACKET * received
            outcome.last_sent_us = self.now - 90_000 + received - 1
            outcome.last_arrival_us = outcome.last_sent_us + delay_us
            outcome.least_delay_us = delay_us
            outcome.missing = list(range(missing))
            outcome.missing_bytes = PACKET * missing
            outcome.late = late
            outcome.late_bytes = PACKET * late
            self.estimator.take(outcome)


def test_packets_that_come_late_are_not_counted_twice() -> None:
    fed = Fed()
    fed.feed(3, received=25, missing=10, late=10)
    assert fed.estimator.acknowledged_bps == 25 * PACKET * 80
    assert fed.estimator.sent_bps == fed.estimator.acknowledged_bps
    assert fed.estimator.loss(fed.now) == 0


def test_what_arrives_without_a_queue_is_believed_at_once() -> None:
    fed = Fed()
    fed.feed(3, received=2)
    assert fed.estimator.target_bps == pytest.approx(2 * PACKET * 80, rel=0.3)
    fed.feed(2, received=50)
    target = fed.estimator.target_bps
    assert target is not None
    assert target >= 50 * PACKET * 80


@pytest.mark.parametrize(
    ("received", "delay_us", "expected"),
    [
        (17, 100_000, "sound alone"),  # less arrives than the stream is
        (30, 100_000, "picture"),  # the stream arrives, what does not is too much repair
        (17, 10_000, "picture"),  # no queue: the loss is repaired, whatever causes it
    ],
)
def test_a_queue_is_bad_when_the_stream_does_not_arrive(
    received: int, delay_us: int, expected: Carries
) -> None:
    fed, judge = Fed(), PathJudge()
    fed.feed(3, received=25)
    for _ in range(6):
        fed.feed(1, received=received, missing=40 - received, delay_us=delay_us)
        judge.judge(fed.now, fed.estimator, 0.0, picture_bps=2_300_000, sound_bps=50_000)
    assert judge.carries == expected


def test_a_path_that_swings_is_not_one_whose_queue_grows() -> None:
    trend, chance = DelayTrend(), random.Random(8)
    seen = 0
    for step in range(400):
        trend.add(step * 50_000, chance.randrange(90_000))
        seen += trend.state == "overuse"
    assert seen <= 10
    for step in range(400, 415):
        trend.add(step * 50_000, 90_000 + (step - 400) * 15_000)
    assert trend.state == "overuse"


def test_a_clock_that_goes_back_begins_anew() -> None:
    trend = DelayTrend()
    for step in range(30):
        trend.add(900 * S + step * 50_000, 20_000 * step)
    assert trend.state == "overuse"
    for step in range(30):
        trend.add(step * 50_000, 5)
    assert trend.state == "normal"
