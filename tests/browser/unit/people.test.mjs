import assert from "node:assert/strict";
import { test } from "node:test";
import { linksIn } from "../../../streaming/pages/static/components/profile-form.js";
import { byInterest } from "../../../streaming/pages/static/components/stream-list.js";
import { pathOfCreator } from "../../../streaming/pages/static/stream-facts.js";
import { languageName, startsOf } from "../../../streaming/pages/static/times.js";

const card = (/** @type {any[]} */ ...schedule) => ({ title: "Tea", category: "", tags: [], language: "", age_min: 0, schedule });

test("what starts is in its order, without what has begun and what is too far", () => {
  const starts = startsOf(
    [
      { stream: 2, card: card({ starts_at_ms: 50, title: "late" }, { starts_at_ms: 9, title: "gone" }) },
      { stream: 1, card: card({ starts_at_ms: 20, title: "" }, { starts_at_ms: 99, title: "far" }) },
      { stream: 3, card: null },
      { stream: 4 },
    ],
    10,
    99,
  );
  assert.deepEqual(starts.map(({ stream, title }) => [stream, title]), [[1, "Tea"], [2, "late"]]);
});

test("live ones are first, then what most people watch, then the newest", () => {
  const streams = [
    { id: 1, live: true, viewers: 2 },
    { id: 2, live: false },
    { id: 3, live: true, viewers: 9 },
    { id: 4 },
  ];
  assert.deepEqual(byInterest(/** @type {any} */ (streams)).map(({ id }) => id), [3, 1, 4, 2]);
  assert.deepEqual(streams.map(({ id }) => id), [1, 2, 3, 4], "what was given stays as it is");
});

test("a creator's page is named by the handle, else by the address", () => {
  assert.equal(pathOfCreator({ account: "5G", handle: "алиса" }), "/creator/%D0%B0%D0%BB%D0%B8%D1%81%D0%B0");
  assert.equal(pathOfCreator({ account: "5G", handle: null }), "/creator/5G");
  assert.equal(pathOfCreator({ account: "../a b" }), "/creator/..%2Fa%20b");
});

test("a line of links is words and then an address", () => {
  assert.deepEqual(linksIn("My own site  https://a.example/x\n\n  https://b.example  \nnonsense"), [
    { label: "My own site", url: "https://a.example/x" },
    { label: "b.example", url: "https://b.example" },
    { label: "nonsense", url: "nonsense" },
  ]);
  assert.deepEqual(linksIn(" \n"), []);
});

test("a language without a name is said as it is written", () => {
  assert.equal(languageName("pt-BR"), "Brazilian Portuguese");
  assert.equal(languageName("not a tag"), "not a tag");
});
