import assert from "node:assert/strict";
import { test } from "node:test";
import { GAP_MAX_MS, PictureMeter } from "../../../streaming/pages/static/picture-meter.js";
import { explain } from "../../../streaming/pages/static/reasons.js";
import { publicKeyOf, sameAccount, shortAddress } from "../../../streaming/pages/static/ss58.js";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ALICE_ON_POLKADOT = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
const ALICE_KEY = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
const BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

/** @returns {{meter: PictureMeter, frame: (at: number, presented?: number) => void}} */
function meterOfFakeVideo() {
  let seen = null;
  const video = { requestVideoFrameCallback: (callback) => (seen = callback) };
  const meter = new PictureMeter(/** @type {any} */ (video));
  let count = 0;
  const frame = (at, presented = ++count) => {
    count = presented;
    seen(at, { presentationTime: at, presentedFrames: presented });
  };
  return { meter, frame };
}

test("watched time is the sum of the gaps between frames", () => {
  const { meter, frame } = meterOfFakeVideo();
  for (let at = 0; at <= 2_000; at += 40) frame(at);
  assert.equal(meter.watchedMs, 2_000);
  assert.equal(meter.frames, 51);
  assert.equal(meter.firstFrameAt, 0);
});

test("a gap above the limit counts nothing, one at the limit counts", () => {
  const { meter, frame } = meterOfFakeVideo();
  frame(0);
  frame(GAP_MAX_MS);
  assert.equal(meter.watchedMs, GAP_MAX_MS);
  frame(2 * GAP_MAX_MS + 1);
  assert.equal(meter.watchedMs, GAP_MAX_MS);
});

test("frames between two callbacks are counted, also after another source", () => {
  const { meter, frame } = meterOfFakeVideo();
  frame(0, 1);
  frame(100, 4);
  assert.equal(meter.frames, 4);
  frame(200, 1);
  assert.equal(meter.frames, 5);
});

/** A meter that has seen frames with these gaps between them, and when the last one came. */
function meterAfter(gaps) {
  const { meter, frame } = meterOfFakeVideo();
  let at = 1_000;
  frame(at);
  for (const gap of gaps) frame((at += gap));
  return { meter, frame, at };
}

const USUAL = Array(30).fill(40);

test("a freeze is what a gap is longer than the usual one, as our own viewer counts it", () => {
  for (const [gaps, freezesMs] of [
    [USUAL, 0],
    [[...USUAL, 199, ...USUAL], 0],
    [[...USUAL, 200, ...USUAL], 160],
    [[...USUAL, 5_040, ...USUAL, 1_040], 6_000],
    [[...Array(30).fill(100), 300, 301], 201],
    [Array(30).fill(2_000), 0],
    [[40, 40, 40, 40, 1_000], 0],
    [[40, 40, 40, 40, 40, 1_000], 960],
    [[...USUAL, ...Array(60).fill(1_000)], 15 * 960],
  ]) {
    assert.equal(meterAfter(gaps).meter.freezesMs, freezesMs, `${gaps.slice(-3)}`);
  }
});

test("what comes after a pause is no freeze, and what stood still before it is", () => {
  const { meter, frame, at } = meterAfter(USUAL);
  meter.halt(at + 1_040);
  assert.equal(meter.freezesMs, 1_000);
  meter.halt(at + 5_000);
  frame(at + 9_000);
  assert.equal(meter.freezesMs, 1_000);
  frame(at + 9_500);
  assert.equal(meter.freezesMs, 1_460);
});

test("frames of which a busy page heard nothing make no freeze", () => {
  const { meter, frame, at } = meterAfter(USUAL);
  frame(at + 400, 41);
  assert.equal(meter.freezesMs, 0);
  frame(at + 1_400, 42);
  assert.equal(meter.freezesMs, 960);
});

test("an account is the same whatever the network prefix", () => {
  assert.equal(publicKeyOf(ALICE), ALICE_KEY);
  assert.equal(publicKeyOf(ALICE_ON_POLKADOT), ALICE_KEY);
  assert.ok(sameAccount(ALICE, ALICE_ON_POLKADOT));
  assert.ok(!sameAccount(ALICE, BOB));
  assert.ok(!sameAccount(ALICE, null));
});

test("what is no address has no key", () => {
  for (const text of ["", "0OIl", "5Grwva", "0x1234", `${ALICE}11`, "hello world"]) {
    assert.equal(publicKeyOf(text), null, `“${text}”`);
  }
  assert.equal(shortAddress(ALICE), "5Grwva…utQY");
});

test("every reason has words and a remedy, unknown ones the server's own", () => {
  for (const code of ["funds", "grant-ended", "token-ended", "stream-ended", "FundsExhausted"]) {
    assert.notEqual(explain(code).title, "The stream has stopped", code);
  }
  assert.equal(explain("FundsExhausted").remedy, "top-up");
  assert.deepEqual(explain("something-new", "Says the server."), {
    title: "The stream has stopped",
    text: "Says the server.",
    remedy: "again",
  });
});
