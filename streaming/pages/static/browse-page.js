/**
 * All streams, or those that fit: what is looked for stands in the address, so that it can be linked.
 * @module
 */

import * as api from "./api.js";
import { cards } from "./community.js";
import { byInterest, fillInPlace, streamList, waitingList } from "./components/stream-list.js";
import { button, fill, h, notice, setText } from "./dom.js";
import "./header.js";
import { languageName } from "./times.js";

const PAGE_STREAMS = 50;
const POLL_MS = 10_000;
/** Streams that one question may name. */
const IDS_NAMED_MAX = 100;
/** A server looks through so many streams at a time; more often than this it is not asked to go on by itself. */
const LOOKS_MAX = 10;
/** From so many cards come the categories and languages that are offered. */
const OFFERED_FROM = 500;
const FIELDS = ["text", "category", "language", "tag"];

/** @param {string} id */
const find = (id) => /** @type {any} */ (document.getElementById(id));

const [form, trouble, results, count, more] = ["filters", "problem", "results", "count", "more"].map(find);

/** @type {api.ChainInfo | null} */
let info = null;
/** @type {api.Stream[]} */
let found = [];
/** @type {number | null} after which stream there is more */
let next = null;
/** Counts what was looked for: answers to what nobody looks for any more are dropped. */
let search = 0;
let shown = "";

/** @returns {Record<string, string>} what the address looks for */
function wanted() {
  const query = new URLSearchParams(window.location.search);
  return Object.fromEntries(FIELDS.map((name) => [name, (query.get(name) ?? "").trim()]).filter(([, value]) => value));
}

/** @param {Record<string, string>} looked @returns {string} */
const addressOf = (looked) => {
  const query = new URLSearchParams(Object.entries(looked).filter(([, value]) => value)).toString();
  return query ? `/browse?${query}` : "/browse";
};

/** @param {Record<string, string>} looked @returns {string} */
function said(looked) {
  const { text, category, language, tag } = looked;
  const parts = [
    text && `“${text}”`,
    category && `in ${category}`,
    language && `in ${languageName(language)}`,
    tag && `with #${tag.replace(/^#/, "")}`,
  ].filter(Boolean);
  return parts.join(", ");
}

// --- looking ---------------------------------------------------------------------------------

/**
 * @param {Record<string, string>} looked
 * @param {number | undefined} after
 * @returns {Promise<{streams: api.Stream[], next: number | null}>}
 */
async function page(looked, after) {
  if (Object.keys(looked).length === 0) {
    const { streams, next } = await api.streamPage({ after, limit: PAGE_STREAMS });
    return { streams: open(streams), next };
  }
  /** @type {api.Stream[]} */
  const streams = [];
  let at = after;
  for (let look = 0; look < LOOKS_MAX && streams.length < PAGE_STREAMS; look += 1) {
    const part = await cards({ ...looked, after: at, limit: PAGE_STREAMS });
    streams.push(...open(await api.streams({ ids: part.cards.map(({ stream }) => stream) })));
    at = part.next ?? undefined;
    if (part.next === null) break;
  }
  return { streams, next: at ?? null };
}

/** @param {api.Stream[]} streams */
const open = (streams) => streams.filter(({ status }) => status !== "ended");

/** Looks for what the address says, from the beginning. */
async function begin() {
  const mine = (search += 1);
  const looked = wanted();
  for (const name of FIELDS) form.elements[name].value = looked[name] ?? "";
  offerLanguage(looked.language);
  find("clear").classList.toggle("unseen", Object.keys(looked).length === 0);
  document.title = `${said(looked) || "Browse"} · PayStream`;
  setText(count, "Looking…");
  fill(trouble);
  fill(more);
  if (found.length === 0) fill(results, waitingList());
  await look(mine, looked, true);
}

/** @param {number} mine @param {Record<string, string>} looked @param {boolean} isFirst */
async function look(mine, looked, isFirst) {
  try {
    info ??= await api.info();
    const part = await page(looked, isFirst ? undefined : (next ?? undefined));
    if (mine !== search) return;
    // each page in its own order, so that what is there stays where it is
    found = [...(isFirst ? [] : found), ...byInterest(part.streams)];
    next = part.next;
    show(looked);
  } catch (error) {
    if (mine === search) failed(error, () => look(mine, looked, isFirst), isFirst);
  }
}

/** @param {unknown} error @param {() => void} again @param {boolean} isFirst */
function failed(error, again, isFirst) {
  const problem = error instanceof api.Problem ? error : null;
  if (problem?.status === 404) return withoutCards();
  setText(count, "");
  if (isFirst) fill(results);
  const text = error instanceof Error ? error.message : String(error);
  const isFilter = problem?.status === 400 || problem?.status === 413;
  const title = isFilter ? "This cannot be looked for" : "The streams could not be loaded";
  fill(trouble, notice("error", title, text, isFilter ? [clearLink()] : [button("plain", "Try again", again)]));
}

/** The server keeps nothing of what streams are about. */
function withoutCards() {
  setText(count, "");
  fill(results);
  const text = "Streams have no titles, categories and tags here. You can look at all of them.";
  fill(trouble, notice("info", "This server has no community", text, [clearLink()]));
}

const clearLink = () => h("a", { class: "button plain", href: "/browse" }, "Show all streams");

// --- what is shown ---------------------------------------------------------------------------

/** @param {Record<string, string>} looked */
function show(looked) {
  const present = JSON.stringify(found);
  const about = said(looked);
  setText(count, `${found.length === 1 ? "1 stream" : `${found.length} streams`}${next === null ? "" : " so far"}${about && ` ${about}`}`);
  fill(trouble);
  if (present !== shown || found.length === 0) {
    shown = present;
    fillInPlace(results, found.length > 0 && info ? streamList(found, info) : empty(about));
  }
  // a server without a community says nothing of owners' names, and nothing can be looked for
  if (!about && found.length > 0) form.hidden = found.every(({ owner_name }) => !owner_name);
  const label = found.length > 0 ? "Show more" : "Look further";
  fill(more, next === null ? null : button("plain", label, goOn));
}

async function goOn() {
  const before = found.length;
  await look(search, wanted(), false);
  // what was pressed is gone, or made anew: the keyboard goes on with what came
  if (found.length > before) results.querySelectorAll(".stream-link")[before]?.focus();
  else more.querySelector("button")?.focus();
}

/** @param {string} about */
function empty(about) {
  const [title, text, action] = about
    ? ["Nothing fits", "Try fewer or other words, or look at everything.", clearLink()]
    : [
        "There are no streams yet",
        "Make the first one: a camera and a wallet are enough.",
        h("a", { class: "button primary", href: "/broadcast" }, "Broadcast"),
      ];
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, title),
    h("p", { class: "muted" }, text),
    h("div", { class: "actions" }, action),
  );
}

/** What is on the page is asked for anew: who went live, and who stopped. */
async function refresh() {
  const mine = search;
  const ids = found.slice(0, IDS_NAMED_MAX).map(({ id }) => id);
  try {
    const now = new Map((await api.streams({ ids })).map((stream) => [stream.id, stream]));
    if (mine !== search) return;
    found = found.map((stream) => now.get(stream.id) ?? stream);
    show(wanted());
  } catch {
    // the next look will do
  }
}

// --- what can be chosen ----------------------------------------------------------------------

/** @param {string | undefined} tag a language that is looked for */
function offerLanguage(tag) {
  const select = form.elements.language;
  if (tag && ![...select.options].some(({ value }) => value === tag)) {
    select.append(h("option", { value: tag }, languageName(tag)));
  }
  select.value = tag ?? "";
}

/** Categories and languages that there are. */
async function offer() {
  try {
    const { cards: listed } = await cards({ limit: OFFERED_FROM });
    const categories = new Map(listed.flatMap(({ card }) => (card?.category ? [[card.category.toLowerCase(), card.category]] : [])));
    fill(find("categories"), [...categories.values()].sort().map((value) => h("option", { value })));
    for (const tag of [...new Set(listed.map(({ card }) => card?.language ?? ""))].filter(Boolean).sort()) offerLanguage(tag);
    offerLanguage(wanted().language);
  } catch {
    // what is typed is looked for all the same
  }
}

form.addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  const address = addressOf(Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()])));
  if (address !== window.location.pathname + window.location.search) history.pushState(null, "", address);
  void begin();
});
window.addEventListener("popstate", () => begin());
setInterval(() => {
  if (!document.hidden && found.length > 0) refresh();
}, POLL_MS);
await Promise.all([begin(), offer()]);
