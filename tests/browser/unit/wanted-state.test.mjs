import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANSWER_WITHIN_MAX_MS,
  ANSWER_WITHIN_MS,
  Numbers,
  PACE_MS,
  REPEAT_FIRST_MS,
  REPEAT_MAX_MS,
  WantedState,
} from "../../../streaming/pages/static/sdk/wanted-state.js";

/** A clock that stands until it is told to go on, and a server whose answers are told one by one. */
function scene({ numbers = new Numbers(), initial = false } = {}) {
  let now = 0;
  let timers = [];
  const clock = {
    now: () => now,
    after: (ms, call) => {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
  };
  const requests = [];
  const send = (value, number, signal) =>
    new Promise((resolve, reject) => {
      const request = { value, number, at: now, resolve, reject, isAborted: false };
      signal.addEventListener("abort", () => {
        request.isAborted = true;
        reject(new Error("aborted"));
      });
      requests.push(request);
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms) => {
    const until = now + ms;
    await settle();
    for (;;) {
      const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      now = Math.max(now, next.at);
      timers = timers.filter((other) => other !== next);
      next.call();
      await settle();
    }
    now = until;
  };
  const wanted = new WantedState(send, numbers, initial, clock);
  return { wanted, requests, pass, numbers };
}

const problem = (status, more = {}) => Object.assign(new Error("refused"), { status, ...more });

test("what is wanted is so only when the server has answered", async () => {
  const { wanted, requests, pass } = scene();
  assert.ok(wanted.isAnswered);
  wanted.want(true);
  await pass(1_000);
  assert.equal(wanted.isAnswered, false);
  assert.equal(wanted.silentMs, 1_000);
  assert.deepEqual([requests[0].value, requests[0].number], [true, 1]);
  requests[0].resolve({ value: true, number: 1, delivered_ms: 700 });
  await pass(60_000);
  assert.equal(wanted.isAnswered, true);
  assert.equal(wanted.answer.delivered_ms, 700);
  assert.equal(requests.length, 1);
});

test("a lost request is repeated with the same number, ever more slowly", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  let after = 0;
  for (let attempt = 0; attempt < 8; attempt++) {
    const within = Math.min(ANSWER_WITHIN_MAX_MS, ANSWER_WITHIN_MS * (attempt + 1));
    after += within + Math.min(REPEAT_MAX_MS, REPEAT_FIRST_MS * 2 ** attempt);
    await pass(after - requests[attempt].at);
    assert.equal(requests.length, attempt + 2);
    assert.equal(requests[attempt + 1].at, after);
  }
  assert.ok(requests.every(({ number, value }) => number === 1 && value));
  requests.at(-1).resolve({ value: true, number: 1 });
  await pass(0);
  assert.ok(wanted.isAnswered);
});

test("an answer that is overtaken by a later intent settles nothing", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(100);
  wanted.want(false);
  wanted.observe({ value: true, number: 1 });
  assert.equal(wanted.isAnswered, false, "it is about the pause, and play is wanted");
  await pass(PACE_MS);
  assert.ok(requests[0].isAborted);
  assert.deepEqual([requests[1].value, requests[1].number], [false, 2]);
  requests[1].resolve({ value: false, number: 2 });
  await pass(0);
  assert.ok(wanted.isAnswered);
  wanted.observe({ value: true, number: 1 });
  assert.ok(wanted.isAnswered, "a late word about the past changes nothing");
});

test("however often a button is pressed, requests keep their pace and the last one counts", async () => {
  const { wanted, requests, pass } = scene();
  for (let press = 1; press <= 41; press++) {
    wanted.want(press % 2 === 1);
    await pass(20);
  }
  await pass(PACE_MS);
  assert.ok(requests.length <= 5, `${requests.length} requests in 820 ms`);
  assert.deepEqual([requests.at(-1).value, requests.at(-1).number], [true, 41]);
});

test("a server that asks to wait is obeyed and counts as heard", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  requests[0].reject(problem(429, { retryAfterMs: 7_000 }));
  await pass(6_999);
  assert.equal(requests.length, 1);
  assert.equal(wanted.silentMs, 6_999);
  await pass(1);
  assert.equal(requests.length, 2);
});

test("a connection that is gone needs no pause, and is not asked again", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  requests[0].reject(problem(404));
  await pass(60_000);
  assert.ok(wanted.isGone);
  assert.equal(requests.length, 1);
  wanted.want(false);
  await pass(60_000);
  assert.equal(requests.length, 1);
});

test("another answer about the connection settles it, too, and finds what went wrong", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  wanted.observe({ value: true, number: 1 });
  assert.ok(wanted.isAnswered);
  wanted.observe({ value: false, number: 9 });
  assert.equal(wanted.isAnswered, false, "somebody let it go on: it is said again");
  await pass(PACE_MS);
  assert.deepEqual([requests.at(-1).value, requests.at(-1).number], [true, 10]);
});

test("where all intents share one number, an overtaken one is repeated with a new number", async () => {
  const numbers = new Numbers();
  const { wanted: pause, requests, pass } = scene({ numbers });
  pause.want(true);
  await pass(0);
  assert.equal(requests[0].number, 1);
  numbers.next();
  await pass(ANSWER_WITHIN_MS + REPEAT_FIRST_MS);
  assert.deepEqual([requests[1].value, requests[1].number], [true, 3]);
});

test("a server that merely consents is believed", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  requests[0].resolve(null);
  await pass(0);
  assert.ok(wanted.isAnswered);
});

test("a page that goes away says what is still to be said at once", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  requests[0].resolve({ value: true, number: 1 });
  await pass(10);
  wanted.want(false);
  assert.equal(requests.length, 1, "it keeps its pace");
  wanted.flush();
  assert.deepEqual([requests[1].value, requests[1].number], [false, 2]);
  wanted.flush();
  assert.equal(requests.length, 2);
});

test("a first choice is said whichever it is, and said again when asked for", async () => {
  const { wanted, requests, pass } = scene({ initial: null });
  wanted.want(false);
  await pass(0);
  assert.deepEqual([requests[0].value, requests[0].number], [false, 1]);
  requests[0].resolve({ value: undefined, number: 1 });
  await pass(PACE_MS);
  assert.ok(wanted.isAnswered, "the server did not name it, and answered");
  wanted.want(false, true);
  await pass(0);
  assert.deepEqual([requests[1].value, requests[1].number], [false, 2]);
});

test("a connection that is closed here says nothing any more", async () => {
  const { wanted, requests, pass } = scene();
  wanted.want(true);
  await pass(0);
  wanted.close();
  await pass(60_000);
  assert.equal(requests.length, 1);
});
