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
