import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "../../../streaming/pages/static/sdk/index.js";
import { Server } from "../../../streaming/pages/static/sdk/server.js";

const { Client, Community, Problem } = sdk;

/** @param {unknown} body @param {number} [status] @param {Record<string, string>} [headers] */
const answer = (body, status = 200, headers = {}) =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers });

/**
 * A `fetch` that answers in turn, the last one for good, and keeps what it was asked.
 * @param {...(Response | Error | ((url: string, init: any) => any))} answers
 */
function scripted(...answers) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, method: init.method ?? "GET", init });
    const next = answers.length > 1 ? answers.shift() : answers[0];
    if (next instanceof Error) throw next;
    return typeof next === "function" ? next(url, init) : next.clone();
  };
  return { fetch, asked };
}

const away = new TypeError("fetch failed");
const info = { symbol: "UNIT", decimals: 12 };

test("a refusal is of a class of its own and has all that the server said", async () => {
  const classes = { 401: "TokenGone", 402: "PaymentRequired", 403: "Forbidden", 404: "NotThere", 409: "Conflict",
    410: "NotThere", 429: "TooOften", 422: "Problem", 500: "Problem" };
  for (const [status, name] of Object.entries(classes)) {
    const said = { type: "urn:paystream:problem:x", title: "T", status: Number(status), code: "x", detail: "mend it",
      field: "f", terms: { payable: false } };
    const { fetch } = scripted(answer(said, Number(status), { "Retry-After": "7" }));
    const error = await new Client({ media: "http://m", fetch }).info().catch((caught) => caught);
    assert.ok(error instanceof Problem && error instanceof Error);
    assert.equal(error.constructor, sdk[name], status);
    assert.equal(error.name, name);
    assert.deepEqual(
      [error.status, error.code, error.message, error.type, error.title, error.field, error.terms, error.retryAfterMs],
      [Number(status), "x", "mend it", said.type, "T", "f", said.terms, 7_000],
    );
  }
});

test("what is no problem+json is a problem all the same", async () => {
  for (const body of ["<html>", "null", "[]", ""]) {
    const { fetch } = scripted(() => new Response(body, { status: 418 }));
    const error = await new Client({ fetch }).info().catch((caught) => caught);
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.status, error.code], [418, "unexpected"]);
  }
  const { fetch } = scripted(() => new Response("<html>", { status: 200 }));
  await assert.rejects(new Client({ fetch }).info(), (error) => error instanceof Problem && error.code === "unexpected");
});

test("only what changes nothing is asked again, and not for long", async () => {
  const passing = answer({ code: "down", detail: "down" }, 503);
  let { fetch, asked } = scripted(away, passing, answer(info));
  assert.deepEqual(await new Client({ fetch }).info(), info);
  assert.equal(asked.length, 3);
  ({ fetch, asked } = scripted(away));
  await assert.rejects(new Client({ fetch }).info(), sdk.Unreachable);
  assert.equal(asked.length, 3);
  ({ fetch, asked } = scripted(away));
  await assert.rejects(new Client({ fetch, retries: 0 }).info(), sdk.Unreachable);
  assert.equal(asked.length, 1);
  ({ fetch, asked } = scripted(answer({ code: "no", detail: "no" }, 404)));
  await assert.rejects(new Client({ fetch }).info(), sdk.NotThere);
  assert.equal(asked.length, 1);
  ({ fetch, asked } = scripted(answer({ code: "down", detail: "down" }, 503, { "Retry-After": "60" })));
  await assert.rejects(new Client({ fetch }).info(), (error) => error.retryAfterMs === 60_000);
  assert.equal(asked.length, 1);
  ({ fetch, asked } = scripted(away));
  const client = new Client({ fetch });
  for (const change of [
    () => client.submit("s", "0x"),
    () => client.closeSession("0-0", "t"),
    () => new Community(client).say(0, "hello", "t"),
    () => new Community(client).mute(0, "bob", null, "t"),
  ]) {
    asked.length = 0;
    await assert.rejects(change(), sdk.Unreachable);
    assert.equal(asked.length, 1);
  }
});

const never = (_url, { signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("an answer has its time, and so has its body", async () => {
  const { fetch, asked } = scripted(never);
  const late = await new Client({ fetch, retries: 0 }).info({ withinMs: 20 }).catch((caught) => caught);
  assert.ok(late instanceof sdk.TimedOut && late instanceof sdk.Unreachable);
  assert.deepEqual([late.status, late.code], [0, "unreachable"]);
  assert.equal(asked.length, 1);
  const dripping = (_url, { signal }) => new Response(new ReadableStream({
    start(controller) { signal.addEventListener("abort", () => controller.error(signal.reason)); },
  }));
  const slow = scripted(dripping).fetch;
  await assert.rejects(new Client({ fetch: slow, retries: 0 }).info({ withinMs: 20 }), sdk.TimedOut);
});

test("a signal ends a question with its own reason, also between two tries", async () => {
  const reason = new Error("enough");
  for (const fetch of [scripted(never).fetch, scripted(away).fetch]) {
    const ending = new AbortController();
    const asking = new Client({ fetch }).info({ signal: ending.signal });
    setTimeout(() => ending.abort(reason), 10);
    await assert.rejects(asking, (error) => error === reason);
  }
  const { fetch, asked } = scripted(answer(info));
  await assert.rejects(new Client({ fetch }).info({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
  assert.equal(asked.length, 0);
});

test("every question of both classes takes a signal", async () => {
  const reason = new Error("enough");
  const { fetch, asked } = scripted(answer({}));
  const client = new Client({ media: "http://m", fetch });
  for (const object of [client, new Community(client)]) {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
      if (["constructor", "openLive", "live", "call", "callStream"].includes(name)) continue;
      const parameters = /\(([^]*?)\) \{/.exec(object[name].toString())[1];
      const last = parameters.replace(/\{[^}]*\}/g, "options").split(",").length - 1;
      const given = [...Array(last).fill("x"), { signal: AbortSignal.abort(reason) }];
      await assert.rejects(async () => object[name](...given), (error) => error === reason, name);
    }
  }
  assert.equal(asked.length, 0);
});

test("one server has both halves, and is asked once", async () => {
  const { fetch, asked } = scripted(answer({ streams: [{ id: 0, status: "Active", card: null }], next: null }));
  const [stream] = await new Client({ media: "http://m/", fetch }).streams();
  assert.equal(stream.status, "active");
  assert.deepEqual(asked.map(({ url }) => url), ["http://m/api/v1/streams"]);
});

const split = (community) =>
  scripted((url) => {
    if (url.startsWith("http://c")) return community(url);
    const streams = [{ id: 4, status: "Active" }, { id: 5, status: "Paused" }];
    return url.includes("/streams/") ? answer(streams[1]) : answer({ streams, next: null });
  });

test("of two servers each is asked for its own, and streams have their cards", async () => {
  const name = { account: "5", handle: null, name: "Alice" };
  const { fetch, asked } = split(() => answer({ cards: [{ stream: 5, card: { title: "Tea" }, owner_name: name }], next: null }));
  const client = new Client({ media: "http://m", community: "http://c", fetch });
  const [other, tea] = await client.streams();
  assert.deepEqual([tea.card, tea.owner_name, other.card], [{ title: "Tea" }, name, undefined]);
  assert.deepEqual(asked.map(({ url }) => url).sort(), ["http://c/api/v1/cards", "http://m/api/v1/streams"]);
  asked.length = 0;
  assert.equal((await client.stream(5)).card.title, "Tea");
  assert.deepEqual(asked.map(({ url }) => url), ["http://m/api/v1/streams/5"]); // it is remembered
  asked.length = 0;
  await client.stream(4);
  assert.ok(asked.some(({ url }) => url === "http://c/api/v1/cards?after=3&limit=1"));
});

test("some of the streams are asked for, and of what is live the cards by their numbers", async () => {
  const { fetch, asked } = split(() => answer({ cards: [], next: null }));
  const client = new Client({ media: "http://m", community: "http://c", fetch });
  const urls = async (/** @type {any} */ which) => {
    asked.length = 0;
    await client.streams(which);
    return asked.map(({ url }) => url).sort();
  };
  assert.deepEqual(await urls({ owner: "5G" }), ["http://c/api/v1/cards?owner=5G", "http://m/api/v1/streams?owner=5G"]);
  assert.deepEqual(await urls({ live: true }), ["http://c/api/v1/cards?ids=4%2C5", "http://m/api/v1/streams?live=1"]);
  assert.deepEqual(await urls({ ids: [5] }), ["http://c/api/v1/cards?ids=5", "http://m/api/v1/streams?ids=5"]);
  assert.deepEqual(await urls({ ids: [] }), [], "nothing is asked for nothing");
});

test("pages follow each other, and one can be had alone", async () => {
  const { fetch, asked } = scripted((url) =>
    answer({ streams: [{ id: 1, status: "Active" }], next: url.includes("after=7") ? null : 7 }),
  );
  const client = new Client({ media: "http://m", fetch });
  assert.equal((await client.streams({ owner: "5G" })).length, 2);
  assert.deepEqual(asked.map(({ url }) => url), ["http://m/api/v1/streams?owner=5G", "http://m/api/v1/streams?after=7&owner=5G"]);
  assert.equal((await client.streamPage({ limit: 1 })).next, 7);
});

test("what is looked for is asked of the community, and what is empty is not said", async () => {
  const { fetch, asked } = scripted(answer({ cards: [], next: null }));
  const community = new Community(new Client({ media: "http://m", community: "http://c", chain: "asia", fetch }));
  await community.cards({ text: "mad & tea", category: "", startsWithinS: 60, after: null });
  await community.cards();
  assert.deepEqual(asked.map(({ url }) => url), [
    "http://c/chains/asia/api/v1/cards?text=mad+%26+tea&starts_within_s=60",
    "http://c/chains/asia/api/v1/cards",
  ]);
});

test("a community that is away takes no stream from anybody", async () => {
  const { fetch } = split(() => { throw away; });
  const client = new Client({ media: "http://m", community: "http://c", fetch, retries: 0 });
  assert.deepEqual((await client.streams()).map(({ id, card }) => [id, card]), [[4, undefined], [5, undefined]]);
});

test("a chain is a place in front of what is about it, and not of people", async () => {
  const { fetch, asked } = scripted(answer({ messages: [], sessions: [] }));
  const client = new Client({ media: "http://m", chain: "asia", fetch });
  await client.info();
  await new Community(client).messages(1, { after: 7 });
  await new Community(client).sessions("t");
  assert.deepEqual(asked.map(({ url }) => url), [
    "http://m/chains/asia/api/v1/info",
    "http://m/chains/asia/api/v1/streams/1/chat?after=7",
    "http://m/api/v1/community/sessions",
  ]);
});

test("what moderators do is of a stream, or of all for the operator", async () => {
  const { fetch, asked } = scripted(answer({ reports: [], held: [], filters: [], acts: [] }));
  const community = new Community(new Client({ media: "http://m", community: "http://c", chain: "asia", fetch }));
  for (const stream of [1, null]) {
    await community.queue(stream, "t");
    await community.addFilter(stream, { pattern: "moon", action: "hold" }, "t");
    await community.removeFilter(stream, 4, "t");
    await community.acts(stream, "t", { before: 9, limit: 2 });
  }
  const what = ["GET queue", "POST filters", "DELETE filters/4", "GET acts?limit=2&before=9"];
  const below = (place) => what.map((each) => each.replace(" ", ` http://c${place}`));
  assert.deepEqual(asked.map(({ method, url }) => `${method} ${url}`), [
    ...below("/chains/asia/api/v1/streams/1/chat/"),
    ...below("/api/v1/community/"),
  ]);
});

test("a reason and a reply are said where they are given, and else are no field", async () => {
  const { fetch, asked } = scripted(answer({}));
  const community = new Community(new Client({ media: "http://m", fetch }));
  await community.say(1, "me", "t", { id: "message-1", replyTo: 3 });
  await community.say(1, "me", "t", { id: "message-2" });
  await community.mute(1, "bob", 60, "t", { reason: "adverts", addresses: true });
  await community.mute(1, "bob", null, "t");
  await community.unmute(1, "bob", "t", { reason: "a mistake" });
  await community.unmute(1, "bob", "t");
  await community.deleteMessage(1, 7, "t", { reason: "an advert" });
  await community.reject(1, 7, "t");
  assert.deepEqual(asked.map(({ init }) => init.body && JSON.parse(init.body)), [
    { id: "message-1", text: "me", reply_to: 3 },
    { id: "message-2", text: "me" },
    { seconds: 60, reason: "adverts", addresses: true },
    { seconds: null },
    { reason: "a mistake" },
    undefined,
    { reason: "an advert" },
    undefined,
  ]);
});

test("a signature is given once, over the server's text", async () => {
  const { fetch, asked } = scripted(answer({ challenge: "c", message: "sign me" }), answer({ token: "psc_x" }, 201));
  const texts = [];
  const sign = (text) => `0x${texts.push(text)}`;
  const found = await new Community(new Client({ fetch })).signIn("5G", sign, { device: "a test" });
  assert.deepEqual([found.token, texts], ["psc_x", ["sign me"]]);
  assert.deepEqual(JSON.parse(asked[1].init.body), { challenge: "c", signature: "0x1", device: "a test" });
});

test("names are encoded, and a resource is where the server says", async () => {
  const { fetch, asked } = scripted(answer({}));
  await new Community(new Client({ media: "http://m", fetch })).profile("../a b");
  assert.equal(asked[0].url, "http://m/api/v1/community/profiles/..%2Fa%20b");
  const server = new Server("https://m.example");
  assert.equal(server.pathOf("/whep/1/abc", "/whep/1"), "/whep/1/abc");
  assert.equal(server.pathOf("abc", "/chains/asia/whep/1"), "/chains/asia/whep/abc");
  assert.equal(server.socketUrl("/live"), "wss://m.example/live");
});

test("an id for a message is new each time, also without WebCrypto", () => {
  const ids = new Set(Array.from({ length: 100 }, sdk.newMessageId));
  assert.equal(ids.size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{24}$/);
});

test("what is live is joined, left and said on the chain of the client", () => {
  const sent = [];
  class Socket {
    constructor(url) {
      this.url = url;
      sockets.push(this);
    }
    send(text) { sent.push(JSON.parse(text)); }
    close() {}
  }
  const sockets = [];
  for (const chain of ["", "asia"]) {
    const client = new Client({ media: "https://m", community: "https://c", chain });
    const live = new Community(client).live({ onMessage() {}, onState() {} }, Socket);
    live.join(1);
    sockets.at(-1).onopen();
    live.say(1, "message-1", "hello");
    live.say(1, "message-2", "and to you", 7);
    live.leave(1);
    sockets.at(-1).onclose(); // whoever has left is joined no more
  }
  assert.deepEqual(sockets.map(({ url }) => url), Array(2).fill("wss://c/api/v1/community/live"));
  const where = { chain: "asia" };
  const frames = [{ type: "join", stream: 1 }, { type: "say", stream: 1, id: "message-1", text: "hello" },
    { type: "say", stream: 1, id: "message-2", text: "and to you", reply_to: 7 }, { type: "leave", stream: 1 }];
  assert.deepEqual(sent, [...frames, ...frames.map((frame) => ({ ...frame, ...where }))]);
});

test("a call of a wallet is prepared, signed, sent and followed, until its signal ends that", async () => {
  const signer = { signPayload: async () => ({ signature: "0x5" }) };
  globalThis.window = { injectedWeb3: { test: { enable: async () => ({ accounts: { get: async () => [] }, signer }) } } };
  const account = { address: "5G", name: "", type: "sr25519", wallet: "test" };
  const { fetch, asked } = scripted(
    answer({ payload: {}, submission: "s1", summary: "a deposit" }),
    answer({ submission: "s1", status: "waiting" }),
    answer({ status: "waiting" }),
    answer({ status: "finalized", result: { stream: 3 } }),
  );
  const steps = [];
  const onStep = (step) => steps.push(step);
  const client = new Client({ fetch });
  assert.deepEqual(await sdk.send(client, account, { kind: "deposit" }, { onStep }), { stream: 3 });
  assert.deepEqual(steps, ["preparing", "signing", "sending", "waiting", "finalized"]);
  assert.deepEqual(JSON.parse(asked[1].init.body), { submission: "s1", signature: "0x5" });

  const waiting = scripted(answer({ payload: {}, submission: "s1", summary: "" }), answer({ status: "waiting" }));
  const ending = new AbortController();
  const reason = new Error("enough");
  const sending = sdk.send(new Client({ fetch: waiting.fetch }), account, {}, { signal: ending.signal });
  setTimeout(() => ending.abort(reason), 20);
  await assert.rejects(sending, (error) => error === reason);
  delete globalThis.window;
});
