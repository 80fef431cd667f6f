"""Paced sending and the budget of repair."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from streaming.sfu import pacer
from streaming.sfu.pacer import Pacer, RetransmitBudget

SIZE = 1250
"""10,000 bits: one millisecond at 10 Mbit/s."""


class Sending:
    """A caller of the pacer, and what left when."""

    def __init__(self, paced: Pacer[int]) -> None:
        self.paced = paced
        self.left: list[tuple[int, int]] = []
        self._count = 0

    def send(self, packets: int, now_us: int) -> None:
        for _ in range(packets):
            if self.paced.offer(SIZE, now_us):
                self.left.append((now_us, self._count))
            else:
                assert self.paced.push(self._count, SIZE, now_us)
            self._count += 1

    def run(self, until_us: int, late_us: int = 0) -> None:
        while (at := self.paced.next_us) is not None and at <= until_us:
            items = self.paced.due(at + late_us)
            assert items
            self.left += [(at + late_us, item) for item in items]

    def most_within(self, window_us: int) -> int:
        """The most bytes that left within any window of this length."""
        return SIZE * max(
            sum(1 for at, _ in self.left if start <= at < start + window_us)
            for start, _ in self.left
        )


def test_what_comes_below_the_rate_leaves_at_once() -> None:
    paced: Pacer[int] = Pacer(10_000_000)
    for step in range(1000):
        assert paced.offer(SIZE, 1_000 * step)
    assert paced.next_us is None
    assert paced.due(5_000_000) == []
    assert paced.age_us(5_000_000) == 0


def test_a_keyframe_leaves_at_the_rate_and_in_order() -> None:
    sending = Sending(Pacer(10_000_000))
    sending.send(200, 1_000_000)
    assert len(sending.left) == 10  # the burst
    sending.run(2_000_000)
    assert [item for _, item in sending.left] == list(range(200))
    last = sending.left[-1][0]
    assert 1_180_000 <= last <= 1_200_000
    # In no 50 ms more than the rate and a burst.
    assert sending.most_within(50_000) <= (50 + 10 + 1) * SIZE
    assert sending.paced.queued_bytes == 0
    # Not one wake-up for each packet.
    assert len({at for at, _ in sending.left}) <= 21


def test_while_something_waits_nothing_overtakes() -> None:
    paced: Pacer[str] = Pacer(1_000_000)
    assert paced.offer(SIZE, 0)
    assert not paced.offer(SIZE, 0)
    paced.push("first", SIZE, 0)
    assert not paced.offer(10, 1_000_000)
    paced.push("second", 10, 1_000_000)
    assert paced.next_us == 10_000
    assert paced.due(10_000) == ["first"]
    assert paced.due(20_000) == ["second"]


def test_a_wake_up_that_is_late_loses_little() -> None:
    prompt, late, asleep = (Sending(Pacer(10_000_000)) for _ in range(3))
    for sending, late_us in ((prompt, 0), (late, 30_000), (asleep, 300_000)):
        sending.send(500, 0)
        sending.run(10_000_000, late_us)
    assert late.left[-1][0] <= prompt.left[-1][0] + 30_000
    # But after a long sleep not everything leaves at once.
    assert asleep.most_within(1_000) <= 62 * SIZE


def test_an_old_queue_is_drained_within_its_age() -> None:
    sending = Sending(Pacer(1_000_000, age_max_us=1_000_000))
    sending.send(1000, 0)  # ten seconds at this rate
    sending.run(900_000)
    assert len(sending.left) < 95
    assert not sending.paced.overfull(900_000)
    assert sending.paced.overfull(1_100_000)
    sending.run(60_000_000)
    assert sending.left[-1][0] <= 3_000_000
    assert [item for _, item in sending.left] == list(range(1000))


def test_a_catch_up_stays_below_its_ceiling_however_old_it_is() -> None:
    stream_bps = 1_000_000
    paced: Pacer[int] = Pacer(1, age_max_us=500_000)
    paced.set_rate(pacer.pacing_bps(stream_bps), pacer.catch_up_bps(stream_bps))
    sending = Sending(paced)
    sending.send(800, 0)  # eight seconds of the stream
    for step in range(1, 800):  # and the stream goes on
        sending.run(10_000 * step)
        sending.send(1, 10_000 * step)
    sending.run(20_000_000)
    caught_up = next(at for at, item in sending.left if item > 800 and at <= 10_000 * (item - 799))
    assert 5_200_000 <= caught_up <= 5_500_000  # 8 / (2.5 - 1)
    assert sending.most_within(1_000_000) * 8 <= 2_500_000 + 50_000


def test_the_queue_is_bounded_and_can_be_emptied() -> None:
    paced: Pacer[int] = Pacer(1_000_000, bytes_max=10 * SIZE)
    queued = [paced.push(item, SIZE, 0) for item in range(12)]
    assert queued == [True] * 10 + [False] * 2
    assert paced.overfull(0)
    assert len(paced) == 10
    assert paced.clear() == list(range(10))
    assert (len(paced), paced.queued_bytes, paced.next_us) == (0, 0, None)
    assert not paced.overfull(0)


def test_what_goes_past_the_queue_is_counted() -> None:
    paced: Pacer[int] = Pacer(1_000_000)
    paced.spend(10 * SIZE, 0)
    assert not paced.offer(SIZE, 80_000)
    assert paced.offer(SIZE, 91_000)


def test_rates() -> None:
    assert pacer.pacing_bps(1_000_000) == 2_500_000
    assert pacer.pacing_bps(1_000_000, 9_000_000) == 2_500_000
    assert pacer.pacing_bps(1_000_000, 1_800_000) == 1_800_000
    assert pacer.pacing_bps(1_000_000, 300_000) == 1_250_000
    paced: Pacer[int] = Pacer(0)  # taken as the lowest rate
    assert paced.offer(SIZE, 0)
    paced.push(1, SIZE, 0)
    assert paced.next_us == 1_000_000


@given(st.integers(0, 1 << 32), st.integers(20_000, 50_000_000))
def test_whatever_is_queued_leaves_once_and_in_order(seed: int, rate_bps: int) -> None:
    chance = random.Random(seed)
    sending = Sending(Pacer(rate_bps, bytes_max=1 << 30))
    now = 0
    for _ in range(30):
        sending.send(chance.randrange(12), now)
        now += chance.randrange(40_000)
        sending.run(now, chance.randrange(20_000))
        if chance.random() < 0.2:
            sending.paced.set_rate(chance.randrange(20_000, 50_000_000))
    sending.run(1 << 60)
    assert [item for _, item in sending.left] == list(range(len(sending.left)))
    assert sending.paced.next_us is None
    assert sending.paced.queued_bytes == 0


def test_retransmissions_get_a_share_of_the_last_second() -> None:
    budget = RetransmitBudget()
    budget.set_rates(2_000_000)  # half of it: 125,000 bytes a second
    chance = random.Random(5)
    sent: list[int] = []
    for step in range(10_000):
        now = 7_000_000 + 1000 * step
        for _ in range(chance.randrange(3)):
            if budget.take(SIZE, now):
                sent.append(now)
    for start in range(7_000_000, 16_000_000, 50_000):
        within = sum(SIZE for at in sent if start <= at < start + 1_000_000)
        assert within <= 125_000
    assert len(sent) * SIZE >= 1_100_000
    assert budget.refused > 0


def test_a_gap_of_300_ms_is_repaired_at_once() -> None:
    budget = RetransmitBudget()
    budget.set_rates(2_500_000)
    packets = 2_500_000 * 3 // 10 // 8 // SIZE
    assert all(budget.take(SIZE, 1_000_000 + at) for at in range(packets))


def test_a_thin_stream_has_a_minimum_and_silence_frees_it() -> None:
    budget = RetransmitBudget(minimum_bps=40_000)
    budget.set_rates(10_000)
    assert [budget.take(SIZE, 0) for _ in range(5)] == [True] * 4 + [False]
    assert not budget.take(SIZE, 900_000)
    assert budget.take(SIZE, 1_200_000)
    assert [budget.take(SIZE, 60_000_000) for _ in range(5)] == [True] * 4 + [False]


def test_a_full_path_gets_the_repair_that_fits() -> None:
    def most(room_bps: int | None) -> int:
        budget = RetransmitBudget()
        budget.set_rates(2_500_000, room_bps)
        return sum(budget.take(100, 0) for _ in range(10_000)) * 800

    assert most(None) == 1_250_000 // 800 * 800
    assert most(5_000_000) == most(None)
    assert most(400_000) == 400_000
    assert most(-1_000_000) == 250_000 // 800 * 800


def test_nacks_have_a_pace() -> None:
    budget = RetransmitBudget(nacks_per_second=10)
    taken = [at for at in range(0, 10_000_000, 5_000) if budget.nack(1, at)]
    assert 85 <= len(taken) <= 100
    assert taken[:11] == [*range(0, 50_000, 5_000), 1_100_000]


def test_an_operator_may_take_every_nack_and_names_stay_bounded() -> None:
    budget = RetransmitBudget(nacks_per_second=0, named_max=1_000)
    assert all(budget.nack(1, 0) for _ in range(1_000))
    assert not budget.nack(1, 0)


def test_packets_that_are_named_have_a_pace() -> None:
    budget = RetransmitBudget(named_max=1_000)
    assert [budget.nack(600, at) for at in (0, 10_000, 20_000)] == [True, True, False]
    assert budget.nack(600, 1_100_000)
