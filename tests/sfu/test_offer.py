"""Offers of the field, and made ones, judged: what is taken, what is answered, what is refused."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from streaming.sfu import offer, sdp
from streaming.sfu.answer import answer, engine_offer
from streaming.sfu.codecs import covers
from streaming.sfu.media_engine import MediaError
from streaming.sfu.offer import SEND_TIME_URI, TRANSPORT_SEQUENCE_URI, Negotiated
from streaming.sfu.publication import TrackCodec
from streaming.sfu.simulcast import RID_URI
from tests.sfu.bent_offers import LOCAL, check_answer

OFFERS = Path(__file__).parent.parent / "data" / "offers"
OPUS = TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111)
VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96)


def h264(profile: str, mode: int = 1) -> TrackCodec:
    return TrackCodec(
        kind="video",
        name="H264",
        clock_rate=90_000,
        payload_type=102,
        profile=profile,
        packetization_mode=mode,
    )


STREAMS = {
    "vp8": VP8,
    "baseline": h264("42e01f"),
    "main": h264("4d0028"),
    "high": h264("640028"),
}


def field(name: str) -> str:
    return (OFFERS / f"{name}.sdp").read_text(encoding="utf-8")


def publish(text: str, *, sound_alone: bool = False) -> Negotiated:
    return offer.publishing(offer.read(text), sound_alone=sound_alone)


def watch(text: str, video: TrackCodec | None = VP8, audio: TrackCodec | None = OPUS) -> Negotiated:
    streams = {codec.kind: codec for codec in (video, audio) if codec is not None}
    return offer.watching(offer.read(text), streams)


def said(text: str, negotiated: Negotiated) -> list[str]:
    """The answer's lines, after its form has been checked."""
    answered = answer(negotiated, LOCAL)
    check_answer(sdp.parse(text), negotiated, answered)
    return answered.split("\r\n")


def refused(text: str, *, watched: TrackCodec | None = None) -> MediaError:
    judge = publish if watched is None else partial(watch, video=watched)
    with pytest.raises(MediaError) as raised:
        judge(text)
    return raised.value


# --- the field ---------------------------------------------------------------------------

PUBLISHERS = {
    # name: payload types of picture and sound, our role
    "01-obs-30.1": (96, 111, "passive"),
    "02-obs-30.2-no-candidates": (96, 111, "passive"),
    "07-ffmpeg-high-profile-baseline": (106, 111, "active"),
    "07-ffmpeg-high-profile-high": (106, 111, "active"),
    "07-ffmpeg-high-profile-main": (106, 111, "active"),
    "07-ffmpeg-high-profile-mode0": (106, 111, "active"),
    "10-firefox-publish": (120, 109, "passive"),
    "10-firefox-publish-no-h264": (120, 109, "passive"),
    "13-safari-ios-h264-first-publish": (98, 111, "passive"),
    "14-safari-ios-without-vp8-publish": (98, 111, "passive"),
    "15-chrome-android-publish": (96, 111, "passive"),
    "16-simulcast-rids-high-first": (96, 111, "passive"),
    "16-simulcast-rids-low-first": (96, 111, "passive"),
    "16-simulcast-rids-obs32": (96, 111, "passive"),
    "17-hevc-av1-first-mixed": (108, 111, "passive"),
    "20-no-bundle-one": (106, None, "active"),
    "21-inactive-audio-publish": (96, None, "passive"),
    "23-setup-active-or-passive-active": (96, 111, "passive"),
    "23-setup-active-or-passive-passive": (96, 111, "active"),
    "30-data-channel-section-publish": (96, 111, "passive"),
    "31-bundle-only-port-0-gstreamer": (96, 97, "passive"),
    "31-bundle-only-port-0-max-bundle": (96, 111, "passive"),
}
VIEWERS = {
    # name: payload type of the picture by what the stream is; None where it is refused
    "11-firefox-watch": {"vp8": 120, "baseline": 126, "main": None, "high": None},
    "11-firefox-watch-no-h264": {"vp8": 120, "baseline": None, "main": None, "high": None},
    "13-safari-ios-h264-first-watch": {"vp8": 104, "baseline": 98, "main": 96, "high": 96},
    "14-safari-ios-without-vp8-watch": {"vp8": None, "baseline": 98, "main": 96, "high": 96},
    "15-chrome-android-watch": {"vp8": 96, "high": None},
    "21-inactive-audio-watch": {"vp8": 96, "baseline": 108, "main": 116, "high": None},
    "23-setup-active-or-passive-watch-active": {"vp8": 96},
    "30-data-channel-section-watch": {"vp8": 96, "main": 116},
    "31-bundle-only-port-0-gstreamer-watch": {"vp8": 96, "baseline": None},
}
REFUSED = {
    # name: status, code, and what the detail names
    "17-hevc-av1-first-av1-only": (422, "codec-unsupported", "line 23 (m=video"),
    "17-hevc-av1-first-hevc-only": (422, "codec-unsupported", "offers H265"),
    "19-two-videos-publish": (422, "too-many-sections", "line 127 (m=video"),
    "19-two-videos-publish-second-inactive": (422, "too-many-sections", "line 127 (m=video"),
    "19-two-videos-watch": (422, "too-many-sections", "line 125 (m=video"),
    "20-no-bundle-two": (422, "bundle-required", "line 24 (m=audio"),
    "32-no-fingerprint-none": (400, "fingerprint-missing", "line 8 (m=audio"),
    "32-no-fingerprint-sha1": (422, "fingerprint-unusable", "line 14 (a=fingerprint:sha-1"),
    "32-no-fingerprint-watch-none": (400, "fingerprint-missing", "line 8 (m=audio"),
}


def test_every_offer_of_the_field_has_its_right_behaviour_here() -> None:
    assert {*PUBLISHERS, *VIEWERS, *REFUSED} == {path.stem for path in OFFERS.glob("*.sdp")}


@pytest.mark.parametrize("name", PUBLISHERS)
def test_publishers_of_the_field(name: str) -> None:
    video, audio, setup = PUBLISHERS[name]
    negotiated = publish(field(name))
    chosen = {kind: codec.payload_type for kind, codec in negotiated.codecs.items()}
    assert (chosen.get("video"), chosen.get("audio")) == (video, audio)
    lines = said(field(name), negotiated)
    assert [line for line in lines if line.startswith("a=setup:")] == [
        f"a=setup:{setup}" for _ in negotiated.accepted
    ]


@pytest.mark.parametrize(
    ("name", "stream", "payload_type"),
    [(name, stream, pt) for name, each in VIEWERS.items() for stream, pt in each.items()],
)
def test_viewers_of_the_field(name: str, stream: str, payload_type: int | None) -> None:
    text = field(name)
    if payload_type is None:
        error = refused(text, watched=STREAMS[stream])
        assert (error.status, error.code) == (422, "codec-unsupported")
        named = {"vp8": "VP8", "baseline": "H.264 Constrained Baseline"}
        title = named.get(stream, f"H.264 {stream.title()}")
        assert error.detail.startswith(f"the stream is {title}")
        assert "(m=video" in error.detail
        return
    negotiated = watch(text, STREAMS[stream])
    assert negotiated.codecs["video"].payload_type == payload_type
    said(text, negotiated)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_field_is_refused(name: str) -> None:
    status, code, named = REFUSED[name]
    error = refused(field(name), watched=VP8 if "watch" in name else None)
    assert (error.status, error.code) == (status, code)
    assert named in error.detail


# --- shapes ------------------------------------------------------------------------------

CHROMIUM = field("21-inactive-audio-publish").replace("a=inactive", "a=sendonly")
WATCHER = field("21-inactive-audio-watch").replace("a=inactive", "a=recvonly")


def test_a_data_channel_is_rejected_and_the_rest_taken() -> None:
    text = field("30-data-channel-section-watch")
    lines = said(text, watch(text))
    assert "a=group:BUNDLE 0 1" in lines
    at = lines.index("m=application 0 UDP/DTLS/SCTP webrtc-datachannel")
    assert lines[at + 1 :] == ["c=IN IP4 0.0.0.0", "a=mid:3", ""]


def test_a_data_channel_that_the_bundle_is_tagged_with_lends_its_credentials() -> None:
    """Only the tagged section needs them (RFC 8843, 7.2.1)."""
    gstreamer = field("31-bundle-only-port-0-gstreamer").replace("\r\n", "\n")
    head, *sections = gstreamer.split("\nm=")
    shared = re.findall("\na=(?:ice-ufrag|ice-pwd|setup|fingerprint):.*", sections[0])
    channel = "application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:data" + "".join(shared)
    bare = [re.sub("\na=(ice-ufrag|ice-pwd|setup|fingerprint):.*", "", s) for s in sections]
    bare[0] = bare[0].replace("video 9", "video 0") + "\na=bundle-only"
    text = "\nm=".join([head.replace("BUNDLE ", "BUNDLE data "), channel, *bare])
    negotiated = publish(text)
    assert negotiated.bundle == ("video0", "audio1")
    assert negotiated.transport.ufrag == "tCHs"
    said(text, negotiated)


def test_only_the_first_section_has_to_have_credentials() -> None:
    text = field("31-bundle-only-port-0-gstreamer")
    first, second = text.split("m=audio")
    bare = re.sub("a=(ice-ufrag|ice-pwd|setup|fingerprint):.*\r?\n", "", second)
    assert bare != second
    negotiated = publish(f"{first}m=audio{bare}")
    assert set(negotiated.codecs) == {"video", "audio"}
    assert negotiated.transport == publish(text).transport


def test_the_transport_is_that_of_the_section_the_bundle_names_first() -> None:
    before, first, second = re.split("(?=m=)", CHROMIUM)
    other = second.replace("a=ice-ufrag:", "a=ice-ufrag:other")
    text = before.replace("BUNDLE 0 1", "BUNDLE 1 unknown 0 1") + first + other
    negotiated = publish(text)
    assert negotiated.bundle == ("1", "0")
    assert negotiated.transport.ufrag.startswith("other")
    assert "a=group:BUNDLE 1 0" in said(text, negotiated)


def test_no_direction_means_both_and_the_session_may_say_it_for_all() -> None:
    silent = CHROMIUM.replace("a=sendonly\n", "").replace("a=sendonly\r\n", "")
    assert set(publish(silent).codecs) == {"video", "audio"}
    assert set(watch(silent).codecs) == {"video", "audio"}
    idle = silent.replace("t=0 0", "t=0 0\na=recvonly")
    assert refused(idle).code == "no-media"
    assert "line " in refused(idle).detail


def test_an_inactive_section_stays_in_the_bundle_and_one_without_use_leaves_it() -> None:
    text = field("21-inactive-audio-publish")
    lines = said(text, publish(text))
    assert "a=group:BUNDLE 0 1" in lines
    assert lines.count("a=inactive") == 1
    foreign = text.replace("opus/48000/2", "speex/48000/2")
    lines = said(foreign, publish(foreign))
    assert "a=group:BUNDLE 1" in lines
    assert any(line.startswith("m=audio 0 ") for line in lines)


def test_a_disabled_section_is_answered_as_such() -> None:
    first, second = CHROMIUM.split("m=video")
    text = first.replace("m=audio 9", "m=audio 0") + "m=video" + second
    negotiated = publish(text)
    assert set(negotiated.codecs) == {"video"}
    assert any(line.startswith("m=audio 0 ") for line in said(text, negotiated))


def test_one_section_needs_neither_bundle_nor_mid() -> None:
    text = re.sub("a=mid:.*\r?\n", "", field("20-no-bundle-one"))
    lines = said(text, publish(text))
    assert not [line for line in lines if line.startswith(("a=group", "a=mid"))]


def test_a_fixed_bundle_line_may_name_what_is_not_there() -> None:
    ffmpeg = field("07-ffmpeg-high-profile-baseline")
    before, _, video = re.split("(?=m=)", ffmpeg)
    text = before + video
    assert "a=group:BUNDLE 1" in said(text, publish(text))


BROKEN = {
    "holdconn": (("a=setup:actpass", "a=setup:holdconn"), 422, "setup-unusable", "holdconn"),
    "no role": (("a=setup:actpass", "a=setup:both"), 400, "sdp-invalid", "a=setup:both"),
    "mids": (("a=mid:1", "a=mid:0"), 400, "sdp-invalid", "also that of line 16"),
    "mid": (("a=mid:1", "a=mid:1 0"), 400, "sdp-invalid", "a=mid:1 0"),
    "no bundle": (("a=group:BUNDLE 0 1", "a=group:LS 0 1"), 422, "bundle-required", "(m=video"),
    "half a bundle": (("BUNDLE 0 1", "BUNDLE 0 2"), 422, "bundle-required", "BUNDLE 0 2"),
    "ice-lite": (("t=0 0", "t=0 0\na=ice-lite"), 422, "ice-lite", "line 5 (a=ice-lite)"),
    "ice-ufrag": (("a=ice-ufrag:", "a=ice-ufrag:x y"), 400, "sdp-invalid", "a=ice-ufrag:x y"),
    "ice-pwd": (("a=ice-pwd:", "a=ice-pwd: short "), 400, "sdp-invalid", "(a=ice-pwd:...)"),
    "no ice-ufrag": (("a=ice-ufrag", "a=ice-smurf"), 400, "sdp-invalid", "a=ice-ufrag"),
    "fingerprint": (("sha-256 ", "sha-256 G"), 400, "sdp-invalid", "a=fingerprint:sha-256 G"),
    "rtcp": (("a=rtcp-mux", "a=rtcp-max"), 422, "rtcp-mux-required", "line 8 (m=audio"),
    "plain": (("UDP/TLS/RTP/SAVPF", "UDP/TCP"), 422, "protocol-unsupported", "line 8"),
    "port": (("m=audio 9 ", "m=audio 99999 "), 400, "sdp-invalid", "line 8 (m=audio 99999"),
    "rtpmap": (("opus/48000/2", "opus"), 400, "sdp-invalid", "(a=rtpmap:111 opus)"),
    "twice": (("a=sendonly", "a=sendonly\na=recvonly"), 400, "sdp-invalid", "contradicts line"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_named_with_its_line(name: str) -> None:
    (old, new), status, code, named = BROKEN[name]
    text = CHROMIUM.replace(old, new)
    assert text != CHROMIUM
    error = refused(text)
    assert (error.status, error.code) == (status, code)
    assert named in error.detail
    assert "ice-pwd:s" not in error.detail


def test_formats_of_a_bundle_do_not_share_a_payload_type() -> None:
    first, second = CHROMIUM.split("m=video")
    text = first + "m=video" + re.sub(r"\b96\b", "111", second)
    error = refused(text)
    assert (error.status, error.code) == (400, "sdp-invalid")
    assert "payload type 111" in error.detail


# --- lines -------------------------------------------------------------------------------

END = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]
CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.66 9 typ host"


@pytest.mark.parametrize("end", END)
def test_odd_line_ends_smuggle_nothing_in(end: str) -> None:
    text = CHROMIUM.replace("a=rtcp-mux\n", f"a=rtcp-mux{end}{CANDIDATE}\n", 1)
    assert text != CHROMIUM
    error = refused(text)
    assert (error.status, error.code) == (400, "sdp-invalid")
    assert re.search(r"line \d+ .*control character U\+", error.detail)


def test_lines_may_end_in_lf_cr_lf_and_both() -> None:
    plain = CHROMIUM.replace("\r\n", "\n")
    expected = engine_offer(publish(plain))
    for end in ("\r\n", "\r\r\n", "\n\n", "\r\n\r\n", " \r\n"):
        assert engine_offer(publish(plain.replace("\n", end))) == expected


def test_the_engine_reads_nothing_that_a_stranger_wrote() -> None:
    text = CHROMIUM.replace("s=-", "s=stranger").replace("a=msid:", "a=msid:stranger")
    text += f"{CANDIDATE}\na=end-of-candidates\n"
    plain = engine_offer(publish(text))
    assert not re.search("stranger|candidate|192.0.2", plain)
    assert plain.count("\r\n") == len(plain.splitlines())
    assert len(plain) < 2000


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("a=x\n" * 1000, "sdp-invalid"),
        ("a=" + "x" * 2049 + "\n", "sdp-invalid"),
        ("a=" + "x" * 2000 + "\n" + "a=y\n" * 10_000, "too-large"),
        ("a=ssrc:1 cname:x\n" * 129, "sdp-invalid"),
        ("a=candidate:x\n" * 129, "sdp-invalid"),
        ("a=extmap:1 urn:x\n" * 65, "sdp-invalid"),
        ("a=rtcp-fb:* nack\n" * 513, "sdp-invalid"),
        ("m=video 9 UDP/TLS/RTP/SAVPF" + " 96" * 129 + "\n", "sdp-invalid"),
        ("m=text 0 X 1\n" * 3, "too-many-sections"),
    ],
)
def test_what_an_offer_may_hold_is_bounded(more: str, code: str) -> None:
    assert refused(CHROMIUM + more).code == code


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("", 400, "sdp-empty"),
        (" \r\n ", 400, "sdp-empty"),
        ("hello", 400, "sdp-invalid"),
        ("o=x\r\nv=0", 400, "sdp-invalid"),
        ("v=0\r\nm=nonsense", 400, "sdp-invalid"),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF \r\n", 400, "sdp-invalid"),
        ("v=0\r\ns=-\r\n", 422, "no-media"),
        ("v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", 422, "no-media"),
    ],
)
def test_what_is_no_offer(text: str, status: int, code: str) -> None:
    error = refused(text)
    assert (error.status, error.code) == (status, code)


def test_a_number_is_one_of_ascii_digits_and_fits() -> None:
    assert sdp.number_of("65535", 65_535) == 65_535
    for text in ("", "-1", "+1", " 1", "1_0", "\u0661", "\u00b2", "65536", "9" * 5000):
        assert sdp.number_of(text, 65_535) is None


# --- codecs ------------------------------------------------------------------------------


def with_formats(formats: dict[int, str], *, base: str = CHROMIUM) -> str:
    """An offer whose picture has these formats: codec and fmtp by payload type."""
    before, _, rest = base.partition("m=video")
    kept = [line for line in rest.split("\n")[1:] if not re.match("a=(rtpmap|rtcp-fb|fmtp)", line)]
    lines = [f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}"]
    for number, text in formats.items():
        codec, _, parameters = text.partition(" ")
        lines += [f"a=rtpmap:{number} {codec}/90000", f"a=rtcp-fb:{number} nack"]
        lines += [f"a=fmtp:{number} {parameters}"] if parameters else []
    return before + "\n".join([*lines, *kept])


PROFILE = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ({100: "VP9", 101: "H264 " + PROFILE + "42001f", 102: "VP8"}, 101),
        ({100: "H264 " + PROFILE + "6e001f", 101: "H264 " + PROFILE + "64001f"}, 101),
        ({100: "H264 " + PROFILE + "64001f", 101: "H264 " + PROFILE + "42e01f"}, 101),
        ({100: "H264 " + PROFILE + "64001f", 101: "VP8"}, 101),
        ({100: "H264 packetization-mode=2;profile-level-id=42e01f", 101: "h264"}, 101),
        ({100: "H264 profile-level-id=nonsense", 101: "vp8"}, 101),
        ({64: "VP8", 95: "VP8", 45: "VP8"}, 45),
        ({100: "H264 packetization-mode=0;profile-level-id=42e01f"}, 100),
    ],
)
def test_the_first_usable_format_is_chosen(formats: dict[int, str], chosen: int) -> None:
    text = with_formats(formats)
    negotiated = publish(text)
    assert negotiated.codecs["video"].payload_type == chosen
    said(text, negotiated)


RANKS = {
    "42e01f": 0,
    "42001f": 0,
    "4d801f": 0,
    "4d001f": 1,
    "640c1f": 2,
    "64001f": 2,
}


@pytest.mark.parametrize("sent", RANKS)
@pytest.mark.parametrize("offered", RANKS)
def test_a_profile_goes_to_whoever_decodes_it_and_to_nobody_else(sent: str, offered: str) -> None:
    text = with_formats({100: "H264 " + PROFILE + offered}, base=WATCHER)
    if RANKS[offered] >= RANKS[sent]:
        negotiated = watch(text, h264(sent))
        assert any(f"profile-level-id={offered}" in line for line in said(text, negotiated))
    else:
        assert refused(text, watched=h264(sent)).code == "codec-unsupported"
    own = publish(with_formats({100: "H264 " + PROFILE + offered})).codecs["video"]
    assert covers(own, h264(sent)) == (RANKS[offered] >= RANKS[sent])


def test_the_nearest_profile_is_answered() -> None:
    formats = {100 + i: "H264 " + PROFILE + p for i, p in enumerate(["64001f", "4d001f", "42e01f"])}
    text = with_formats(formats, base=WATCHER)
    for profile, chosen in (("42e01f", 102), ("42001f", 102), ("4d0028", 101), ("640028", 100)):
        assert watch(text, h264(profile)).codecs["video"].payload_type == chosen


@pytest.mark.parametrize(
    ("fmtp", "sent", "taken"),
    [
        ("packetization-mode=1;profile-level-id=42e01f", "42e028", False),
        ("packetization-mode=1;profile-level-id=42e028", "42e01f", True),
        ("packetization-mode=1;level-asymmetry-allowed=1;profile-level-id=42e01f", "42e033", True),
        ("packetization-mode=1;profile-level-id=42f00b", "42e00b", False),
        ("packetization-mode=1", "42e028", True),
        ("packetization-mode=1;profile-level-id=420x1f", "42e01f", False),
    ],
)
def test_the_level_counts_unless_it_may_differ(fmtp: str, sent: str, taken: bool) -> None:
    text = with_formats({100: f"H264 {fmtp}"}, base=WATCHER)
    if taken:
        assert watch(text, h264(sent)).codecs["video"].payload_type == 100
    else:
        assert refused(text, watched=h264(sent)).code == "codec-unsupported"


@pytest.mark.parametrize(("sent", "offered", "taken"), [(0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0, 0)])
def test_fragments_go_to_whoever_puts_them_together(sent: int, offered: int, taken: int) -> None:
    fmtp = f"level-asymmetry-allowed=1;packetization-mode={offered};profile-level-id=42e01f"
    text = with_formats({100: f"H264 {fmtp}"}, base=WATCHER)
    if taken:
        assert f"packetization-mode={offered}" in "\n".join(
            said(text, watch(text, h264("42e01f", sent)))
        )
    else:
        detail = refused(text, watched=h264("42e01f", sent)).detail
        assert "packetization-mode 1" in detail


def test_a_refused_viewer_hears_what_the_creator_could_publish() -> None:
    error = refused(field("11-firefox-watch"), watched=h264("640028"))
    assert "profile-level-id 640028" in error.detail
    assert "watch with a player that decodes H.264 High" in error.detail
    assert "let the creator publish VP8" in error.detail


def test_sound_is_stereo_with_repair_and_without_silence() -> None:
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=1;sprop-stereo=1" in said(
        CHROMIUM, publish(CHROMIUM)
    )
    assert "a=fmtp:111 sprop-stereo=1;stereo=1;useinbandfec=1" in said(WATCHER, watch(WATCHER))


def test_a_stream_without_sound_leaves_the_viewers_sound_idle() -> None:
    negotiated = watch(WATCHER, VP8, None)
    assert set(negotiated.codecs) == {"video"}
    assert "a=inactive" in said(WATCHER, negotiated)
    assert set(watch(WATCHER, None).codecs) == {"audio"}


def test_sound_alone_has_to_be_asked_for() -> None:
    before, audio, _ = re.split("(?=m=)", CHROMIUM)
    error = refused(before + audio)
    assert (error.code, "?sound_alone=1" in error.detail) == ("no-video", True)
    assert set(publish(before + audio, sound_alone=True).codecs) == {"audio"}


# --- feedback, extensions, retransmission --------------------------------------------------


def test_feedback_is_what_we_want_of_what_is_offered() -> None:
    negotiated = publish(CHROMIUM)
    lines = said(CHROMIUM, negotiated)
    assert [line for line in lines if line.startswith("a=rtcp-fb:")] == [
        "a=rtcp-fb:111 transport-cc",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=rtcp-fb:96 goog-remb",
        "a=rtcp-fb:96 transport-cc",
    ]
    assert negotiated.has_feedback("audio", "transport-cc")
    assert not negotiated.has_feedback("audio", "nack")
    more = CHROMIUM.replace("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:*  nack")
    assert publish(more).has_feedback("audio", "nack")
    assert not publish(more).has_feedback("audio", "transport-cc")


def test_extensions_keep_the_offers_ids() -> None:
    negotiated = publish(CHROMIUM)
    assert negotiated.extension_id(TRANSPORT_SEQUENCE_URI) == 3
    assert negotiated.extension_id(SEND_TIME_URI) == 2
    assert negotiated.extension_id(SEND_TIME_URI, "audio") is None
    assert negotiated.extension_id(RID_URI) is None
    viewer = watch(WATCHER)
    assert viewer.extension_id(TRANSPORT_SEQUENCE_URI, "video") == 3
    assert viewer.extension_id(SEND_TIME_URI) is None


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (f"a=extmap:5 {TRANSPORT_SEQUENCE_URI}", 5),
        (f"a=extmap:5/sendonly {TRANSPORT_SEQUENCE_URI}", 5),
        (f"a=extmap:5/recvonly {TRANSPORT_SEQUENCE_URI}", None),
        (f"a=extmap:5/inactive {TRANSPORT_SEQUENCE_URI}", None),
        (f"a=extmap:0 {TRANSPORT_SEQUENCE_URI}", None),
        (f"a=extmap:15 {TRANSPORT_SEQUENCE_URI}", None),
        (f"a=extmap:2 {TRANSPORT_SEQUENCE_URI}", None),
        (f"a=extmap:x {TRANSPORT_SEQUENCE_URI}", None),
    ],
)
def test_an_extension_is_taken_where_it_can_be_written(line: str, taken: int | None) -> None:
    text = re.sub(f"a=extmap:3 {TRANSPORT_SEQUENCE_URI}", line, CHROMIUM)
    assert text != CHROMIUM
    assert publish(text).extension_id(TRANSPORT_SEQUENCE_URI) == taken


def test_an_id_means_one_thing_in_all_sections() -> None:
    first, second = CHROMIUM.split("m=video")
    text = first + f"a=extmap:3 {TRANSPORT_SEQUENCE_URI}\nm=video" + second
    assert publish(text).extension_id(TRANSPORT_SEQUENCE_URI, "audio") == 3
    other = first + f"a=extmap:7 {TRANSPORT_SEQUENCE_URI}\nm=video" + second
    negotiated = publish(other)
    assert negotiated.extension_id(TRANSPORT_SEQUENCE_URI, "audio") == 7
    assert negotiated.extension_id(TRANSPORT_SEQUENCE_URI, "video") is None


def test_retransmission_belongs_to_its_codec() -> None:
    assert publish(CHROMIUM).codecs["video"].rtx_payload_type == 97
    other = CHROMIUM.replace("a=fmtp:97 apt=96", "a=fmtp:97 apt=98")
    assert publish(other).codecs["video"].rtx_payload_type is None


def test_our_source_is_announced_to_viewers_only() -> None:
    lines = said(WATCHER, watch(WATCHER))
    assert "a=ssrc-group:FID 2 10" in lines
    assert not [line for line in said(CHROMIUM, publish(CHROMIUM)) if "ssrc" in line]


# --- simulcast -----------------------------------------------------------------------------


def simulcast_lines(text: str) -> list[str]:
    lines = said(text, publish(text))
    return [line for line in lines if re.match("a=(rid|simulcast)", line) or RID_URI in line]


def test_where_the_best_layer_is_the_first_nothing_is_said_about_layers() -> None:
    assert simulcast_lines(field("16-simulcast-rids-high-first")) == []
    assert simulcast_lines(field("16-simulcast-rids-obs32")) == []


def test_where_the_best_layer_is_not_the_first_it_alone_is_taken() -> None:
    text = field("16-simulcast-rids-low-first")
    assert simulcast_lines(text) == [
        f"a=extmap:10 {RID_URI}",
        "a=rid:f recv",
        "a=simulcast:recv f",
    ]
    assert publish(text).extension_id(RID_URI) == 10


@pytest.mark.parametrize(
    ("rids", "best"),
    [
        (["1", "2", "3"], "1"),
        (["lo", "hi"], "hi"),
        (["l", "m", "h"], "h"),
        (["a max-width=320;max-height=180", "b max-width=1280;max-height=720"], "b"),
        (["a max-br=100000", "b max-br=900000"], "b"),
        (["h", "q"], "h"),
        (["x", "~y"], "x"),
    ],
)
def test_which_layer_is_the_best(rids: list[str], best: str) -> None:
    text = field("16-simulcast-rids-low-first")
    text = re.sub("a=(rid|simulcast):.*\r?\n?", "", text)
    names = [rid.split(" ")[0] for rid in rids]
    for rid in rids:
        name, _, rest = rid.removeprefix("~").partition(" ")
        text += f"a=rid:{name} send {rest}\n"
    text += f"a=simulcast:send {';'.join(names)}\n"
    layer = publish(text).section("video").layer
    assert layer is not None
    assert layer.rid == best


def test_of_listed_sources_the_last_of_the_group_is_the_best() -> None:
    lines = [f"a=ssrc:{n} cname:x" for n in (11, 12, 13, 21, 22, 23)]
    lines += ["a=ssrc-group:SIM 11 12 13", "a=ssrc-group:FID 11 21", "a=ssrc-group:FID 13 23"]
    text = CHROMIUM + "\n".join(lines) + "\n"
    assert publish(text).section("video").sources == (13, 23)
    plain = CHROMIUM + "\n".join(lines[:1]) + "\n"
    assert publish(plain).section("video").sources == (11,)
