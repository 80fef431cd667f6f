"""A left tone arrives left: from one Chromium through the server to another.

The server forwards sound as it came, so two channels are a matter of the descriptions: each side
says `stereo=1` in its `fmtp` line of Opus (RFC 7587, 7.1). The page's code writes it there.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest

from streaming.clients.browser import chromium
from streaming.clients.rest_client import RestClient
from tests.http.fake_relayer import FakeSigner
from tests.sfu.rig import rig

pytestmark = pytest.mark.browser

COMMON = """() => {
    window.stereo = (sdp) => {
        const [, payload] = sdp.match(/a=rtpmap:(\\d+) opus\\/48000\\/2/);
        const line = new RegExp(`a=fmtp:${payload} ([^\\r\\n]*)`);
        const added = 'stereo=1;sprop-stereo=1';
        if (line.test(sdp)) {
            return sdp.replace(line, (whole, said) =>
                /(^|;)stereo=1/.test(said) ? whole : `a=fmtp:${payload} ${said};${added}`);
        }
        return sdp.replace(/(a=rtpmap:\\d+ opus\\/48000\\/2\\r\\n)/,
            `$1a=fmtp:${payload} ${added}\\r\\n`);
    };
    window.offered = async (pc) => {
        const offer = await pc.createOffer();
        await pc.setLocalDescription({type: 'offer', sdp: stereo(offer.sdp)});
        while (pc.iceGatheringState !== 'complete') {
            await new Promise((done) => setTimeout(done, 20));
        }
        return pc.localDescription.sdp;
    };
    window.answered = (sdp) =>
        window.pc.setRemoteDescription({type: 'answer', sdp});
}"""
PUBLISH = """async (side) => {
    const context = new AudioContext({sampleRate: 48000});
    await context.resume();
    const tone = new OscillatorNode(context, {frequency: 440});
    const merger = new ChannelMergerNode(context, {numberOfInputs: 2});
    const out = new MediaStreamAudioDestinationNode(context, {channelCount: 2});
    tone.connect(merger, 0, side).connect(out);
    tone.start();
    window.pc = new RTCPeerConnection();
    pc.addTransceiver(out.stream.getAudioTracks()[0], {direction: 'sendonly'});
    return offered(pc);
}"""
WATCH = """async () => {
    window.pc = new RTCPeerConnection();
    pc.addTransceiver('audio', {direction: 'recvonly'});
    pc.ontrack = (event) => { window.track = event.track; };
    return offered(pc);
}"""
ENERGY = """async () => {
    const context = new AudioContext({sampleRate: 48000});
    await context.resume();
    const stream = new MediaStream([track]);
    const player = new Audio();
    player.muted = true;
    player.srcObject = stream;  // without it Chromium decodes nothing
    await player.play();
    const source = new MediaStreamAudioSourceNode(context, {mediaStream: stream});
    const splitter = new ChannelSplitterNode(context, {numberOfOutputs: 2});
    source.connect(splitter);
    const ears = [0, 1].map((side) => {
        const ear = new AnalyserNode(context, {fftSize: 2048});
        splitter.connect(ear, side);
        return ear;
    });
    const energy = [0, 0];
    for (let look = 0; look < 30; look += 1) {
        await new Promise((done) => setTimeout(done, 100));
        ears.forEach((ear, side) => {
            const samples = new Float32Array(ear.fftSize);
            ear.getFloatTimeDomainData(samples);
            energy[side] += samples.reduce((sum, sample) => sum + sample * sample, 0);
        });
    }
    return energy;
}"""


@pytest.mark.parametrize("side", [0, 1], ids=["left", "right"])
def test_a_tone_arrives_on_its_side(side: int) -> None:
    if shutil.which("chromium") is None:
        pytest.fail("Chromium is missing: apt-get install chromium", pytrace=False)

    async def connect(rest: RestClient, page: Any, path: str, purpose: str, code: str) -> None:
        await page.evaluate(COMMON)
        offer = await page.evaluate(code, side)
        token = await rest.authenticate(purpose, FakeSigner(), 1 if purpose == "publish" else None)
        _, _, answer = await rest.call("POST", path, token=token, data=offer)
        await page.evaluate("(sdp) => answered(sdp)", str(answer))

    async def main() -> None:
        async with rig() as r, RestClient(r.url) as rest, chromium() as browser:
            publisher, viewer = await browser.new_page(), await browser.new_page()
            await connect(rest, publisher, "/whip/1?sound_alone=1", "publish", PUBLISH)
            for _ in range(100):
                if r.server.engine.all_live():
                    break
                await asyncio.sleep(0.1)
            await connect(rest, viewer, "/whep/1", "watch", WATCH)
            energy = await asyncio.wait_for(viewer.evaluate(ENERGY), 30)
            assert energy[side] > 100
            assert energy[1 - side] < energy[side] / 100

    asyncio.run(main())
