"""Sound beside the picture: what of it is free, and what the server remembers of it."""

from __future__ import annotations

from streaming.sfu import rtcp
from streaming.sfu.feed import Feed, Numbering, meter_for
from streaming.sfu.meter import VIDEO_RULES
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import ReceptionReport, read_compound
from streaming.sfu.rtp import read_packet
from streaming.sfu.sound_alone import FREE_US
from streaming.sfu.subscription import Subscriber
from streaming.sfu.transport_cc import Receiver, transport_sequence

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)
OPUS = TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111)
EXTENSION = 5
STEP_US = 20_000


class Stage:
    """A publisher of both that ignores requests: 50 sounds and 25 pictures a second."""

    def __init__(self, *, keyframe_every: int = 200) -> None:
        self.now = 10_000_000
        self.video = Track(VP8, 1, lambda _packet: None)
        self.audio = Track(OPUS, 2, lambda _packet: None)
        self.tracks = PublishedTracks(1, {"video": self.video, "audio": self.audio})
        self.keyframe_every = keyframe_every
        self.viewers: list[Listener] = []
        self._step = 0

    def step(self) -> None:
        self.now += STEP_US
        step = self._step = self._step + 1
        sound = (step & 0xFFFF, step * 960, 0, b"sound")
        self.audio.receive(111, 56, sound, self.now)
        if step % 2 == 0:
            frame = step // 2
            key = frame % self.keyframe_every == 1
            payload = b"\x10\x00key" if key else b"\x10\x01delta"
            self.video.receive(96, 55, (frame & 0xFFFF, frame * 3_600, 1, payload), self.now)
        if step % 5 == 0:
            self.tracks.tend(self.now)
            for viewer in self.viewers:
                viewer.tend()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1_000_000 / STEP_US)):
            self.step()


class Listener:
    """A viewer that says truly what it receives, unless it is told to be silent."""

    def __init__(
        self,
        stage: Stage,
        *,
        owed_ms: int | None = None,
        kinds: tuple[str, ...] = ("video", "audio"),
        numbered: tuple[str, ...] = ("video", "audio"),
    ) -> None:
        self.stage = stage
        self.sounds = self.pictures = 0
        self.silent = False
        self.away = False
        """Whether nothing comes through."""
        self.ended: str | None = None
        self.arrivals = Receiver(2, 900)
        feeds = {
            kind: Feed(
                kind,
                codec_name="VP8" if kind == "video" else "opus",
                ssrc=ssrc,
                payload_type=ssrc - 800,
                clock_rate=clock_rate,
                rtx=None,
                meter=meter_for(set(kinds), kind, clock_rate),
            )
            for kind, ssrc, clock_rate in (("video", 900, 90_000), ("audio", 910, 48_000))
            if kind in kinds
        }
        self.subscriber = Subscriber(
            feeds, stage.now, numbering=Numbering(EXTENSION), numbered=frozenset(numbered)
        )
        for feed in feeds.values():
            feed.send = self._take
        self.subscriber.connected = True
        self.subscriber.attach(stage.tracks, stage.now)
        if owed_ms is not None:
            self.subscriber.rejoins(owed_ms)
        self.subscriber.release("connecting", stage.now)
        self.subscriber.release("admission", stage.now)
        stage.viewers.append(self)

    def _take(self, header: bytes, payload: bytes) -> None:
        if self.away:
            return
        found = read_packet(header + payload)
        assert found is not None
        if found[1] == 910:
            self.sounds += 1
        else:
            self.pictures += 1
        number = transport_sequence(found[3], EXTENSION)
        if number is not None:
            self.arrivals.add(number, self.stage.now)

    def tend(self) -> None:
        now = self.stage.now
        self.subscriber.path.due(now)
        while (packet := self.arrivals.due(now)) is not None:
            if not self.silent:
                self.subscriber.heard(read_compound(packet), now)
        if self.ended is None:
            self.ended = self.subscriber.tend(now, now)
            if self.ended is not None:
                self.subscriber.hold("ended")

    def leave(self) -> int:
        """Close it; what it owes."""
        self.subscriber.hold("ended")
        self.subscriber.attach(None, self.stage.now)
        self.stage.viewers.remove(self)
        return self.subscriber.figures().owed_ms

    def reports_sound(self) -> None:
        """All of it has come, a receiver report says."""
        block = ReceptionReport(910, 0, self.subscriber.feeds["audio"]._out & 0xFFFF, 0, 0)
        self.subscriber.heard([block], self.stage.now)

    @property
    def free_sound_ms(self) -> int:
        """Sound that it heard, beyond what was counted."""
        return self.sounds * STEP_US // 1000 - self.subscriber.figures().delivered_ms


def test_sound_that_is_not_counted_leaves_nothing_behind() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage)
    stage.run(30)
    assert viewer.sounds > 1_400
    assert not viewer.subscriber._sound.meter._ahead


def test_pausing_when_the_picture_comes_makes_no_free_radio() -> None:
    stage = Stage()  # a keyframe each 8 s
    viewer = Listener(stage)
    for _ in range(120):
        stage.run(1)
        if viewer.subscriber.counted.flowing:
            viewer.subscriber.hold("paused")
            stage.step()
            viewer.subscriber.release("paused", stage.now)
    assert viewer.free_sound_ms < FREE_US // 1000 + 2_000


def test_rejoining_before_the_picture_comes_makes_no_free_radio() -> None:
    stage = Stage(keyframe_every=1_000_000)
    stage.run(10)
    viewer = Listener(stage)
    heard = 0
    for _ in range(30):
        stage.run(4)
        heard += viewer.sounds
        viewer = Listener(stage, owed_ms=viewer.leave())
    assert heard * STEP_US <= FREE_US


def test_the_viewer_is_told_how_much_sound_is_still_free_to_it() -> None:
    def left_ms(viewer: Listener) -> int:
        return viewer.subscriber.figures().sound_free_ms

    stage = Stage(keyframe_every=1_000_000)
    stage.run(10)
    viewer = Listener(stage)
    assert left_ms(viewer) == FREE_US // 1000
    stage.run(4)
    heard_ms = viewer.sounds * STEP_US // 1000
    assert abs(FREE_US // 1000 - heard_ms - left_ms(viewer)) <= 200
    stage.run(10)
    assert left_ms(viewer) == 0
    assert left_ms(Listener(stage, owed_ms=viewer.leave())) == 0


def test_after_a_rejoin_sound_comes_with_the_picture() -> None:
    stage = Stage()
    viewer = Listener(stage)
    stage.run(10)
    viewer = Listener(stage, owed_ms=viewer.leave())
    stage.run(9)
    assert viewer.pictures > 0
    before = viewer.sounds
    stage.run(2)
    assert viewer.sounds - before == 100


def test_a_pause_neither_uses_up_free_sound_nor_gives_it_back() -> None:
    stage = Stage()
    viewer = Listener(stage)
    stage.run(9)
    sound = viewer.subscriber._sound
    before = sound._free_us
    viewer.subscriber.hold("paused")
    stage.run(60)
    viewer.subscriber.release("paused", stage.now)
    stage.run(0.1)
    assert abs(sound._free_us - before) <= 200_000


def test_who_denies_the_sound_that_it_chose_is_ended() -> None:
    stage = Stage()
    viewer = Listener(stage)
    viewer.subscriber._picture_held = True
    viewer.subscriber.counted.hold()
    viewer.subscriber.path.carries_picture = lambda *_a, **_k: False  # type: ignore[method-assign]
    viewer.subscriber.choose_sound(stage.now, chosen=True)
    stage.run(5)
    viewer.silent = True
    stage.run(20)
    assert viewer.ended is not None


def sound_alone_after(viewer: Listener, *, carries: bool = False) -> None:
    """Its path is too narrow for the picture (or wide again), and it has chosen the sound."""
    path, now = viewer.subscriber.path, viewer.stage.now
    path.carries_picture = lambda *_a, **_k: carries  # type: ignore[method-assign]
    viewer.subscriber.choose_sound(now, chosen=True)


def test_what_the_picture_left_unconfirmed_leaves_less_for_the_sound() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage)
    stage.run(10)
    viewer.silent = True
    stage.run(2)
    sound_alone_after(viewer)
    stage.run(9)
    assert viewer.ended is None
    assert 3_300 <= viewer.subscriber.figures().unconfirmed_ms <= 4_000
    stage.run(10)
    assert viewer.ended is not None


def test_confirmed_sound_works_off_what_the_picture_broke() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage)
    stage.run(10)
    viewer.away = True
    stage.run(5)
    viewer.away = False
    sound_alone_after(viewer)
    stage.run(3)
    meter = viewer.subscriber.meter
    broken_ms = meter.unconfirmed_ms
    before_ms = viewer.subscriber.figures().delivered_ms
    assert broken_ms > 2_000
    stage.run(20)
    assert viewer.ended is None
    assert viewer.subscriber.figures().delivered_ms - before_ms > 18_000
    assert broken_ms - 1_100 <= meter.unconfirmed_ms <= broken_ms - 850


def test_sound_that_is_chosen_before_the_picture_comes_is_counted_once_none_is_free() -> None:
    stage = Stage(keyframe_every=1_000_000)
    stage.run(10)
    viewer = Listener(stage)
    viewer.subscriber.choose_sound(stage.now, chosen=True)
    stage.run(60)
    assert viewer.pictures == 0
    assert viewer.sounds > 2_900
    assert viewer.free_sound_ms < FREE_US // 1000 + 500


def test_when_the_picture_comes_the_sound_is_not_counted_beside_it() -> None:
    stage = Stage(keyframe_every=1_000)
    stage.run(10)
    viewer = Listener(stage)
    viewer.subscriber.choose_sound(stage.now, chosen=True)
    stage.run(29)
    assert viewer.subscriber.feeds["audio"].meter is not None
    before_ms = viewer.subscriber.figures().forwarded_ms
    stage.run(10)
    assert viewer.pictures > 200
    assert viewer.subscriber.figures().forwarded_ms - before_ms <= 10_000
    assert viewer.subscriber.feeds["audio"].meter is None


def test_choosing_sound_again_and_again_makes_no_free_radio() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage)
    stage.run(4)
    sound_alone_after(viewer)
    before = viewer.free_sound_ms
    for _ in range(3_000):
        stage.step()
        for chosen in (False, True):
            viewer.subscriber.choose_sound(stage.now, chosen=chosen)
    assert viewer.free_sound_ms - before < VIDEO_RULES.unconfirmed_max_us // 1000 + 1_000


def test_saying_just_in_time_that_the_sound_is_chosen_makes_no_free_radio() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage)
    stage.run(4)
    sound_alone_after(viewer)
    viewer.subscriber.choose_sound(stage.now, chosen=False)
    before = viewer.free_sound_ms
    for _ in range(600):
        for _ in range(4):
            stage.step()
        # Right before the server looks at it.
        viewer.subscriber.choose_sound(stage.now + STEP_US - 1, chosen=True)
        viewer.subscriber.choose_sound(stage.now + STEP_US - 1, chosen=False)
        stage.step()
    assert viewer.free_sound_ms - before < FREE_US // 1000 + 1_000


def test_sound_without_numbers_of_its_own_is_confirmed_by_reports() -> None:
    """As of Firefox, which tells of each packet of the picture alone."""
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage, numbered=("video",))
    stage.run(4)
    sound_alone_after(viewer)
    before_ms = viewer.subscriber.figures().delivered_ms
    for _ in range(20):
        stage.run(3)
        viewer.reports_sound()
    assert viewer.ended is None
    assert viewer.subscriber.figures().delivered_ms - before_ms > 55_000


def test_what_was_counted_of_the_sound_is_confirmed_beside_the_picture() -> None:
    stage = Stage(keyframe_every=50)
    viewer = Listener(stage, numbered=("video",))
    stage.run(4)
    sound_alone_after(viewer)
    stage.run(5)
    sound_alone_after(viewer, carries=True)
    stage.run(3)
    assert viewer.subscriber.counted.flowing
    assert viewer.subscriber._sound.meter.pending_ms > 4_500
    viewer.reports_sound()
    stage.run(1)
    assert viewer.subscriber._sound.meter.pending_ms == 0
    assert viewer.subscriber._sound.meter.delivered_ms > 4_500


def test_leaving_in_the_middle_of_a_picture_waits_for_no_report() -> None:
    stage = Stage()
    viewer = Listener(stage)
    stage.run(8.2)
    meter = viewer.subscriber.meter
    meter.starts_frame(stage.now, viewer.subscriber.counted._out + 1, 7, keyframe=False)
    viewer.subscriber.hold("ended")
    for _ in range(20):
        stage.step()
    assert not viewer.subscriber.waiting


def test_a_lost_picture_asks_the_publisher_at_most_so_often() -> None:
    stage = Stage(keyframe_every=50)
    asked: list[int] = []
    stage.video._send_rtcp = lambda packet: asked.append(packet[1])
    viewer = Listener(stage)
    stage.run(4)
    asked.clear()
    for _ in range(300):
        viewer.subscriber.heard(read_compound(rtcp.picture_loss(2, 900)), stage.now)
        stage.run(0.1)
    assert asked.count(206) <= 8


def test_a_stream_of_sound_goes_on_after_an_outage() -> None:
    stage = Stage()
    del stage.tracks.tracks["video"]
    viewer = Listener(stage, kinds=("audio",))
    stage.run(20)
    viewer.away = True
    stage.run(6)
    viewer.away = False
    before = viewer.subscriber.meter.delivered_ms
    stage.run(30)
    assert viewer.ended is None
    assert viewer.subscriber.meter.delivered_ms - before > 27_000
