import assert from "node:assert/strict";
import { test } from "node:test";
import { GAP_MAX_MS, PictureMeter } from "../../../streaming/pages/static/picture-meter.js";
import { nativeOf, shortOf, takenBy } from "../../../streaming/pages/static/affordable.js";
import { planFor } from "../../../streaming/pages/static/payment-plan.js";
import { Problem, assetOf } from "../../../streaming/pages/static/api.js";
import { PAUSE_TEXTS, asSentence, explain, whyHeldBack } from "../../../streaming/pages/static/reasons.js";
import { publicKeyOf, sameAccount, shortAddress } from "../../../streaming/pages/static/sdk/ss58.js";
import { late, sortAccounts } from "../../../streaming/pages/static/wallet.js";

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

test("freezes are the larger of the long gaps and of what the browser counts", () => {
  const { meter, frame } = meterOfFakeVideo();
  frame(0);
  meter.addStats(0);
  frame(GAP_MAX_MS);
  assert.equal(meter.freezesMs, 0);
  frame(2 * GAP_MAX_MS + 500);
  assert.equal(meter.freezesMs, GAP_MAX_MS + 500);
  meter.addStats(2_400);
  assert.equal(meter.freezesMs, 2_400);
  meter.addStats(2_400);
  assert.equal(meter.freezesMs, 2_400);
});

test("a viewer's own pause is no freeze, nor is the time between two connections", () => {
  const { meter, frame } = meterOfFakeVideo();
  frame(0);
  meter.addStats(0);
  meter.interrupt();
  meter.addStats(0);
  frame(60_000);
  // The browser counts the pause when the first frame after it has come.
  meter.addStats(60_000);
  assert.equal(meter.freezesMs, 0);
  meter.addStats(60_300);
  assert.equal(meter.freezesMs, 300, "what comes afterwards counts again");
  meter.restart();
  frame(90_000);
  meter.addStats(200);
  assert.equal(meter.freezesMs, 500, "another connection counts from nothing");
});

test("the first reason that applies is said, with what the viewer can do", () => {
  assert.equal(whyHeldBack([]), null);
  assert.equal(whyHeldBack(["paused", "something-new"]), null);
  assert.equal(whyHeldBack(["wait", "budget:report"]).code, "budget-report");
  assert.equal(whyHeldBack(["path"]).code, "path");
  for (const reason of ["wait", "lease", "unconfirmed", "untimed", "picture-broken", "budget"]) {
    assert.match(whyHeldBack([reason]).text, /Nothing is charged/, reason);
  }
});

test("only an answered pause is called free", () => {
  assert.match(PAUSE_TEXTS.paused.text, /Nothing is charged/);
  for (const state of ["pausing", "resuming", "unknown"]) {
    assert.doesNotMatch(PAUSE_TEXTS[state].text, /[Nn]othing is charged/, state);
  }
});

test("the server's words about a format are shown as sentences", () => {
  assert.match(explain("no-video", "the stream's picture is VP8").text, /^The stream's picture is VP8\. /);
  assert.equal(explain("bundle-required", "add a=group", false).title, "The stream could not be started");
  assert.equal(asSentence(""), "");
});

const terms = (more) => ({ asset: "native", free_balance: "1000", missing: ["grant"], ...more });
const needs = { storage_deposit: "200", fees: "10", existential_deposit: "1" };

test("what an account needs is deposit, storage, fees and what has to stay", () => {
  const taken = takenBy(terms({ needs }), 700n, true);
  assert.equal(nativeOf(taken), 911n);
  assert.deepEqual(shortOf(taken, terms({ needs })), { asset: 0n, native: 0n });
  const more = takenBy(terms({ needs }), 790n, true);
  assert.equal(shortOf(more, terms({ needs })).native, 1n);
  assert.equal(nativeOf(takenBy(terms({ needs }), 790n, false)), 801n, "a deposit alone makes no grant");
  assert.equal(nativeOf(takenBy(terms({}), 700n, true)), 700n, "a server that does not say");
});

test("the server's reckoning of what can be deposited counts, whatever the page would add up", () => {
  // 100 of the 1,000 are frozen, which the page does not know.
  const reckoned = terms({ needs: { ...needs, deposit: "600", deposit_max: "689" }, short_by: "0" });
  assert.deepEqual(shortOf(takenBy(reckoned, 689n, true), reckoned), { asset: 0n, native: 0n });
  assert.deepEqual(shortOf(takenBy(reckoned, 700n, true), reckoned), { asset: 0n, native: 11n });
});

test("who cannot pay the least hears what is missing for what was chosen", () => {
  const poor = terms({ free_balance: "50", needs: { ...needs, deposit: "10", deposit_max: "0" }, short_by: "171" });
  assert.equal(shortOf(takenBy(poor, 10n, true), poor).native, 171n);
  assert.equal(shortOf(takenBy(poor, 700n, true), poor).native, 861n);
  const nearly = terms({ needs: { ...needs, deposit: "10", deposit_max: "0" }, short_by: "4" });
  assert.equal(shortOf(takenBy(nearly, 3n, true), nearly).native, 0n);
});

test("a stream in another asset needs the chain's token for the rest", () => {
  const asset = {
    asset: "1984",
    needs: { ...needs, deposit: "600", deposit_max: "1000" },
    has: "200",
    short_by: "11",
    asset_short_by: "0",
  };
  const taken = takenBy(terms(asset), 1_200n, true);
  assert.deepEqual(shortOf(taken, terms(asset)), { asset: 200n, native: 11n });
  const none = terms({ ...asset, needs: { ...asset.needs, deposit_max: "0" }, asset_short_by: "600" });
  assert.equal(shortOf(taken, none).asset, 1_200n);
  const before = terms({ asset: "1984", needs });
  assert.deepEqual(shortOf(taken, before), { asset: 200n, native: 0n }, "a server that does not say");
});

test("what is signed allows what the terms reckon with", () => {
  const asked = {
    rate_per_second: "10",
    vault: "100",
    grant: null,
    needs: { ...needs, cap: "36000", rate_max_per_second: "12", sessions_max: 3, gap_ms: 90_000 },
  };
  const plan = planFor(terms(asked), 0n, 60, false);
  const { expires_at_ms: ends, ...call } = plan.call;
  assert.deepEqual(call, {
    kind: "deposit_and_grant",
    ...assetOf(terms(asked)),
    deposit: "500",
    cap: "600",
    rate_max_per_second: "12",
    sessions_max: 3,
    gap_ms: 90_000,
  });
  assert.ok(ends > Date.now() + 23 * 3_600_000);
  assert.equal(plan.taken.storage, 200n);
  const more = planFor(terms(asked), 0n, 60, true);
  assert.deepEqual([more.deposit, more.cap], [600n, 700n], "what runs has reserved the vault");
});

test("a grant that suffices takes a deposit alone", () => {
  const grant = { id: 1, cap_left: "1000", rate_max_per_second: "10", sessions_max: 1, sessions_open: 0 };
  const plan = planFor(terms({ rate_per_second: "10", vault: "0", missing: ["funds"], grant, needs }), 700n, 60, false);
  assert.deepEqual([plan.call.kind, plan.call.amount], ["deposit", "700"], "the stream's least");
  assert.equal(plan.taken.storage, 0n);
});

test("accounts of other kinds of keys are told apart", () => {
  const { usable, others } = sortAccounts(
    [
      { address: ALICE, name: "A", type: "sr25519" },
      { address: BOB, name: "B" },
      { address: BOB, name: "C", type: "ecdsa" },
      { address: "0x52908400098527886E0F7030069857D2E4169EE7", name: "D", type: "ethereum" },
    ],
    "test",
  );
  assert.deepEqual(usable.map(({ name }) => name), ["A", "B"]);
  assert.deepEqual(others.map(({ type }) => type), ["ecdsa", "ethereum"]);
});

test("a signature that came too late hears how late, a quick one something else", () => {
  const gone = new Problem(400, "challenge-unknown", "…");
  assert.match(late(gone, ["challenge-unknown"], 360_000, "Sign in again").message, /6 min after/);
  assert.match(late(gone, ["challenge-unknown"], 900, "Sign in again").message, /started again/);
  const other = new Problem(401, "signature-invalid", "…");
  assert.equal(late(other, ["challenge-unknown"], 360_000, "Sign in again"), other);
});
