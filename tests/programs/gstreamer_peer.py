"""GStreamer's webrtcbin as a publisher (WHIP) or a viewer (WHEP). Runs under Debian's own Python.

`gstreamer_peer.py publish|watch URL TOKEN VP8|H264 packets|reports|rare-reports`. The last word is
how a viewer tells what has come: of each packet, in reports each half second, or in those that
webrtcbin sends by itself, each 2 to 7 s. Says on standard output what happens, one JSON object a
line; leaves once a line comes in on standard input.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin

import gi

for name in ("Gst", "GstWebRTC", "GstSdp"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

GAP_MAX_S = 1.5
"""A longer gap between two frames is a freeze, as on the server."""
RAW_VIDEO = "video/x-raw,width=640,height=360,framerate=30/1,format=I420"
ENCODERS = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=600000 ! rtpvp8pay"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=600"
    " ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=97",
}
SOUND = (
    "audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay"
    " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111"
)
WANTED = {
    "VP8": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
    "H264": "application/x-rtp,media=video,encoding-name=H264,payload=97,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f",
    "OPUS": "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
    "encoding-params=(string)2",
}
EACH_PACKET = (
    ",rtcp-fb-transport-cc=true,extmap-3=(string)"
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
"""What makes webrtcbin offer feedback about each packet: both, in the caps of each transceiver."""
RTCP_OF_BPS = 5_000_000.0
"""RTCP may have a twentieth of this. By itself webrtcbin takes the rate that it receives; then what
it says, also which packets are missing, waits for up to 0.3 s."""
REPAIRED_WITHIN_MS = 500
"""For so long its jitter buffer waits for what is missing and asks again; 0.2 s by itself."""
REPORT_EACH_NS = 500_000_000
"""At least half of this, and at most one and a half; 5 s by itself."""
DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec",
    "H264": "rtph264depay ! h264parse ! avdec_h264",
    "OPUS": "rtpopusdepay ! opusdec",
}


def tell(event: str, **fields: Any) -> None:
    """One line for whoever drives this."""
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201


class Peer:
    """One connection, until it is told to leave."""

    def __init__(self, role: str, url: str, token: str, codec: str, feedback: str) -> None:
        self.url, self.token, self.role, self.feedback = url, token, role, feedback
        self.resource: str | None = None
        self.reply: Any = None
        self.frames: dict[str, int] = {}
        self.watched_s = 0.0
        self.last_s: float | None = None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new("peer")
        if role == "publish":
            self.bin = self._sending(codec)
        else:
            self.bin = self._receiving(codec)
        for signal, handler in (
            ("on-negotiation-needed", self._offer),
            ("notify::ice-gathering-state", self._gathering),
            ("notify::connection-state", self._connection),
            ("pad-added", self._pad),
        ):
            self.bin.connect(signal, handler)
        if role == "watch":
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            offered = EACH_PACKET if feedback == "packets" else ""
            for encoding in ("OPUS", codec):
                caps = Gst.Caps.from_string(WANTED[encoding] + offered)
                transceiver = self.bin.emit("add-transceiver", direction, caps)
                transceiver.set_property("do-nack", feedback == "packets")
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self._failed)

    def _sending(self, codec: str) -> Any:
        picture = f"videotestsrc is-live=true ! {RAW_VIDEO} ! {ENCODERS[codec]}"
        self.pipeline = Gst.parse_launch(
            f"webrtcbin name=peer bundle-policy=max-bundle {picture} ! peer. {SOUND} ! peer."
        )
        return self.pipeline.get_by_name("peer")

    def _receiving(self, codec: str) -> Any:
        element = Gst.ElementFactory.make("webrtcbin", "peer")
        element.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        if self.feedback == "packets":
            element.set_property("latency", REPAIRED_WITHIN_MS)
        self.pipeline.add(element)
        return element

    def run(self) -> None:
        """Connect; leave when told to."""
        GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, lambda *_: self._leave())
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    # --- the exchange ------------------------------------------------------------------

    def _offer(self, *_: Any) -> None:
        def made(promise: Any, *_: Any) -> None:
            promise.wait()
            # The offer lies in the reply: while it is used, that has to stay.
            self.reply = promise.get_reply()
            offer = self.reply.get_value("offer")
            self.bin.emit("set-local-description", offer, Gst.Promise.new())

        self.bin.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def _gathering(self, *_: Any) -> None:
        state = self.bin.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self._post)

    def _ask(self, method: str, url: str, body: str | None) -> tuple[int, Any, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/sdp"
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def _post(self) -> bool:
        if self.resource is None:
            offer = self.bin.get_property("local-description").sdp.as_text()
            status, headers, body = self._ask("POST", self.url, offer)
            tell("answered", status=status, body="" if status == 201 else body)
            if status != 201:
                self.loop.quit()
                return False
            self.resource = urljoin(self.url, headers["Location"])
            _, message = GstSdp.SDPMessage.new()
            GstSdp.sdp_message_parse_buffer(body.encode(), message)
            answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
            self.bin.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def _leave(self) -> bool:
        status, text = 0, ""
        if self.resource is not None:
            status, _, text = self._ask("DELETE", self.resource, None)
        tell("left", status=status, body=text, frames=self.frames,
             watched_ms=round(self.watched_s * 1000))  # fmt: skip
        self.loop.quit()
        return False

    # --- what comes of it --------------------------------------------------------------

    def _connection(self, *_: Any) -> None:
        state = self.bin.get_property("connection-state").value_nick
        if state == "connected" and self.role == "watch":
            self._tend_rtcp()
        tell(state)

    def _tend_rtcp(self) -> None:
        """Say more often what has come: there is one session, since everything is bundled."""
        session = self.bin.get_by_name("rtpbin").emit("get-internal-session", 0)
        if self.feedback == "packets":
            session.set_property("bandwidth", RTCP_OF_BPS)
        elif self.feedback == "reports":
            session.set_property("rtcp-min-interval", REPORT_EACH_NS)

    def _failed(self, _bus: Any, message: Any) -> None:
        tell("error", detail=str(message.parse_error()))
        self.loop.quit()

    def _pad(self, _bin: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        encoding = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        sink = "fakesink name=end signal-handoffs=true sync=false"
        branch = Gst.parse_bin_from_description(
            f"queue ! {DECODERS[encoding]} ! {sink}", ghost_unlinked_pads=True
        )
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))
        branch.get_by_name("end").connect("handoff", lambda *_: self._frame(encoding))

    def _frame(self, encoding: str) -> None:
        self.frames[encoding] = self.frames.get(encoding, 0) + 1
        if encoding == "OPUS":
            return
        now_s = time.monotonic()
        if self.last_s is None:
            tell("picture")
        elif now_s - self.last_s <= GAP_MAX_S:
            self.watched_s += now_s - self.last_s
        self.last_s = now_s


Gst.init(None)
tell("version", version=Gst.version_string())
Peer(*sys.argv[1:6]).run()
