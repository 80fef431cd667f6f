"""Offers that Chromium makes, answered by the real engine: what it then sends, and how."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Driven
from tests.http.fake_relayer import PUBLISH_TOKEN, WATCH_TOKEN
from tests.sfu.rig import rig

pytestmark = [pytest.mark.browser, pytest.mark.media]

EXCHANGE = """
async ({publish, watch, options}) => {
  const exchange = async (pc, path, token) => {
    await pc.setLocalDescription(await pc.createOffer());
    const response = await fetch(path, {
      method: "POST",
      headers: {"Content-Type": "application/sdp", Authorization: `Bearer ${token}`},
      body: pc.localDescription.sdp,
    });
    const sdp = await response.text();
    if (response.status !== 201) throw new Error(`${response.status} ${sdp}`);
    await pc.setRemoteDescription({type: "answer", sdp});
    while (pc.connectionState !== "connected") {
      if (pc.connectionState === "failed") throw new Error("not connected");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const stats = async (pc) => [...(await pc.getStats()).values()];
  const until = async (read) => {
    for (let tries = 0; tries < 300; tries += 1) {
      const found = await read();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("it did not come about");
  };
  const media = await navigator.mediaDevices.getUserMedia({
    audio: true, video: {width: 1280, height: 720},
  });
  const publisher = new RTCPeerConnection({bundlePolicy: "max-bundle"});
  if (options.channel) publisher.createDataChannel("chat");
  publisher.addTransceiver(media.getAudioTracks()[0], {direction: options.audio ?? "sendonly"});
  const video = publisher.addTransceiver(media.getVideoTracks()[0], {
    direction: "sendonly", sendEncodings: options.encodings ?? [{}],
  });
  if (options.profile) {
    const all = RTCRtpSender.getCapabilities("video").codecs;
    video.setCodecPreferences(
      all.filter(({sdpFmtpLine}) => sdpFmtpLine?.includes(options.profile)));
  }
  await exchange(publisher, "/whip/1", publish);
  const sent = await until(async () => (await stats(publisher)).find(
    (one) => one.type === "outbound-rtp" && one.kind === "video" && one.framesSent > 5));
  const viewer = new RTCPeerConnection();
  viewer.addTransceiver("video", {direction: "recvonly"});
  viewer.addTransceiver("audio", {direction: "recvonly"});
  await exchange(viewer, "/whep/1", watch);
  const seen = await until(async () => (await stats(viewer)).find(
    (one) => one.type === "inbound-rtp" && one.kind === "video" && one.framesDecoded > 5));
  const mayBecome = await until(async () => {
    if (!options.rises) return 1;
    const {availableOutgoingBitrate: bits} = (await stats(publisher)).find(
      ({type, nominated}) => type === "candidate-pair" && nominated) ?? {};
    return bits > options.rises ? bits : 0;
  });
  const transport = async (pc) => (await stats(pc)).find(({type}) => type === "transport");
  const found = {
    rid: sent.rid ?? null,
    mayBecome,
    codec: (await stats(viewer)).find(({id}) => id === seen.codecId),
    transports: [await transport(publisher), await transport(viewer)],
  };
  publisher.close();
  viewer.close();
  return found;
}
"""


def exchanged(driven: Driven, options: dict[str, Any]) -> dict[str, Any]:
    """Publish and watch in one page; what its statistics say."""

    async def work() -> dict[str, Any]:
        async with rig() as r:
            page = await driven.browser.new_page()
            try:
                await page.goto(f"{r.url}/")
                tokens = {"publish": PUBLISH_TOKEN, "watch": WATCH_TOKEN, "options": options}
                found: dict[str, Any] = await page.evaluate(EXCHANGE, tokens)
                return found
            finally:
                await page.close()

    result: dict[str, Any] = driven.run(work())
    return result


def test_srtp_is_the_fast_one_both_ways(driven: Driven) -> None:
    found = exchanged(driven, {})
    assert [one["srtpCipher"] for one in found["transports"]] == ["SRTP_AEAD_AES_128_GCM"] * 2
    assert [one["dtlsRole"] for one in found["transports"]] == ["client"] * 2


def test_a_publishers_estimate_of_its_path_rises(driven: Driven) -> None:
    """It begins with 300 kbit/s, and rises by what the server tells of each packet alone."""
    assert exchanged(driven, {"rises": 900_000})["mayBecome"] > 900_000


def test_the_best_layer_is_sent_although_it_comes_last(driven: Driven) -> None:
    layers = [
        {"rid": "q", "scaleResolutionDownBy": 4},
        {"rid": "h", "scaleResolutionDownBy": 2},
        {"rid": "f"},
    ]
    assert exchanged(driven, {"encodings": layers})["rid"] == "f"


def test_a_declined_data_channel_and_an_inactive_microphone_are_no_hindrance(
    driven: Driven,
) -> None:
    found = exchanged(driven, {"channel": True, "audio": "inactive"})
    assert found["codec"]["mimeType"] == "video/VP8"


def test_h264_main_is_published_and_watched(driven: Driven) -> None:
    found = exchanged(driven, {"profile": "4d001f"})
    assert found["codec"]["mimeType"] == "video/H264"
    assert "profile-level-id=4d001f" in found["codec"]["sdpFmtpLine"]
