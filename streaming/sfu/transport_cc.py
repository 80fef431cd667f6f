"""Receipt of every packet: transport-wide sequence numbers and the feedback about them.

Each packet of a connection, media or retransmission, carries a number of its own in a header
extension; the receiver reports each 50 to 100 ms which have come and when. Both ends are
here: `SendHistory` numbers what goes to a viewer and reads the viewer's feedback, `Receiver`
writes feedback about what a publisher (or the server, in our own viewer) sends. Pure: times
are integers in microseconds that are passed in.

Sources: draft-holmer-rmcat-transport-wide-cc-extensions-01 (number and feedback), RFC 8285
(header extensions), RFC 4585 (feedback packets); behaviour of libwebrtc's
TransportSequenceNumberFeedbackGenerator where the draft leaves it open.
"""

from __future__ import annotations

import re
import struct
from array import array
from functools import lru_cache
from itertools import accumulate
from operator import sub

from streaming.sfu.rtp import unwrap16

URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
"""Of the header extension, as `a=extmap` names it."""
TICK_US = 250
"""The unit of a delta."""
REFERENCE_US = 64_000
"""The unit of the reference time."""
RTPFB_TRANSPORT_CC = 15
"""The FMT of the feedback, with RTCP packet type 205."""

_ONE_BYTE = 0xBEDE
_ONE_ELEMENT = struct.Struct("!HHBHB")
_FCI_HEADER = struct.Struct("!HHI")
_FCI_AND_CHUNK = struct.Struct("!HHIH")
_FEEDBACK_HEADER = struct.Struct("!BBHIIHHI")
_REFERENCE_MASK = 0xFFFFFF
_SMALL, _LARGE = 1, 2
_SMALL_RUN = _SMALL << 13
"""A run chunk, but for its length."""
_RUN_MAX = 0x1FFF
_RUN = re.compile(rb"\x00+|\x01+|\x02+")
_STATUS_MAX = 0xFFFF
_BYTES_MAX = 1_150
"""Of one feedback packet that we write, so that it fits a datagram with SRTCP's trailer."""


def extension_header(identifier: int, sequence: int) -> bytes:
    """The header extension block (8 bytes) with one transport-wide number.

    `identifier` is 1 to 14, `sequence` 0 to 65535 (RFC 8285, 4.2: one-byte form).
    """
    return _ONE_ELEMENT.pack(_ONE_BYTE, 1, identifier << 4 | 1, sequence, 0)


def transport_sequence(extension_block: bytes, identifier: int) -> int | None:
    """The transport-wide number in a header extension block, or nothing.

    The block begins with its profile and length; one-byte and two-byte forms are read
    (RFC 8285, 4.2 and 4.3). Never raises.
    """
    if len(extension_block) < 4:
        return None
    profile = extension_block[0] << 8 | extension_block[1]
    end = min(len(extension_block), 4 + 4 * (extension_block[2] << 8 | extension_block[3]))
    one_byte = profile == _ONE_BYTE
    if not one_byte and profile & 0xFFF0 != 0x1000:
        return None
    at = 4
    while at + 1 < end:
        head = extension_block[at]
        if head == 0:  # padding
            at += 1
            continue
        if one_byte:
            if head >> 4 == 15:
                return None
            found, size, at = head >> 4, (head & 0x0F) + 1, at + 1
        else:
            found, size, at = head, extension_block[at + 1], at + 2
        if found == identifier:
            if size < 2 or at + size > end:
                return None
            return extension_block[at] << 8 | extension_block[at + 1]
        at += size
    return None


class Feedback:
    """One feedback packet as it was read."""

    __slots__ = ("arrivals_us", "base", "count", "number", "received_offsets", "reference")

    def __init__(
        self,
        *,
        base: int,
        count: int,
        reference: int,
        number: int,
        received_offsets: list[int],
        arrivals_us: list[int],
    ) -> None:
        self.base = base
        """The first transport-wide number it is about, 16 bits."""
        self.count = count
        """How many numbers it is about; those without an offset have not been received."""
        self.reference = reference
        """Reference time, 24 bits, in units of 64 ms."""
        self.number = number
        """The feedback packet count, 8 bits: one more in each packet."""
        self.received_offsets = received_offsets
        """Ascending: number minus base of each received packet."""
        self.arrivals_us = arrivals_us
        """When each of them arrived, relative to the reference time; may be negative."""


@lru_cache(maxsize=4096)
def _vector(chunk: int) -> tuple[tuple[int, ...], bytes, int] | None:
    """Offsets and delta sizes of a status vector chunk, and how many numbers it is about.

    Nothing if a symbol in it is reserved.
    """
    if chunk & 0x4000:
        symbols = [chunk >> shift & 3 for shift in range(12, -1, -2)]
    else:
        symbols = [chunk >> shift & 1 for shift in range(13, -1, -1)]
    if 3 in symbols:
        return None
    offsets = tuple(offset for offset, symbol in enumerate(symbols) if symbol)
    return offsets, bytes(filter(None, symbols)), len(symbols)


def _statuses(fci: bytes, count: int) -> tuple[list[int], bytes, int] | None:
    """Offsets of the received, sizes of their deltas, and where the deltas begin."""
    offsets: list[int] = []
    sizes = b""
    at, index, end = 8, 0, len(fci) - 1
    while index < count:
        if at >= end:
            return None
        chunk = fci[at] << 8 | fci[at + 1]
        at += 2
        if chunk & 0x8000:
            vector = _vector(chunk)
            if vector is None:
                return None
            inside, some, length = vector
            left = count - index
            if length > left:  # the last chunk: what is beyond the count means nothing
                inside = tuple(offset for offset in inside if offset < left)
            offsets += [index + offset for offset in inside]
            sizes += some[: len(inside)]
            if len(sizes) > len(fci):
                return None
            index += length
        else:
            run = min(chunk & _RUN_MAX, count - index)
            symbol = chunk >> 13
            # An empty run moves nothing on: refused, so that work is bounded by the count.
            if symbol == 3 or run == 0 or (symbol and len(offsets) + run > len(fci)):
                return None
            if symbol:
                offsets += range(index, index + run)
                sizes += bytes((symbol,)) * run
            index += run
    return offsets, sizes, at


def parse_feedback(fci: bytes) -> Feedback | None:
    """Read the feedback control information of a packet with PT 205 and FMT 15.

    `fci` is what follows the two sources; padding behind the deltas is ignored. Nothing for
    what is malformed; never raises. Work and memory are bounded by the bytes present (a run
    of unreceived packets costs its two bytes, a received one needs a byte of delta).
    """
    if len(fci) < 10:
        return None
    base, count, reference_number = _FCI_HEADER.unpack_from(fci)
    found = _statuses(fci, count) if count else None
    if found is None:
        return None
    offsets, sizes, at = found
    if _LARGE not in sizes:
        deltas = fci[at : at + len(sizes)]
        if len(deltas) < len(sizes):
            return None
        arrivals = [tick * TICK_US for tick in accumulate(deltas)]
    else:
        mixed = _mixed_arrivals(fci, at, sizes)
        if mixed is None:
            return None
        arrivals = mixed
    return Feedback(
        base=base,
        count=count,
        reference=reference_number >> 8,
        number=reference_number & 0xFF,
        received_offsets=offsets,
        arrivals_us=arrivals,
    )


def _mixed_arrivals(fci: bytes, at: int, sizes: bytes) -> list[int] | None:
    """Arrivals where some deltas take two bytes."""
    if at + len(sizes) + sizes.count(_LARGE) > len(fci):
        return None
    arrivals: list[int] = []
    now = 0
    for size in sizes:
        if size == _SMALL:
            now += fci[at] * TICK_US
        else:
            now += ((fci[at] << 8 | fci[at + 1]) ^ 0x8000) * TICK_US - 0x8000 * TICK_US
        at += size
        arrivals.append(now)
    return arrivals


def build_feedback(
    sender_ssrc: int,
    media_ssrc: int,
    *,
    base: int,
    reference: int,
    number: int,
    received_offsets: list[int],
    arrivals_us: list[int],
) -> bytes:
    """A whole feedback packet (RTCP PT 205, FMT 15, padded to words).

    Arguments as in `Feedback`; it is about all numbers up to the last received one.
    ValueError if nothing was received, the offsets do not ascend within 0 to 65534, or two
    neighbours arrived further apart than a delta holds (8.19 s).
    """
    if not received_offsets or received_offsets[0] < 0 or received_offsets[-1] >= _STATUS_MAX:
        raise ValueError("received_offsets: needs at least one, all within 0 to 65534")
    symbols = bytearray(received_offsets[-1] + 1)
    deltas = bytearray()
    last_tick, last_offset = 0, -1
    for offset, arrival in zip(received_offsets, arrivals_us, strict=True):
        if offset <= last_offset:
            raise ValueError("received_offsets: must ascend")
        tick = arrival // TICK_US
        delta = tick - last_tick
        if 0 <= delta <= 0xFF:
            symbols[offset] = _SMALL
            deltas.append(delta)
        elif -0x8000 <= delta <= 0x7FFF:
            symbols[offset] = _LARGE
            deltas += (delta & 0xFFFF).to_bytes(2, "big")
        else:
            raise ValueError("arrivals_us: further apart than 8.19 s; begin another packet")
        last_tick, last_offset = tick, offset
    body = _chunks(bytes(symbols)) + deltas
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes((padding,))
    return (
        _FEEDBACK_HEADER.pack(
            0x80 | (0x20 if padding else 0) | RTPFB_TRANSPORT_CC,
            205,
            4 + len(body) // 4,
            sender_ssrc,
            media_ssrc,
            base & 0xFFFF,
            len(symbols),
            (reference & _REFERENCE_MASK) << 8 | number & 0xFF,
        )
        + body
    )


def _chunks(symbols: bytes) -> bytearray:
    """The status chunks: long runs as runs, the rest as vectors of 14 or of 7."""
    chunks = bytearray()
    at, end = 0, len(symbols)
    while at < end:
        match = _RUN.match(symbols, at)
        run = min(match.end() - at, _RUN_MAX) if match else 0
        if run >= 14 or at + run == end or (run >= 7 and symbols[at] == _LARGE):
            chunk = symbols[at] << 13 | run
            at += run
        elif _LARGE not in symbols[at : at + 14]:
            chunk = 0x8000 | _bits(symbols[at : at + 14].ljust(14, b"\0"), 1)
            at += 14
        else:
            chunk = 0xC000 | _bits(symbols[at : at + 7].ljust(7, b"\0"), 2)
            at += 7
        chunks += chunk.to_bytes(2, "big")
    return chunks


def _bits(symbols: bytes, width: int) -> int:
    value = 0
    for symbol in symbols:
        value = value << width | symbol
    return value


class Receiver:
    """What arrived by transport-wide number, and the periodic feedback about it.

    As libwebrtc does it: each feedback begins with the first number not yet reported and ends
    with the newest that arrived; a packet that comes after it was reported missing moves the
    beginning back to itself, so that it is reported with all that came after it.
    """

    BACK_US = 500_000
    """How long a reported packet is kept, for being reported again."""
    _BEHIND_MAX = 8_192
    """Numbers behind the newest that are still reported."""

    def __init__(self, sender_ssrc: int, media_ssrc: int, interval_us: int = 100_000) -> None:
        self.sender_ssrc = sender_ssrc
        self.media_ssrc = media_ssrc
        """Any source of the connection; libwebrtc takes the last it received."""
        self.interval_us = interval_us
        """50,000 to 100,000."""
        self._arrivals: dict[int, int] = {}
        self._start = 0
        self._end = 0
        self._number = 0
        self._last_us: int | None = None

    def add(self, sequence: int, now_us: int) -> None:
        """A packet with this number (16 bits) has arrived."""
        if not self._end:
            number = (1 << 16) + sequence  # room below for packets that come late
            self._start = self._end = number
            self._last_us = now_us
        else:
            number = unwrap16(sequence, self._end - 1)
        if number in self._arrivals or number < self._end - self._BEHIND_MAX:
            return
        if number >= self._end:
            self._end = number + 1
            self._start = max(self._start, self._end - self._BEHIND_MAX)
        elif number < self._start:
            self._start = number
        self._arrivals[number] = now_us

    def due(self, now_us: int) -> bytes | None:
        """The feedback packet to send now, or nothing. Call it again until it gives nothing:
        what is too large, or too far apart, takes several packets."""
        if self._last_us is None or self._start >= self._end:
            return None
        if now_us - self._last_us < self.interval_us:
            return None
        arrivals = self._arrivals
        numbers = sorted(number for number in arrivals if number >= self._start)
        base = self._start
        reference = arrivals[numbers[0]] // REFERENCE_US
        offsets, times = self._fitting(numbers, base, reference * REFERENCE_US)
        packet = build_feedback(
            self.sender_ssrc,
            self.media_ssrc,
            base=base,
            reference=reference,
            number=self._number,
            received_offsets=offsets,
            arrivals_us=times,
        )
        self._number = (self._number + 1) & 0xFF
        self._start = base + offsets[-1] + 1
        if self._start >= self._end:
            self._last_us = now_us
            self._forget(now_us)
        return packet

    def _fitting(
        self, numbers: list[int], base: int, reference_us: int
    ) -> tuple[list[int], list[int]]:
        """As many of these numbers as one packet takes, counting at worst."""
        offsets: list[int] = []
        times: list[int] = []
        room = _BYTES_MAX - _FEEDBACK_HEADER.size
        last, before = 0, base - 1
        for number in numbers:
            time = self._arrivals[number] - reference_us
            ticks = time // TICK_US - last // TICK_US
            room -= 3 if 0 <= ticks <= 0xFF else 4  # delta, and a vector for itself alone
            room -= 2 if number - before > 14 else 0  # a run for the gap
            if room < 0 or not -0x8000 <= ticks <= 0x7FFF:
                break
            offsets.append(number - base)
            times.append(time)
            last, before = time, number
        return offsets, times

    def _forget(self, now_us: int) -> None:
        oldest = now_us - self.BACK_US
        low = self._end - self._BEHIND_MAX
        self._arrivals = {
            number: arrival
            for number, arrival in self._arrivals.items()
            if arrival >= oldest and number >= low
        }


class Outcome:
    """What one feedback packet has told that was not known before."""

    __slots__ = (
        "feedback_us",
        "last_arrival_us",
        "last_sent_us",
        "late",
        "late_bytes",
        "least_delay_us",
        "missing",
        "missing_bytes",
        "received",
        "received_bytes",
        "unknown",
    )

    def __init__(self, feedback_us: int) -> None:
        self.feedback_us = feedback_us
        """When it came."""
        self.received: list[int] = []
        """Media keys of the packets newly known to have arrived, in the order of sending."""
        self.received_bytes = 0
        self.last_sent_us = 0
        """When the last of them was sent, our clock."""
        self.last_arrival_us = 0
        """The latest arrival among them, the receiver's clock (arbitrary origin)."""
        self.least_delay_us = 0
        """From sending to arrival, of the fastest of them; with the origin of that clock in it."""
        self.late = 0
        """How many of them had been reported missing before."""
        self.late_bytes = 0
        self.missing: list[int] = []
        """Media keys of those newly reported as not received (yet)."""
        self.missing_bytes = 0
        self.unknown: list[int] = []
        """Media keys of those whose feedback was lost: nothing is known about them."""


_IN_FLIGHT, _MISSING, _UNKNOWN, _RECEIVED = 1, 2, 3, 4
_ALL_RECEIVED = bytes((_RECEIVED,))


class SendHistory:
    """Numbers what is sent on one connection, and learns from feedback what became of it.

    A ring of fixed arrays: about 19 bytes a packet, nothing is allocated when sending.
    """

    def __init__(self, capacity: int = 4096, first: int = 0) -> None:
        """`capacity` is a power of two, 4096 or 8192 (packets that are remembered); `first`
        the first number, 0 to 65535."""
        if capacity & (capacity - 1) or not 0 < capacity <= 0x4000:
            raise ValueError("capacity: a power of two, at most 16384")
        self._mask = capacity - 1
        self._capacity = capacity
        self._keys = array("q", bytes(8 * capacity))
        self._sent_us = array("q", bytes(8 * capacity))
        self._sizes = array("H", bytes(2 * capacity))
        self._states = bytearray(capacity)
        self.next = (1 << 16) + first
        """The unwrapped number of the next packet."""
        self._first = self.next
        self._end = self.next
        self._number: int | None = None
        self._counts_to_255 = False
        self._reference = 0

    def assign(self, key: int, size: int, now_us: int) -> int:
        """The number (16 bits) of a packet that is sent now.

        `key` names the packet to whoever sends (up to 63 bits), `size` is in bytes (up to
        65535).
        """
        number = self.next
        slot = number & self._mask
        self._keys[slot] = key
        self._sent_us[slot] = now_us
        self._sizes[slot] = size
        self._states[slot] = _IN_FLIGHT
        self.next = number + 1
        return number & 0xFFFF

    def take(self, feedback: Feedback, now_us: int) -> Outcome:
        """Learn from a feedback packet that came now.

        What it says about numbers that were never sent, or that are older than the ring, is
        ignored; what was known before is not repeated. A packet once reported received stays
        so; one reported missing may still be reported received. A hole before the first
        number is `missing` when no feedback packet was lost (some receivers begin with the
        first that arrived), otherwise `unknown`.
        """
        outcome = Outcome(now_us)
        base = unwrap16(feedback.base, self.next - 1)
        end = min(base + feedback.count, self.next)
        low = max(self._first, self.next - self._capacity)
        if base >= self.next or end <= low:
            return outcome
        self._hole(feedback.number, base, low, outcome)
        self._unwrap_reference(feedback.reference)
        size, reference_us = len(feedback.received_offsets), self._reference * REFERENCE_US
        whole = base >= low and base + size == end and size == feedback.count
        if whole and self._in_flight(base, size):
            arrivals = [reference_us + at for at in feedback.arrivals_us]
            self._all_came(base, arrivals, outcome)
        else:
            self._one_by_one(feedback, base, outcome)
        self._end = max(self._end, end)
        return outcome

    def hear(self, fci: bytes, now_us: int) -> Outcome | None:
        """`parse_feedback` and `take` in one; nothing for what is malformed.

        What nearly every feedback packet says is that all packets after the last one's have
        come, one soon after the other. That is taken at once.
        """
        if len(fci) >= 10:
            base16, count, reference, chunk = _FCI_AND_CHUNK.unpack_from(fci)
            base, number = self._end, reference & 0xFF
            if (
                chunk == _SMALL_RUN | count
                and 0 < count <= min(_RUN_MAX, len(fci) - 10)
                and base & 0xFFFF == base16
                and self.next - self._capacity <= base <= self.next - count
                and self._number is not None
                and self._number + 1 == number  # after a wrap, `_hole` has more to see
                and self._in_flight(base, count)
            ):
                outcome = Outcome(now_us)
                self._number, self._end = number, base + count
                self._counts_to_255 = self._counts_to_255 or number == 255
                self._unwrap_reference(reference >> 8)
                at_us = self._reference * REFERENCE_US
                ticks = accumulate(fci[10 : 10 + count])
                self._all_came(base, [at_us + tick * TICK_US for tick in ticks], outcome)
                return outcome
        feedback = parse_feedback(fci)
        return None if feedback is None else self.take(feedback, now_us)

    def _in_flight(self, base: int, size: int) -> bool:
        """Whether nothing is known yet of these packets, and they do not wrap in the ring."""
        slot = base & self._mask
        return self._states.count(_IN_FLIGHT, slot, slot + size) == size

    def _all_came(self, base: int, arrivals: list[int], outcome: Outcome) -> None:
        """Note packets that were `_in_flight`, with the receiver's clock."""
        size, slot = len(arrivals), base & self._mask
        stop = slot + size
        self._states[slot:stop] = _ALL_RECEIVED * size
        sent = self._sent_us[slot:stop]
        outcome.received = self._keys[slot:stop].tolist()
        outcome.received_bytes = sum(self._sizes[slot:stop])
        outcome.last_sent_us = sent[-1]
        outcome.last_arrival_us = max(arrivals)
        outcome.least_delay_us = min(map(sub, arrivals, sent))

    def _hole(self, number: int, base: int, low: int, outcome: Outcome) -> None:
        """What the feedback packet count tells of those before the base."""
        last = self._number
        ahead = number + 1 if last is None else (number - last) & 0xFF
        if last is not None and not 0 < ahead < 0x80:
            return  # again, or overtaken: it tells nothing about others
        if (last, number) == (254, 0) and not self._counts_to_255:
            ahead = 1  # GStreamer counts modulo 255
        self._counts_to_255 = self._counts_to_255 or number == 255
        self._number = number
        if base > self._end:
            state = _MISSING if ahead == 1 else _UNKNOWN
            self._mark(max(self._end, low), base, state, outcome)

    def _unwrap_reference(self, reference: int) -> None:
        """24 bits of reference time, whose turn takes twelve days."""
        away = ((reference - self._reference + 0x800000) & _REFERENCE_MASK) - 0x800000
        self._reference += away

    def _one_by_one(self, feedback: Feedback, base: int, outcome: Outcome) -> None:
        end = min(base + feedback.count, self.next)
        low = max(self._first, self.next - self._capacity)
        reference_us = self._reference * REFERENCE_US
        expected = max(base, low)
        for offset, arrival in zip(feedback.received_offsets, feedback.arrivals_us, strict=True):
            number = base + offset
            if number >= end:
                break
            if number < low:
                continue
            if expected < number:
                self._mark(expected, number, _MISSING, outcome)
            expected = number + 1
            self._came(number & self._mask, reference_us + arrival, outcome)
        if expected < end:
            self._mark(expected, end, _MISSING, outcome)

    def _came(self, slot: int, arrival_us: int, outcome: Outcome) -> None:
        """Note one packet, unless it was known to have come."""
        state, size, sent_us = self._states[slot], self._sizes[slot], self._sent_us[slot]
        if state == _RECEIVED:
            return
        if state == _MISSING:
            outcome.late += 1
            outcome.late_bytes += size
        self._states[slot] = _RECEIVED
        first, delay_us = not outcome.received, arrival_us - sent_us
        if first or delay_us < outcome.least_delay_us:
            outcome.least_delay_us = delay_us
        if first or arrival_us > outcome.last_arrival_us:
            outcome.last_arrival_us = arrival_us
        outcome.received.append(self._keys[slot])
        outcome.received_bytes += size
        outcome.last_sent_us = sent_us

    def _mark(self, start: int, end: int, state: int, outcome: Outcome) -> None:
        """Note that packets have not come (or that nothing is known); at the speed of a
        search in bytes where that was known before."""
        while start < end:
            slot = start & self._mask
            stop = min(slot + end - start, self._capacity)
            self._mark_slots(slot, stop, state, outcome)
            start += stop - slot

    def _mark_slots(self, slot: int, stop: int, state: int, outcome: Outcome) -> None:
        states = self._states
        keys = outcome.missing if state == _MISSING else outcome.unknown
        # What was unknown can be reported missing later; what is missing stays so.
        for before in (_IN_FLIGHT, _UNKNOWN) if state == _MISSING else (_IN_FLIGHT,):
            at = states.find(before, slot, stop)
            while at >= 0:
                states[at] = state
                keys.append(self._keys[at])
                if state == _MISSING:
                    outcome.missing_bytes += self._sizes[at]
                at = states.find(before, at + 1, stop)
