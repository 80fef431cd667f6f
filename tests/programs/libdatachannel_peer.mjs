/**
 * libdatachannel, OBS's own WebRTC library, as a WHIP publisher set up as OBS does it:
 * `libdatachannel_peer.mjs URL TOKEN MODULE gathered|bare H264FILE`. `gathered` offers its
 * candidates (OBS 30.1); `bare` offers none (30.2 and later).
 * Says one JSON object a line; leaves once a line comes in on standard input.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [url, token, module, style, file] = process.argv.slice(2);
const lib = createRequire(import.meta.url)(module);
const FRAMES_A_SECOND = 30;
const SOUND_EVERY_MS = 20;
/** Opus, stereo, 20 ms of silence (RFC 6716, 3.1). */
const SILENCE = Buffer.from([0xfc, 0xff, 0xfe]);
const tell = (event, fields = {}) => console.log(JSON.stringify({ event, ...fields }));
const ssrc = () => 1 + Math.floor(Math.random() * 0x7ffffffe);

tell("version", { version: lib.getLibraryVersion() });

/** Access units of an Annex B file that has a delimiter (NAL type 9) before each. */
function accessUnits(bytes) {
  const delimiter = Buffer.from([0, 0, 0, 1, 9]);
  const starts = [];
  for (let at = bytes.indexOf(delimiter); at >= 0; at = bytes.indexOf(delimiter, at + 5)) starts.push(at);
  return starts.map((start, index) => bytes.subarray(start, starts[index + 1]));
}

const connection = new lib.PeerConnection("publisher", {
  iceServers: [],
  disableAutoNegotiation: true,
});
const cname = "obs-like";

const audio = new lib.Audio("0", "SendOnly");
audio.addOpusCodec(111);
const video = new lib.Video("1", "SendOnly");
video.addH264Codec(96);

function track(media, payloadType, clockRate, Packetizer) {
  const source = ssrc();
  media.addSSRC(source, cname, cname, `${cname}-${media.mid()}`);
  const added = connection.addTrack(media);
  const config = new lib.RtpPacketizationConfig(source, cname, payloadType, clockRate);
  const packetizer = Packetizer(config);
  packetizer.addToChain(new lib.RtcpSrReporter(config));
  packetizer.addToChain(new lib.RtcpNackResponder());
  added.setMediaHandler(packetizer);
  return { added, config, first: config.timestamp };
}
const sound = track(audio, 111, 48_000, (config) => new lib.RtpPacketizer(config));
const picture = track(video, 96, 90_000, (config) => new lib.H264RtpPacketizer("StartSequence", config, 1220));

const gathered = new Promise((done) => {
  connection.onGatheringStateChange((state) => state === "complete" && done());
});
connection.onStateChange((state) => tell(state));
connection.setLocalDescription("offer");
await gathered;
let offer = connection.localDescription().sdp;
if (style === "bare") offer = offer.replace(/a=(candidate:.*|end-of-candidates)\r\n/g, "");

const headers = { Authorization: `Bearer ${token}` };
const answer = await fetch(url, {
  method: "POST",
  headers: { ...headers, "Content-Type": "application/sdp" },
  body: offer,
});
const body = await answer.text();
tell("answered", { status: answer.status, body: answer.ok ? "" : body });
if (!answer.ok) process.exit(1);
const resource = new URL(answer.headers.get("Location"), url);
connection.setRemoteDescription(body, "answer");

const units = accessUnits(readFileSync(file));
const began = performance.now();
let frames = 0;
let sounds = 0;
const timer = setInterval(() => {
  const passed = performance.now() - began;
  for (; (frames * 1000) / FRAMES_A_SECOND <= passed; frames += 1) {
    picture.config.timestamp = (picture.first + frames * (90_000 / FRAMES_A_SECOND)) % 2 ** 32;
    if (picture.added.isOpen()) picture.added.sendMessageBinary(units[frames % units.length]);
  }
  for (; sounds * SOUND_EVERY_MS <= passed; sounds += 1) {
    sound.config.timestamp = (sound.first + sounds * 48 * SOUND_EVERY_MS) % 2 ** 32;
    if (sound.added.isOpen()) sound.added.sendMessageBinary(SILENCE);
  }
}, 5);

process.stdin.once("data", async () => {
  clearInterval(timer);
  const { status } = await fetch(resource, { method: "DELETE", headers });
  tell("left", { status });
  connection.close();
  lib.cleanup();
  process.exit(0);
});
