"""All that one viewer is sent: its feeds, its meter, what it says, and why it gets nothing.

Times are microseconds of the server's monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from streaming.sfu import rtcp
from streaming.sfu.feed import KEYFRAME_ANSWERS_US, Feed, Numbering
from streaming.sfu.media_engine import ConnectionFigures
from streaming.sfu.meter import Meter
from streaming.sfu.pacer import NACKS_PER_SECOND
from streaming.sfu.path_control import PathControl
from streaming.sfu.publication import PublishedTracks
from streaming.sfu.rtcp_reader import (
    BitrateEstimate,
    Message,
    Nack,
    PictureLoss,
    ReceptionReport,
    TransportFeedback,
)
from streaming.sfu.sound_alone import SoundAlone

SENDER_REPORT_EVERY_US = 1_000_000
CLOCK_KEPT_US = 900_000
"""Reports that follow each other more closely lie on one line: players draw a line through them,
which would be steep where more has just been learnt about the publisher's clock."""
REPORTS_SILENT_US = 5_000_000
CONNECT_WITHIN_US = 15_000_000
REPAIR_US = 1_000_000
REPAIR_ROUND_TRIPS = 4
REPAIR_MAX_US = 2_000_000
GATHERED_LEAST_US = 20_000
"""Feedback that follows other feedback more closely was gathered with it."""
GATHERED_MOST_US = 500_000
"""Feedback that is further apart was not gathered: between, nothing came that it could be about."""
UNKNOWN_SETTLES_US = 400_000
"""Packets whose feedback was lost count as received if nobody asks for them so long."""
UNKNOWN_ASKED_MAX = 3
UNKNOWN_MAX = 4096
PROBE_EVERY_US = 500_000
KEYFRAME_ASK_US = 1_000_000
KEYFRAME_ASK_MAX_US = 8_000_000
ASKS_FORGOTTEN_US = 10_000_000
BESIDE_US = 500_000
"""Of the bound on what is unconfirmed: kept for the sound, where the path breaks the picture."""
BESIDE_BY_REPORTS_US = 4_000_000
"""The same where reports are all that is known: those about sound are rare."""
PICTURE_TRIAL_US = 250_000
"""With less room it is not worth trying the picture again: its feedback takes as long."""
BLOCKED = ("unconfirmed", "untimed")
"""Reasons for which what may be unpaid is used up: receipt is wanting, or the media's own time."""
HOPELESS_US = 60_000_000
"""For so long a viewer may choose sound alone, where the picture cannot be tried any more."""


class _Gathering:
    """For how long a viewer gathers feedback before it sends it, smoothed."""

    def __init__(self) -> None:
        self.time_us = 0
        self._heard_us: int | None = None

    def heard(self, now_us: int) -> None:
        """Feedback has come."""
        before_us = self._heard_us
        if before_us is None or now_us - before_us >= GATHERED_LEAST_US:
            self._heard_us = now_us
            if before_us is not None:
                apart_us = min(now_us - before_us, GATHERED_MOST_US)
                self.time_us += (apart_us - self.time_us) >> 3


class Subscriber:
    """All feeds of one viewer, its meter, and why nothing is forwarded to it at the moment."""

    def __init__(
        self,
        feeds: dict[str, Feed],
        now_us: int,
        *,
        numbering: Numbering | None = None,
        numbered: frozenset[str] = frozenset({"audio", "video"}),
        nacks_per_second: int = NACKS_PER_SECOND,
    ) -> None:
        """`numbered` are the kinds whose packets carry the numbers of `numbering`; what is
        counted has to be among them, or reports are all that is known. `nacks_per_second` are
        answered (0: all)."""
        self.feeds = feeds
        self.counted = next(feed for feed in feeds.values() if feed.meter is not None)
        self.meter = meter_of(self.counted)
        self.published: PublishedTracks | None = None
        self.cname = b""
        self.send_rtcp: Callable[[bytes], None] = _drop
        self.connected = False
        if self.counted.kind not in numbered:
            numbering = None
        self.meter.reports_alone = numbering is None
        self.path = PathControl(nacks_per_second=nacks_per_second)
        self._numbering = numbering
        self._made_us = now_us
        self._heard_us: int | None = None
        self._reported_us = 0
        self._learnt_us = 0
        self._unix_ahead_us: int | None = None
        """Of the server's clock; kept, so that players see no step when the wall clock is set."""
        self._reasons = {"admission", "connecting"}
        self._rejoined = False
        self._first_owed = False
        """Whether its first picture is to be owed once it is there."""
        self._unknown: deque[tuple[int, int]] = deque()
        self._gathering = _Gathering()
        self._asked_us: int | None = None
        self._ask_again_us = KEYFRAME_ASK_US
        self._wanted_us: int | None = None
        self._broken = False
        self._probed_us: int | None = None
        sound = feeds.get("audio")
        self._sound_feed = sound if sound is not self.counted else None
        sound_rate = 48_000 if sound is None else sound.clock_rate
        self._sound = SoundAlone(sound_rate, self.meter.unconfirmed)
        if self._sound_feed is not None:
            self._sound_feed.counted_by = self._sound.meter
        self._sound_numbered = numbering is not None and "audio" in numbered
        self._sound.meter.reports_alone = not self._sound_numbered
        self._picture_held = False
        self._sound_held = False
        self._hopeless_us: int | None = None
        """Since when neither picture nor sound goes, and the picture cannot be tried again."""
        if self._sound_feed is not None:
            self.meter.unconfirmed.beside_us = BESIDE_US
        for feed in feeds.values():
            feed.on_blocked = self._blocked
            feed.on_broken = self._chain_broken
            feed.on_begun = self._begun
            if feed.kind in numbered:
                feed.numbering = numbering
            feed.path = self.path

    def attach(self, published: PublishedTracks | None, now_us: int) -> None:
        """Follow another publisher (or none) of the same codecs."""
        self.published = published
        if published is not None:
            self.path.stream_rate(published.bitrate_bps)
        for kind, feed in self.feeds.items():
            feed.attach(published.tracks.get(kind) if published is not None else None)
        if published is not None and not self._reasons:
            published.request_keyframe(now_us)

    def rejoins(self, owed_ms: int) -> None:
        """It goes on with a session that an earlier connection began: without a catch-up, and
        with what that connection left unconfirmed and will not be paid. Its first picture is
        owed, too: else who came back for each would see them for nothing."""
        self._rejoined = self._first_owed = True
        self.meter.owe(owed_ms * 1000)
        if self._sound_feed is not None:
            self._sound.rejoins()
            self._sound_held = True  # until the picture is there, or sound alone is chosen

    # --- holding -----------------------------------------------------------------------

    def hold(self, reason: str) -> None:
        """Forward nothing while `reason` lasts."""
        self._reasons.add(reason)
        self._sound.stops()
        for feed in self.feeds.values():
            feed.hold()

    def release(self, reason: str, now_us: int) -> None:
        """End one reason; with the last, forwarding goes on."""
        if reason not in self._reasons:
            return
        self._reasons.discard(reason)
        if reason == "paused" and self.counted.packets:
            # Its first picture is shown for a while and counts no time.
            self.meter.owe(self.meter.typical_gap_us)
        if self._reasons:
            return
        catch_up = not self._rejoined and not self.counted.packets
        there = [
            feed.release(now_us, catch_up=catch_up)
            for feed in self.feeds.values()
            if not self._waits(feed)
        ]
        if not all(there):
            self._want_keyframe(now_us)

    def _waits(self, feed: Feed) -> bool:
        """Whether a feed is held although the viewer is not."""
        if feed is self._sound_feed:
            return self._sound_held
        return self._picture_held

    def held_for(self, reason: str) -> bool:
        """Whether `reason` is one of those for which nothing is forwarded."""
        return reason in self._reasons

    @property
    def reasons(self) -> list[str]:
        """Why nothing is forwarded, such as `unconfirmed` (its receipt is not known) or `untimed`
        (the media's timestamps say nothing); or no picture, because its chain is broken
        (`picture-broken`) or the path too narrow (`path`), and then perhaps no sound
        (`sound-alone`) until the viewer chooses it. Empty if all is forwarded."""
        found = set(self._reasons)
        if self._broken:
            found.add("picture-broken")
        if self._picture_held:
            found.add("path")
        if self._sound_held:
            found.add("sound-alone")
        return sorted(found)

    def _blocked(self, now_us: int) -> None:
        """What may be unconfirmed is used up. Where the path is why, the sound goes on alone."""
        flows = self._sound_feed is not None and self.counted.flowing
        if not flows or not self.path.gives_way(now_us):
            self.hold("untimed" if self.meter.unconfirmed.untimed else "unconfirmed")
            return
        self._picture_held = True
        self.meter.unconfirmed.go_on(on_trial=False)
        self.counted.hold()
        self._count_sound()

    # --- sound alone -----------------------------------------------------------------------

    def choose_sound(self, now_us: int, *, chosen: bool) -> None:
        """The viewer goes on with sound where the path carries no picture, and pays for it; or
        rather waits."""
        self._tend_sound(now_us)  # what has passed, as it was chosen until now
        self._sound.chosen = chosen
        self._tend_sound(now_us)

    def _count_sound(self) -> None:
        """Let the sound be counted while it is all that goes, and is wanted so."""
        feed, sound = self._sound_feed, self._sound
        if feed is None:
            return
        counts = sound.counts(held=self._picture_held, picture=self.counted.flowing)
        if not counts:
            sound.counted = False
            feed.meter = None
        elif not sound.counted:
            sound.meter.per_packet = self.meter.per_packet and self._sound_numbered
            feed.meter = sound.begin()

    def _tend_path(self, now_us: int) -> None:
        """Hold the picture back where the path cannot carry it, and try it again."""
        if self._reasons or self._sound_feed is None:
            self._hopeless_us = None
            return
        may_try = not self._picture_held or self._may_try_picture()
        carries = may_try and self.path.carries_picture(now_us)
        if carries == self._picture_held:
            self._picture_held = not carries
            self._count_sound()
            if carries:
                self.meter.unconfirmed.go_on(on_trial=True)
                self.counted.release(now_us, catch_up=False)
                self._want_keyframe(now_us)
            else:
                self.counted.hold()
        self._tend_sound(now_us)
        if may_try or not self._sound_held:
            self._hopeless_us = None
        elif self._hopeless_us is None:
            self._hopeless_us = now_us

    def _may_try_picture(self) -> bool:
        """Whether another trial that fails would stay within the bound. If not, sound that is
        counted works off what the picture has broken."""
        beside_us = BESIDE_US if self.meter.per_packet else BESIDE_BY_REPORTS_US
        return self.meter.unconfirmed.has_room(self.meter, PICTURE_TRIAL_US + beside_us)

    def _tend_sound(self, now_us: int) -> None:
        sound = self._sound_feed
        if sound is None:
            return
        picture = self.counted.flowing
        # Whatever the picture waits for: pausing as often as it comes would be a free radio.
        without = not picture
        self._sound.passes(now_us, picture=picture, sound=sound.flowing)
        self._count_sound()
        waits = without and self._sound.used_up and not self._sound.chosen
        if waits != self._sound_held:
            self._sound_held = waits
            if waits:
                sound.hold()
            elif not self._reasons:
                sound.release(now_us, catch_up=False)

    # --- what the viewer says --------------------------------------------------------------

    def heard(self, messages: list[Message], now_us: int) -> None:
        """What a compound RTCP packet of the viewer's holds."""
        self._heard_us = now_us
        for message in messages:
            if isinstance(message, TransportFeedback):
                self._transport_feedback(message.fci, now_us)
            elif isinstance(message, ReceptionReport):
                self._reception_report(message, now_us)
            elif isinstance(message, Nack):
                for feed in self.feeds.values():
                    if feed.ssrc == message.media_ssrc:
                        feed.resend(message.sequences, now_us)
            elif isinstance(message, PictureLoss):
                self._picture_lost(now_us)
            elif isinstance(message, BitrateEstimate):
                self.path.estimator.set_remb(message.bits_per_second)

    def _transport_feedback(self, fci: bytes, now_us: int) -> None:
        outcome = None if self._numbering is None else self._numbering.history.hear(fci, now_us)
        if outcome is None:
            return
        self._gathering.heard(now_us)
        meter, sound = self.meter, self._sound.meter
        meter.per_packet = True
        sound.per_packet = self._sound_numbered
        meter.received([key >> 1 for key in outcome.received if not key & 1])
        if sound.pending_frames:  # otherwise nobody would ever forget what has come
            sound.received([key >> 1 for key in outcome.received if key & 1])
        for key in outcome.unknown:
            if not key & 1 and len(self._unknown) < UNKNOWN_MAX:
                self._unknown.append((now_us + UNKNOWN_SETTLES_US, key >> 1))
        if self.path.feedback(outcome):
            self.counted.source_changed()
            self._want_keyframe(now_us)
        self._settle(now_us)

    def _settle(self, now_us: int) -> None:
        meter, sound = self.meter, self._sound.meter
        if self._unknown:
            self._settle_unknown(now_us)
        if sound.waiting:
            sound.settle(now_us)
        if not meter.per_packet:
            meter.awaited = self.counted.awaited
        elif meter.misses:
            meter.repair_us = self._repair_us()
        if meter.settle(now_us):
            self.path.picture_broke(now_us)
            self._chain_broken(now_us)

    def _repair_us(self) -> int:
        """For how long a missing packet is waited for: a few round trips, of which each takes as
        long as the viewer gathers what it says, too; and, where feedback was lost, until it is
        clear that nobody asks for it."""
        round_trip_us = (self.path.estimator.rtt_us or 0) + self._gathering.time_us
        repair_us = min(max(REPAIR_US, REPAIR_ROUND_TRIPS * round_trip_us), REPAIR_MAX_US)
        return repair_us + UNKNOWN_SETTLES_US if self._unknown else repair_us

    def _settle_unknown(self, now_us: int) -> None:
        """Believe that packets have come whose feedback was lost, and that nobody has asked for
        since: what a viewer misses it asks for again and again. One that it has asked for often
        it may have given up: it is sent once more, and the feedback about that will tell."""
        unknown, asked = self._unknown, self.counted.asked
        while unknown and unknown[0][0] <= now_us:
            due_us, sequence = unknown.popleft()
            asked_us, times = asked.get(sequence, (0, 0))
            if asked_us > due_us - UNKNOWN_SETTLES_US:
                unknown.append((now_us + UNKNOWN_SETTLES_US, sequence))
            elif times <= UNKNOWN_ASKED_MAX:
                self.meter.received((sequence,))
            else:
                self.counted.probe(sequence, now_us)

    def _reception_report(self, block: ReceptionReport, now_us: int) -> None:
        for feed in self.feeds.values():
            if feed.ssrc == block.ssrc:
                feed.report(block, now_us)
            elif feed.rtx_ssrc == block.ssrc and feed.meter is not None:
                feed.meter.repairs_lost(block.packets_lost)

    def _picture_lost(self, now_us: int) -> None:
        """The viewer cannot go on without a keyframe. Where nothing better is known about its
        packets, what it was sent since does not count."""
        if self._reasons or self.counted.kind != "video":
            return
        self._unknown.clear()
        if not self.meter.per_packet and self.counted.flowing and self._tells_a_loss(now_us):
            awaited = self.counted.awaited
            if awaited is None:
                self.meter.break_off()
                self.path.picture_broke(now_us)
            else:  # that is why, and what is missing is not sent any more when it comes
                self.meter.excuse(awaited)
            self._chain_broken(now_us)
        else:
            self._want_keyframe(now_us)

    def _tells_a_loss(self, now_us: int) -> bool:
        """Whether a request for a keyframe that comes now says that packets were of no use. It
        does not where it was sent before the last keyframe came, or because the publisher has
        sent no frame for a while."""
        answered = now_us - self.counted.keyframe_us <= KEYFRAME_ANSWERS_US
        return not answered and not self.counted.stands(now_us)

    def _chain_broken(self, now_us: int) -> None:
        if self.counted.kind != "video":
            return
        self._broken = True
        self.counted.source_changed()
        self._want_keyframe(now_us)

    # --- keyframes -------------------------------------------------------------------------

    def _want_keyframe(self, now_us: int) -> None:
        self._wanted_us = now_us
        self._ask_keyframe(now_us)

    def _ask_keyframe(self, now_us: int) -> None:
        """Ask the publisher, at most once a second, and ever more rarely for who asks often."""
        if self.published is None or self._reasons:
            return
        if self._asked_us is not None:
            since_us = now_us - self._asked_us
            if since_us < self._ask_again_us:
                return
            if since_us > ASKS_FORGOTTEN_US:
                self._ask_again_us = KEYFRAME_ASK_US
            else:
                self._ask_again_us = min(2 * self._ask_again_us, KEYFRAME_ASK_MAX_US)
        self._asked_us = now_us
        self.published.request_keyframe(now_us)

    # --- ten times a second ------------------------------------------------------------------

    def tend(self, now_us: int, unix_us: int) -> str | None:
        """Sender reports and limits, some ten times a second. Why it is to end, if it is."""
        if self._unix_ahead_us is None:
            self._unix_ahead_us = unix_us - now_us
        if not self.connected:
            return "vanished" if now_us - self._made_us > CONNECT_WITHIN_US else None
        self._settle(now_us)
        if self.published is not None:
            self.path.stream_rate(self.published.bitrate_bps)
        if self._broken and self.counted.flowing:
            self._broken = False
        self._tend_path(now_us)
        self._tend_time(now_us)
        if self._wanted_us is not None:
            if self.counted.keyframe_us > self._wanted_us:
                self._wanted_us = None
            else:
                self._ask_keyframe(now_us)
        blocked = next((each for each in BLOCKED if self.held_for(each)), None)
        if blocked is not None:
            counting = [feed.meter for feed in self.feeds.values() if feed.meter is not None]
            if all(meter.may_forward(now_us) for meter in counting):
                self.release(blocked, now_us)
            elif self._probed_us is None or now_us - self._probed_us >= PROBE_EVERY_US:
                self._probed_us = now_us
                self.counted.probe_newest(now_us)
                if self._sound_feed is not None and self._sound.meter.waiting:
                    self._sound_feed.probe_newest(now_us)
            if self.meter.given_up(now_us):
                silent = self._heard_us is None or now_us - self._heard_us > REPORTS_SILENT_US
                return "vanished" if silent else blocked
        if self._hopeless_us is not None and now_us - self._hopeless_us >= HOPELESS_US:
            return "unconfirmed"
        if now_us - self._reported_us >= SENDER_REPORT_EVERY_US or any(
            feed.untold for feed in self.feeds.values()
        ):
            self._report(now_us)
        return None

    def _tend_time(self, now_us: int) -> None:
        """Stop what is sent and counts no time."""
        for feed in self.feeds.values():
            meter = feed.meter
            if meter is None or not meter.flows(feed.octets, now_us) or self._reasons:
                continue
            if not meter.may_forward(now_us):
                self._blocked(now_us)

    def _begun(self, now_us: int) -> None:
        """Something begins: no sound is counted beside the picture. Tell at once which time is
        which; and soon again, because players draw a line through two reports."""
        if self._first_owed and self.counted.flowing:
            self._first_owed = False
            track = self.counted.track
            gap_us = None if track is None else track.usual_gap_us()
            self.meter.owe(min(gap_us or 0, self.meter.rules.gap_max_us))
        self._count_sound()
        self._report(now_us)
        self._reported_us = now_us - SENDER_REPORT_EVERY_US

    def _report(self, now_us: int) -> None:
        """Sender reports about all that is forwarded, of one moment."""
        if self._unix_ahead_us is None:
            return
        self._reported_us = now_us
        ntp = rtcp.ntp_timestamp(now_us + self._unix_ahead_us)
        feeds = self.feeds.values()
        if now_us - self._learnt_us >= CLOCK_KEPT_US:
            self._learnt_us = now_us
            for feed in feeds:
                feed.forget_told()
        shifts = [feed.told_shift_us for feed in feeds]
        shift_us = next((shift for shift in shifts if shift is not None), 0)
        for feed in feeds:
            report = feed.sender_report(self.cname, ntp, now_us, shift_us)
            if report is not None:
                self.send_rtcp(report)

    def figures(self) -> ConnectionFigures:
        """What was sent until now."""
        feeds = self.feeds.values()
        meter, sound = self.meter, self._sound.meter
        return ConnectionFigures(
            delivered_ms=meter.delivered_ms + sound.delivered_ms,
            forwarded_ms=meter.forwarded_ms + sound.forwarded_ms,
            unconfirmed_ms=meter.pending_ms + sound.pending_ms,
            unpayable_ms=meter.unpayable_ms + sound.unpayable_ms,
            owed_ms=meter.owed_ms + sound.owed_ms,
            free_ms=(self.counted.caught_up_us + self._sound.given_us) // 1000,
            sound_free_ms=self._sound.free_left_us // 1000,
            frames_forwarded=meter.frames_forwarded,
            packets_sent=sum(feed.packets for feed in feeds),
            bytes_sent=sum(feed.octets for feed in feeds),
            packets_lost=sum(feed.lost for feed in feeds),
        )

    @property
    def waiting(self) -> bool:
        """Whether something that was sent is still to be known held."""
        return self.meter.waiting or self._sound.meter.waiting

    @property
    def reports_alone(self) -> bool:
        """Whether receiver reports are all that will tell of something that waits."""
        meters = (self.meter, self._sound.meter)
        return any(each.waiting and each.by_reports for each in meters)


def meter_of(feed: Feed) -> Meter:
    """The meter of the counted feed."""
    if feed.meter is None:
        raise ValueError(f"the {feed.kind} of this viewer is not counted")
    return feed.meter


def _drop(_packet: bytes) -> None:
    return None
