import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { querySelector: () => null };
globalThis.location = new URL("http://127.0.0.1/watch");
const { watchConnection } = await import("../../../streaming/pages/static/sdk/sdp-exchange.js");

/** A connection whose state and received bytes are set by the test. */
class Connection extends EventTarget {
  connectionState = "connected";
  bytes = 1_000;

  getTransceivers() {
    return [];
  }

  async getStats() {
    return new Map([
      ["pair", { type: "candidate-pair", bytesReceived: this.bytes }],
      ["out", { type: "outbound-rtp", bytesReceived: 7 * this.bytes }],
    ]);
  }

  becomes(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

/** Lets promises go on as far as they can. */
async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A clock of whole seconds in place of `setTimeout`, and a connection that is watched. */
function scene(t) {
  const usual = globalThis.setTimeout;
  t.after(() => (globalThis.setTimeout = usual));
  let timers = [];
  let nowMs = 0;
  globalThis.setTimeout = (call, ms) => timers.push({ at: nowMs + ms, call });
  const connection = new Connection();
  const seen = { lost: 0 };
  watchConnection(connection, () => (seen.lost += 1));
  /** Lets seconds pass, in each of which so many bytes come. */
  const pass = async (seconds, bytes) => {
    for (let second = 0; second < seconds; second++) {
      await settle();
      connection.bytes += bytes;
      nowMs += 1_000;
      const due = timers.filter((timer) => timer.at <= nowMs);
      timers = timers.filter((timer) => timer.at > nowMs);
      for (const timer of due) timer.call();
    }
    await settle();
  };
  return { connection, seen, pass };
}

test("a connection over which packets come is not lost for one lost consent check", async (t) => {
  const { connection, seen, pass } = scene(t);
  connection.becomes("disconnected");
  await pass(6, 90_000);
  assert.equal(seen.lost, 0);
  connection.becomes("connected");
  await pass(30, 0); // paused, perhaps: silence alone says nothing
  assert.equal(seen.lost, 0);
});

test("one that is disconnected and silent is lost after the grace, once", async (t) => {
  const { connection, seen, pass } = scene(t);
  connection.becomes("disconnected");
  await pass(3, 0);
  assert.equal(seen.lost, 0);
  await pass(1, 0);
  assert.equal(seen.lost, 1);
  connection.becomes("failed");
  assert.equal(seen.lost, 1);
});

test("the grace begins anew with what comes", async (t) => {
  const { connection, seen, pass } = scene(t);
  connection.becomes("disconnected");
  await pass(3, 0);
  await pass(1, 500);
  await pass(3, 0);
  assert.equal(seen.lost, 0);
  await pass(1, 0);
  assert.equal(seen.lost, 1);
});

test("one that came back is listened to again the next time", async (t) => {
  const { connection, seen, pass } = scene(t);
  connection.becomes("disconnected");
  await pass(2, 0);
  connection.becomes("connected");
  await pass(2, 0);
  connection.becomes("disconnected");
  await pass(3, 0);
  assert.equal(seen.lost, 0);
  await pass(1, 0);
  assert.equal(seen.lost, 1);
});

test("one that failed is lost at once", (t) => {
  const { connection, seen } = scene(t);
  connection.becomes("failed");
  assert.equal(seen.lost, 1);
});
