import assert from "node:assert/strict";
import { test } from "node:test";
import { WATCH_PARAMETERS, publishParameters, withOpus } from "../../../streaming/pages/static/sdk/opus-offer.js";

const offer = (lines) => `${lines.join("\r\n")}\r\n`;
const HEAD = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0"];
const AUDIO = [
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=fmtp:63 111/111",
];
const VIDEO = ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack"];

test("a viewer asks for stereo and repair, and nothing else changes", () => {
  const before = offer([...HEAD, ...AUDIO, ...VIDEO]);
  const after = withOpus(before, WATCH_PARAMETERS);
  const expected = before
    .replace("opus/48000/2\r\n", "opus/48000/2\r\na=rtcp-fb:111 nack\r\n")
    .replace("useinbandfec=1", "useinbandfec=1;stereo=1");
  assert.equal(after, expected);
  assert.equal(withOpus(after, WATCH_PARAMETERS), after, "twice is once");
});

test("a format without parameters gets them", () => {
  const after = withOpus(offer([...HEAD, AUDIO[0], AUDIO[1], ...VIDEO]), WATCH_PARAMETERS);
  assert.match(after, /opus\/48000\/2\r\na=rtcp-fb:111 nack\r\na=fmtp:111 stereo=1\r\nm=video/);
});

test("each of several Opus formats is asked for, in upper case too", () => {
  const lines = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 97 109",
    "a=rtpmap:97 OPUS/48000/2",
    "a=fmtp:97 stereo=0; maxplaybackrate=48000",
    "a=rtpmap:109 opus/48000/2",
    "a=rtcp-fb:* nack",
  ];
  const after = withOpus(offer([...HEAD, ...VIDEO, ...lines]), WATCH_PARAMETERS);
  assert.ok(after.includes("a=fmtp:97 stereo=1;maxplaybackrate=48000\r\n"));
  assert.ok(after.includes("a=fmtp:109 stereo=1\r\n"));
  assert.ok(!after.includes("a=rtcp-fb:97 nack"), "the star already says it");
  assert.equal(after.match(/rtcp-fb:96 nack/g).length, 1, "the picture's format is left alone");
});

test("a number that is Opus in sound and something else in the picture is told apart", () => {
  const video = ["m=video 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 H264/90000", "a=fmtp:111 packetization-mode=1"];
  const after = withOpus(offer([...HEAD, ...AUDIO, ...video]), WATCH_PARAMETERS);
  assert.ok(after.endsWith(offer(video)));
});

test("lines end as they did, and an offer without sound stays", () => {
  const unix = [...HEAD, ...AUDIO].join("\n");
  assert.ok(!withOpus(unix, WATCH_PARAMETERS).includes("\r"));
  assert.ok(withOpus(unix, WATCH_PARAMETERS).includes("stereo=1\na=rtpmap:63"));
  const silent = offer([...HEAD, ...VIDEO]);
  assert.equal(withOpus(silent, WATCH_PARAMETERS), silent);
  assert.equal(withOpus("", WATCH_PARAMETERS), "");
});

test("only a microphone of two channels is announced as stereo", () => {
  assert.deepEqual(publishParameters(2), {
    stereo: "1",
    "sprop-stereo": "1",
    useinbandfec: "1",
    usedtx: "1",
  });
  for (const channels of [1, undefined, 6]) {
    assert.deepEqual(publishParameters(channels), { useinbandfec: "1", usedtx: "1" });
  }
});
