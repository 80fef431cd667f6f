"""When what a publisher sends was captured, on the server's clock: what lip sync rests on. Pure:
times are microseconds that are passed in.

Each track has an RTP clock of its own, with an arbitrary zero. A publisher's sender reports say
which RTP time is which time of its wall clock (RFC 3550, 6.4.1); the report that came fastest
tells that wall clock's difference from ours. Until every track has a report, the packets that
came fastest stand in for them.

`zero_us` is the moment at which a track's RTP time was zero, later than it really was by the
time that the fastest packet took; by the same for every track, so that sound and picture agree.
"""

from __future__ import annotations

from streaming.sfu.sliding import SlidingMinimum

SPAN_US = 10_000_000
"""A minimum over the last one to two of these: clocks drift, and ways become longer."""
REPORTS_SPAN_US = 30_000_000
STEP_US = 1_000_000
"""A wall clock that differs by more from what it was has been set; media that is later by more,
for as long, has stood still, or comes another way now."""
FIT_US = 2_000_000
"""Reports that disagree by more with what arrives are not believed."""
YOUNG_US = 1_000_000
BESIDE_US = 300_000
"""How long what came of one track tells how late the others are."""
_WRAP = 1 << 32


class CaptureClock:
    """The RTP clock of one track's source."""

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.beside: list[CaptureClock] = []
        """Those of the publisher's other tracks, whose packets come the same way."""
        self.reported: tuple[int, int] | None = None
        """Unix microseconds and unwrapped RTP time of the last report that can be used."""
        self.agreed_us: int | None = None
        """`zero_us` as the reports of all tracks had it last."""
        self.restarts = 0
        """How many sources there were before this one."""
        self._least = SlidingMinimum(SPAN_US)
        self._fastest = SlidingMinimum(SPAN_US)
        self._newest: int | None = None
        self.first_us = 0
        """When the source's first packet came."""
        self._seen_us = 0
        self._late_us = 0
        self._gaps_us = (BESIDE_US, BESIDE_US)
        """Between the last frames: one may be a pause."""
        self._late_since_us: int | None = None

    def restart(self) -> None:
        """Another source follows: nothing is known of its clock."""
        self.restarts += 1
        self.reported = self.agreed_us = self._newest = None
        self._forget()

    def arrived(self, timestamp: int, now_us: int) -> None:
        """The first packet of a frame has come."""
        newest, self._newest = self._newest, self.unwrap(timestamp)
        if newest is not None:
            self._gaps_us = self._gaps_us[1], self.media_us(self._newest - newest)
        zero_us = now_us - self.media_us(self._newest)
        fastest_us = self._fastest.least
        if fastest_us is None:
            self.first_us = now_us
        elif zero_us - fastest_us <= STEP_US:
            self._late_since_us = None
        elif self._late_since_us is None:
            self._late_since_us = now_us
        elif now_us - self._late_since_us > STEP_US:
            self._forget()
        self._fastest.add(zero_us, now_us)
        young = now_us - self.first_us < YOUNG_US
        self._least.add(zero_us - self._late_beside_us(now_us) if young else zero_us, now_us)
        self._late_us = zero_us - (self._fastest.least or 0)
        self._seen_us = now_us

    def _forget(self) -> None:
        self._least = SlidingMinimum(SPAN_US)
        self._fastest = SlidingMinimum(SPAN_US)
        self._late_since_us = None

    def _late_beside_us(self, now_us: int) -> int:
        """How late what has just come of another track was: as late is what comes of this.

        So a source that has just begun is judged by more than its own first packets.
        """
        late = [other.late_us(now_us) for other in self.beside]
        return min((each for each in late if each is not None), default=0)

    def late_us(self, now_us: int) -> int | None:
        """How much later than the fastest what comes now is: as late as the newest frame, or as
        the next, which is overdue. None if the newest came long ago."""
        since_us = now_us - self._seen_us
        if self._fastest.least is None or since_us > BESIDE_US:
            return None
        return self._late_us + max(0, since_us - min(self._gaps_us))

    def unwrap(self, timestamp: int) -> int:
        """The RTP time closest to the newest of which these are the low 32 bits."""
        near = self._newest
        if near is None:
            return timestamp
        return near + ((timestamp - near + _WRAP // 2) % _WRAP) - _WRAP // 2

    def media_us(self, ticks: int) -> int:
        """Ticks of the RTP clock in microseconds."""
        return ticks * 1_000_000 // self.clock_rate

    @property
    def arrival_us(self) -> int | None:
        """`zero_us` by the packets that came fastest."""
        return self._least.least

    @property
    def zero_us(self) -> int | None:
        """When the RTP time was zero; None before the first packet."""
        arrival_us, agreed_us = self._least.least, self.agreed_us
        if arrival_us is None or agreed_us is None or abs(agreed_us - arrival_us) > FIT_US:
            return arrival_us
        return agreed_us

    def captured_us(self, timestamp: int) -> int | None:
        """When what carries this timestamp was captured; None before the first packet."""
        zero_us = self.zero_us
        return None if zero_us is None else zero_us + self.media_us(self.unwrap(timestamp))

    def timestamp_at(self, now_us: int) -> int | None:
        """The timestamp of what is captured now; None before the first packet."""
        zero_us = self.zero_us
        if zero_us is None:
            return None
        return (now_us - zero_us) * self.clock_rate // 1_000_000 % _WRAP


class PublisherClock:
    """The wall clock of one publisher, as its sender reports tell it."""

    def __init__(self, clocks: list[CaptureClock]) -> None:
        self._clocks = clocks
        self._ahead = SlidingMinimum(REPORTS_SPAN_US)
        for clock in clocks:
            clock.beside = [other for other in clocks if other is not clock]

    def heard(self, clock: CaptureClock, unix_us: int, rtp_timestamp: int, now_us: int) -> None:
        """A sender report about one track: which RTP time is which time of the wall clock.

        What does not fit is dropped: a report before the source's first packet, an RTP time
        far from what arrives. Where the wall clock was set, what was agreed before holds until
        every track has a report again.
        """
        if clock.arrival_us is None:
            return
        ahead_us = now_us - unix_us
        least_us = self._ahead.least
        if least_us is not None and abs(ahead_us - least_us) > STEP_US:
            self._ahead = SlidingMinimum(REPORTS_SPAN_US)
            for each in self._clocks:
                each.reported = None
        self._ahead.add(ahead_us, now_us)
        clock.reported = (unix_us, clock.unwrap(rtp_timestamp))
        self._agree()

    def _agree(self) -> None:
        least_us = self._ahead.least or 0
        found: list[tuple[CaptureClock, int, int]] = []
        for clock in self._clocks:
            arrival_us = clock.arrival_us
            if clock.reported is None or arrival_us is None:
                return
            unix_us, ticks = clock.reported
            zero_us = unix_us + least_us - clock.media_us(ticks)
            if abs(zero_us - arrival_us) > FIT_US:
                clock.reported = None
                return
            found.append((clock, zero_us, arrival_us))
        # Media that came faster than any report shows that the reports were all late.
        late_us = max([0, *(zero_us - arrival_us for _, zero_us, arrival_us in found)])
        for clock, zero_us, _ in found:
            clock.agreed_us = zero_us - late_us
