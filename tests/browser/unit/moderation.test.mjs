import assert from "node:assert/strict";
import { test } from "node:test";
import { actText, durationText, personText } from "../../../streaming/pages/static/act-texts.js";
import { LiveConnection } from "../../../streaming/pages/static/sdk/live-connection.js";

const person = (name, account = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY") => ({
  pseudonym: "p_0123456789abcdef",
  account,
  handle: null,
  name,
});
const act = (name, detail = {}, subject = person("Bob")) => ({
  number: 1,
  at_ms: 0,
  stream: 1,
  act: name,
  actor: person("Alice"),
  subject,
  reason: null,
  detail,
});

test("the log is sentences", () => {
  assert.equal(actText(act("time-out", { seconds: 600 })), "Alice timed Bob out for 10 minutes");
  assert.equal(actText(act("ban")), "Alice banned Bob");
  assert.equal(actText(act("answer-report", { answer: "delete" })), "Alice answered a report about Bob: message deleted");
  assert.equal(actText(act("add-filter", { action: "hold" }, null)), "Alice added a filter that holds back");
  assert.equal(actText(act("settings", {}, null)), "Alice changed how the chat is set");
});

test("an act of a later release is shown by its name", () => {
  assert.equal(actText(act("juggle")), "Alice juggle");
});

test("a name is never a pattern of the sentence", () => {
  assert.equal(actText(act("ban", {}, person("$& $1 @"))), "Alice banned $& $1 @");
});

test("who has left is nobody", () => {
  assert.equal(personText(person("", null)), "somebody who has left (p_0123456789abcdef)");
  assert.equal(personText(null), "somebody");
});

test("durations are in the longest unit that fits", () => {
  const texts = [1, 60, 90, 600, 3_600, 7_200, 86_400, 172_800].map(durationText);
  assert.deepEqual(texts, ["1 s", "1 minute", "90 s", "10 minutes", "1 hour", "2 hours", "1 day", "2 days"]);
});

test("what waits for a moderator is answered, and not sent again", () => {
  const sockets = [];
  const open = () => {
    const socket = { sent: [], send: (data) => socket.sent.push(JSON.parse(data)), close: () => socket.onclose() };
    sockets.push(socket);
    return socket;
  };
  const again = [];
  const live = new LiveConnection(open, { onMessage: () => {}, onState: () => {} }, (work) => again.push(work));
  live.join(1);
  sockets[0].onopen();
  live.say(1, "message-1", "to the moon");
  sockets[0].onmessage({ data: JSON.stringify({ type: "held", stream: 1, chain: "", id: "message-1" }) });
  sockets[0].onclose();
  again.forEach((work) => work());
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent, [{ type: "join", stream: 1 }]);
});
