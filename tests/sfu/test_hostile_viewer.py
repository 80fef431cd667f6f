"""Nothing for nothing: a viewer that has every packet and says whatever it likes.

Its path loses nothing, so whatever is forwarded it can decode. What it can decode and has not
been charged for stays below the bound that the server's constants give; and it is never charged
for more than it was forwarded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.sfu import rtcp
from streaming.sfu.meter import VIDEO_RULES
from streaming.sfu.publication import CATCH_UP_AGE_MAX_US
from streaming.sfu.transport_cc import build_feedback
from tests.sfu.simulation import FRAME_US, Camera, Microphone, Publishing, Viewer, world

KEYFRAME_PACE_US = 1_000_000
BOUND_MS = (VIDEO_RULES.unconfirmed_max_us + VIDEO_RULES.withheld_us) // 1000 + 800
"""What may be open, what is withheld, and what is on its way while the server learns of it (a
feedback's interval, the pace of looking, one frame)."""
REPORTS_BOUND_MS = (VIDEO_RULES.unreported_max_us + VIDEO_RULES.withheld_us) // 1000 + 800
SHARE = 0.05


def test_the_bounds_are_those_that_are_promised() -> None:
    assert BOUND_MS <= 5_000
    assert REPORTS_BOUND_MS <= 10_000
    assert VIDEO_RULES.unconfirmed_max_us > CATCH_UP_AGE_MAX_US


@dataclass
class Hostile:
    """One session's viewer, over all of its connections."""

    publishing: Publishing
    numbered: bool
    viewer: Viewer
    frames: int = 0
    delivered_before_ms: int = 0
    paused: bool = False

    @property
    def has_ms(self) -> int:
        """Media time of the frames that it can decode."""
        return (self.frames + self.viewer.decoder.frames) * FRAME_US // 1000

    @property
    def delivered_ms(self) -> int:
        return self.delivered_before_ms + self.viewer.delivered_ms

    def rejoin(self) -> None:
        """A new connection of the same session; the older one is closed."""
        before = self.viewer
        owed_ms = before.subscriber.figures().owed_ms
        before.subscriber.hold("ended")
        before.subscriber.attach(None, before.clock.now_us)
        before.ended = "replaced"
        self.delivered_before_ms += before.delivered_ms
        self.frames += before.decoder.frames
        self.viewer = Viewer(
            self.publishing,
            numbered=self.numbered,
            owed_ms=owed_ms,
            seed=before.chance.getrandbits(9),
        )
        self.paused = False

    def check(self) -> None:
        bound = BOUND_MS if self.numbered else REPORTS_BOUND_MS
        unpaid_ms = self.has_ms - self.delivered_ms
        assert unpaid_ms <= bound + SHARE * self.delivered_ms, (self.has_ms, self.delivered_ms)
        figures = self.viewer.subscriber.figures()
        assert figures.delivered_ms <= figures.forwarded_ms
        assert self.delivered_ms <= self.has_ms + 500


def hostile(
    *, numbered: bool, camera: Camera | None = None, microphone: Microphone | None = None
) -> Hostile:
    camera = camera or Camera(packets=2, keyframe_packets=4)
    publishing = world(camera=camera, microphone=microphone)
    return Hostile(publishing, numbered, Viewer(publishing, numbered=numbered))


def another_tab(h: Hostile) -> Hostile:
    """A second session of the same viewer, beside the first one."""
    seed = h.viewer.chance.getrandbits(9)
    return Hostile(h.publishing, h.numbered, Viewer(h.publishing, numbered=h.numbered, seed=seed))


# --- what it says ---------------------------------------------------------------------------


def silent(_packet: bytes) -> bytes | None:
    return None


def honest(packet: bytes) -> bytes | None:
    return packet


def without_feedback(packet: bytes) -> bytes | None:
    """Reports and requests, and no word about single packets."""
    return None if packet[1] == 205 and packet[0] & 31 == 15 else packet


def deny_half(viewer: Viewer) -> Callable[[bytes], bytes | None]:
    """Feedback as if every second packet had not come."""

    def says(packet: bytes) -> bytes | None:
        if packet[1] != 205 or packet[0] & 31 != 15:
            return packet
        base, count = struct.unpack_from("!HH", packet, 12)
        offsets = [number for number in range(max(1, count)) if (base + number) % 2]
        if not offsets:
            return None
        return feedback(packet, offsets)

    return says


def invent(viewer: Viewer) -> Callable[[bytes], bytes | None]:
    """Feedback as if everything had come, and 500 packets more."""

    def says(packet: bytes) -> bytes | None:
        if packet[1] != 205 or packet[0] & 31 != 15:
            return packet
        _, count = struct.unpack_from("!HH", packet, 12)
        return feedback(packet, list(range(count + 500)))

    return says


def skip_numbers(viewer: Viewer) -> Callable[[bytes], bytes | None]:
    """Every second feedback is lost, it claims."""
    turn = [0]

    def says(packet: bytes) -> bytes | None:
        if packet[1] != 205 or packet[0] & 31 != 15:
            return packet
        turn[0] += 1
        return packet if turn[0] % 2 else None

    return says


def lying_reports(viewer: Viewer) -> Callable[[bytes], bytes | None]:
    """Report blocks with chance in every field, and no feedback."""

    def says(packet: bytes) -> bytes | None:
        if packet[1] == 205 and packet[0] & 31 == 15:
            return None
        if packet[1] != 201:
            return packet
        block = struct.pack("!I", 900) + viewer.chance.randbytes(20)
        return struct.pack("!BBHI", 0x81, 201, 7, 2) + block

    return says


def all_lost_reports(viewer: Viewer) -> Callable[[bytes], bytes | None]:
    """Reports that cover everything and call half of it lost."""

    def says(packet: bytes) -> bytes | None:
        if packet[1] == 205 and packet[0] & 31 == 15:
            return None
        out = viewer.feed._out
        lost = viewer.feed.packets // 2
        block = struct.pack("!IIIIII", 900, lost & 0xFFFFFF, out & 0xFFFFFFFF, 0, 0, 0)
        return struct.pack("!BBHI", 0x81, 201, 7, 2) + block

    return says


def feedback(packet: bytes, offsets: list[int]) -> bytes:
    base, _count, tail = struct.unpack_from("!HHI", packet, 12)
    return build_feedback(
        2,
        900,
        base=base,
        reference=tail >> 8,
        number=tail & 0xFF,
        received_offsets=offsets,
        arrivals_us=[0] * len(offsets),
    )


LIES: dict[str, Callable[[Viewer], Callable[[bytes], bytes | None]]] = {
    "honest": lambda _viewer: honest,
    "silent": lambda _viewer: silent,
    "reports alone": lambda _viewer: without_feedback,
    "deny half": deny_half,
    "invent": invent,
    "skip": skip_numbers,
    "lying reports": lying_reports,
    "all lost": all_lost_reports,
}


def nack_everything(viewer: Viewer) -> None:
    newest = viewer.feed._out
    numbers = [number & 0xFFFF for number in range(newest - 300, newest + 50)]
    viewer.says_now(rtcp.negative_acknowledgement(2, 900, numbers))


def lose_picture(viewer: Viewer) -> None:
    viewer.says_now(rtcp.picture_loss(2, 900))


def want_intra(viewer: Viewer) -> None:
    """FIR (RFC 5104, 4.3.1), each with a number of its own."""
    number = viewer.chance.randrange(256)
    viewer.says_now(struct.pack("!BBHIIIBxxx", 0x84, 206, 4, 2, 0, 900, number))


def narrow_path(viewer: Viewer) -> None:
    """REMB of 10 kbit/s, or of 100 Mbit/s."""
    mantissa, exponent = viewer.chance.choice(((10_000, 0), (100_000, 10)))
    value = (exponent << 18 | mantissa).to_bytes(3, "big")
    head = struct.pack("!BBHII", 0x8F, 206, 5, 2, 0)
    viewer.says_now(head + b"REMB\x01" + value + struct.pack("!I", 900))


REPORTS_ALONE = ("reports alone", "lying reports", "all lost")

FLOODS: dict[str, Callable[[Viewer], None]] = {
    "nack": nack_everything,
    "pli": lose_picture,
    "fir": want_intra,
    "remb": narrow_path,
}

TAB = st.integers(0, 1)
STEP = st.one_of(
    st.tuples(st.just("lie"), st.sampled_from(sorted(LIES)), st.integers(1, 30), TAB),
    st.tuples(st.just("flood"), st.sampled_from(sorted(FLOODS)), st.integers(1, 10), TAB),
    st.tuples(st.just("pause"), st.just(""), st.integers(0, 20), TAB),
    st.tuples(st.just("resume"), st.just(""), st.integers(1, 20), TAB),
    st.tuples(st.just("rejoin"), st.just(""), st.integers(1, 20), TAB),
    st.tuples(st.just("second tab"), st.just(""), st.integers(1, 20), TAB),
)
Step = tuple[str, str, int, int]


def play(first: Hostile, steps: Iterable[Step]) -> None:
    """What a viewer does in one tab, or in two (each a session of its own)."""
    clock = first.publishing.clock
    tabs = [first]
    for what, which, tenths, tab in steps:
        if what == "second tab" and len(tabs) == 1:
            tabs.append(another_tab(first))
        h = tabs[min(tab, len(tabs) - 1)]
        if what == "lie":
            h.viewer.says = LIES[which](h.viewer)
        elif what == "flood":
            for _ in range(tenths):
                FLOODS[which](h.viewer)
                clock.run(0.1)
        elif what == "pause":
            h.viewer.subscriber.hold("paused")
            h.paused = True
        elif what == "resume" and h.paused:
            h.viewer.subscriber.release("paused", clock.now_us)
            h.paused = False
        elif what == "rejoin":
            h.rejoin()
        clock.run(tenths / 10)
        for each in tabs:
            each.check()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12), st.booleans())
def test_whatever_it_says_little_is_unpaid(steps: list[Step], sound: bool) -> None:
    reports = any(which in REPORTS_ALONE for _, which, _, _ in steps)
    play(hostile(numbered=not reports, microphone=Microphone() if sound else None), steps)


def test_the_second_tab_has_a_bound_of_its_own_whatever_the_first_does() -> None:
    """Keyframes that one tab asks for come to the other, too; neither has more for it."""
    opened = [("second tab", "", 10, 0), ("lie", "silent", 0, 0), ("lie", "deny half", 0, 1)]
    floods = [("flood", "pli", 10, 0), ("flood", "nack", 10, 0)]
    for microphone in (None, Microphone()):
        play(hostile(numbered=True, microphone=microphone), opened + floods * 10)


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("numbered", [True, False])
def test_one_lie_for_two_minutes(lie: str, numbered: bool) -> None:
    reports = lie in REPORTS_ALONE
    h = hostile(numbered=numbered and not reports)
    h.viewer.says = LIES[lie](h.viewer)
    for _ in range(24):
        h.publishing.clock.run(5)
        h.check()
    if lie in ("honest", "invent"):
        assert h.delivered_ms > 115_000
    if lie == "silent":
        assert h.viewer.ended is not None


@pytest.mark.parametrize("every_ms", [1_000, 1_500, 3_000])
def test_pause_and_resume_for_minutes(every_ms: int) -> None:
    h = hostile(numbered=True)
    play(h, [("pause", "", 0, 0), ("resume", "", every_ms // 100, 0)] * 60)
    assert h.delivered_ms > 0


def test_rejoining_for_minutes_is_not_free() -> None:
    h = hostile(numbered=True)
    play(h, [("lie", "silent", 0, 0), ("rejoin", "", 5, 0)] * 60)


@pytest.mark.parametrize("frame_us", [FRAME_US, 1_000_000])
def test_single_pictures_by_rejoining_for_each_are_not_free(frame_us: int) -> None:
    camera = Camera(packets=2, keyframe_packets=4, frame_us=frame_us)
    publishing = world(camera=camera, seconds=4)
    h = Hostile(publishing, numbered=True, viewer=Viewer(publishing))
    clock = publishing.clock
    for _ in range(200):
        seen, until_us = h.viewer.decoder.frames, clock.now_us + 2_000_000
        while h.viewer.decoder.frames == seen and clock.now_us < until_us:
            clock.run(0.005)
        h.rejoin()
        # The very first is owed by nobody.
        unpaid_ms = (h.frames - 1) * frame_us // 1000 - h.delivered_ms
        assert unpaid_ms <= BOUND_MS + SHARE * h.delivered_ms


def test_a_slide_show_is_not_free_by_pausing_before_each_second_picture() -> None:
    camera = Camera(packets=2, keyframe_packets=4, frame_us=1_000_000)
    publishing = world(camera=camera)
    h = Hostile(publishing, numbered=True, viewer=Viewer(publishing))
    clock = publishing.clock
    for _ in range(60):
        h.viewer.subscriber.hold("paused")
        clock.run(0.1)
        h.viewer.subscriber.release("paused", clock.now_us)
        clock.run(1.1)
    assert h.viewer.decoder.frames * 1_000 - h.delivered_ms <= BOUND_MS + 0.05 * h.delivered_ms


def test_looking_at_single_pictures_after_a_catch_up_is_not_free() -> None:
    """Each owes the usual time between pictures, and not the millisecond of the catch-up."""
    publishing = world(camera=Camera(packets=1, keyframe_packets=1, keyframe_every_us=1_000_000))
    clock = publishing.clock
    clock.run(0.7)
    h = Hostile(publishing, numbered=True, viewer=Viewer(publishing))
    clock.run(0.03)
    h.viewer.subscriber.hold("paused")
    assert h.viewer.decoder.frames >= 2
    for _ in range(300):
        clock.run(0.9)
        h.viewer.subscriber.release("paused", clock.now_us)
        seen, until_us = h.viewer.decoder.frames, clock.now_us + 2_000_000
        while h.viewer.decoder.frames == seen and clock.now_us < until_us:
            clock.run(0.005)
        h.viewer.subscriber.hold("paused")
        h.check()


@pytest.mark.parametrize("lie", sorted(LIES))
def test_the_picture_and_the_sound_that_was_chosen_have_one_bound(lie: str) -> None:
    """A viewer lets its path look too narrow for the picture, and wide again, as it likes."""
    camera = Camera(packets=2, keyframe_packets=4)
    publishing = world(camera=camera, microphone=Microphone())
    numbered = lie not in REPORTS_ALONE
    viewer = Viewer(publishing, numbered=numbered)
    viewer.says = LIES[lie](viewer)
    subscriber, clock = viewer.subscriber, publishing.clock
    wide = True
    subscriber.path.carries_picture = lambda *_a, **_k: wide  # type: ignore[method-assign]
    subscriber.choose_sound(clock.now_us, chosen=True)
    rules = VIDEO_RULES
    bound_ms = (rules.unconfirmed_max_us if numbered else rules.unreported_max_us) // 1000
    for tenth in range(600):
        wide = tenth // 30 % 2 == 0
        clock.run(0.1)
        open_ms = subscriber.meter.unconfirmed_ms + subscriber._sound.meter.unconfirmed_ms
        assert open_ms <= bound_ms + FRAME_US // 1000, tenth
        figures = subscriber.figures()
        assert figures.delivered_ms <= figures.forwarded_ms
    if lie == "honest":
        assert viewer.ended is None
        assert viewer.delivered_ms > 35_000
