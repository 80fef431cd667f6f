import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatLog, SHOWN_MAX, calledBy } from "../../../streaming/pages/static/sdk/chat-log.js";
import { LiveConnection, WAITS_MS } from "../../../streaming/pages/static/sdk/live-connection.js";

const message = (number, account = "a") => ({ number, author: { account }, text: `${number}` });
const numbers = (log) => log.messages.map(({ number }) => number);

test("each message is shown once, in the order of their numbers", () => {
  const log = new ChatLog();
  log.joined([message(3), { ...message(4), deleted: true }, message(5)]);
  assert.deepEqual(numbers(log), [3, 5]);
  assert.equal(log.add(message(5)), false);
  assert.equal(log.add(message(7)), true);
  assert.equal(log.add(message(6)), true);
  assert.equal(log.add(message(1)), true);
  assert.deepEqual(numbers(log), [1, 3, 5, 6, 7]);
  log.joined([message(7), message(8)]);
  assert.deepEqual(numbers(log), [7, 8]);
});

test("what is deleted, and whoever is gone, is not shown", () => {
  const log = new ChatLog();
  log.joined([message(1, "a"), message(2, "b"), message(3, "a")]);
  log.remove(3);
  log.remove(99);
  assert.deepEqual(numbers(log), [1, 2]);
  log.erase("a");
  assert.deepEqual(numbers(log), [2]);
});

test("a page keeps the latest", () => {
  const log = new ChatLog();
  for (let number = 1; number <= SHOWN_MAX + 5; number += 1) log.add(message(number));
  assert.equal(log.messages.length, SHOWN_MAX);
  assert.equal(log.messages[0].number, 6);
});

test("people are called by name, else by handle, else by address", () => {
  const short = (address) => `${address.slice(0, 2)}…`;
  assert.equal(calledBy({ account: "5abc", handle: "al", name: "Al" }, short), "Al");
  assert.equal(calledBy({ account: "5abc", handle: "al", name: "" }, short), "@al");
  assert.equal(calledBy({ account: "5abc", handle: null, name: "" }, short), "5a…");
});

/** A connection whose sockets and timers the test moves. */
function stage() {
  const sockets = [];
  const timers = [];
  const heard = [];
  const states = [];
  const open = () => {
    const socket = {
      sent: [],
      send: (text) => socket.sent.push(JSON.parse(text)),
      close: () => socket.onclose(),
      says: (said) => socket.onmessage({ data: JSON.stringify(said) }),
    };
    sockets.push(socket);
    return socket;
  };
  const later = (again, ms) => timers.push({ again, ms });
  const live = new LiveConnection(
    open,
    { onMessage: (said) => heard.push(said), onState: (isOpen) => states.push(isOpen) },
    later,
  );
  return { live, sockets, timers, heard, states };
}

test("a connection that broke is there again with all that it was for", () => {
  const { live, sockets, timers, states } = stage();
  live.signIn("psc_1");
  live.join(7);
  assert.deepEqual(sockets[0].sent, []);
  sockets[0].onopen();
  assert.deepEqual(sockets[0].sent, [
    { type: "hello", token: "psc_1" },
    { type: "join", stream: 7 },
  ]);
  live.say(7, "one", "first");
  live.say(7, "two", "second");
  sockets[0].says({ type: "said", id: "one", number: 1 });
  sockets[0].onclose();
  assert.deepEqual(states, [true, false]);
  live.say(7, "three", "while it was away");
  timers.shift().again();
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent, [
    { type: "hello", token: "psc_1" },
    { type: "join", stream: 7 },
    { type: "say", id: "two", stream: 7, text: "second" },
    { type: "say", id: "three", stream: 7, text: "while it was away" },
  ]);
});

test("what is refused is not said again", () => {
  const { live, sockets, timers } = stage();
  live.join(7);
  sockets[0].onopen();
  live.say(7, "one", "x");
  sockets[0].says({ type: "refused", id: "one", status: 403, code: "muted" });
  sockets[0].onclose();
  timers.shift().again();
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent, [{ type: "join", stream: 7 }]);
});

test("it waits longer each time, and no longer once it has heard something", () => {
  const { live, sockets, timers } = stage();
  live.join(7);
  for (const wait of WAITS_MS) {
    sockets.at(-1).onclose();
    const { again, ms } = timers.shift();
    assert.ok(ms >= wait && ms <= wait * 1.5, `${ms} for ${wait}`);
    again();
  }
  sockets.at(-1).onopen();
  sockets.at(-1).onclose();
  assert.ok(timers.at(-1).ms >= WAITS_MS.at(-1), "open and nothing heard is no success");
  timers.shift().again();
  sockets.at(-1).onopen();
  sockets.at(-1).says({ type: "joined", stream: 7 });
  sockets.at(-1).onclose();
  assert.ok(timers.shift().ms < WAITS_MS[1]);
});

test("a chat that cannot be joined at the moment is joined later", () => {
  const { live, sockets, timers } = stage();
  live.join(7);
  sockets[0].onopen();
  sockets[0].says({ type: "refused", stream: 7, status: 503, code: "relayer-unavailable" });
  timers.shift().again();
  assert.deepEqual(sockets[0].sent.at(-1), { type: "join", stream: 7 });
  assert.equal(sockets[0].sent.length, 2);
});

test("who signs out, or is signed out, speaks as nobody", () => {
  const { live, sockets, timers } = stage();
  live.signIn("psc_1");
  live.join(7);
  sockets[0].onopen();
  live.signIn(null);
  timers.shift().again();
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent, [{ type: "join", stream: 7 }]);
  live.signIn("psc_2");
  sockets[1].says({ type: "signed_out" });
  sockets[1].onclose();
  timers.shift().again();
  sockets[2].onopen();
  assert.deepEqual(sockets[2].sent, [{ type: "join", stream: 7 }]);
});

test("a connection that is closed stays so", () => {
  const { live, sockets, timers } = stage();
  live.join(7);
  sockets[0].onopen();
  live.close();
  assert.equal(timers.length, 0);
});
