/**
 * The home: what is live, whom you follow, and what starts soon.
 * @module
 */

import * as api from "./api.js";
import { cards, currentSession, follows, forgetSession } from "./community.js";
import "./components/sign-in.js";
import { byInterest, creatorLink, fillInPlace, startList, streamList } from "./components/stream-list.js";
import { button, fill, h, icon, notice } from "./dom.js";
import "./header.js";
import { calledBy } from "./sdk/chat-log.js";
import { sameAccount, shortAddress } from "./sdk/ss58.js";
import { titleOf } from "./stream-facts.js";
import { startsOf } from "./times.js";

/** @typedef {import("./sdk/types.js").Name} Name */
/** @typedef {import("./sdk/types.js").CardListed} CardListed */

const LIVE_POLL_MS = 5_000;
/** Whom one follows and what starts soon change seldom. */
const PEOPLE_POLL_MS = 60_000;
const SOON_S = 7 * 86_400;
const SOON_SHOWN_MAX = 10;
/** A server looks through so many streams at a time; more often than this it is not asked to go on. */
const LOOKS_MAX = 5;
const FOLLOWED_SHOWN_MAX = 50;

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const [trouble, liveRoot, followedRoot, soonRoot] = ["problem", "live", "followed", "soon"].map(find);

/** @type {api.ChainInfo | null} */
let info = null;
/** @type {api.Stream[] | null} what is live; null until it is known */
let live = null;
/** @type {Name[] | null} whom this tab's account follows; null where nobody is signed in */
let followed = null;
/** Whether it could not be asked whom one follows. */
let isFollowedUnknown = false;
/** @type {CardListed[] | null} what says when it starts; null where the server has no community */
let described = null;
/** What is shown of each part, so that nothing is made anew that is the same. @type {Map<HTMLElement, string>} */
const shown = new Map();

/**
 * @param {HTMLElement} root
 * @param {unknown} state what the part shows
 * @param {() => import("./dom.js").Child[]} children
 */
function show(root, state, children) {
  const present = JSON.stringify(state);
  if (shown.get(root) === present) return;
  shown.set(root, present);
  fillInPlace(root, ...children());
}

function showAll() {
  if (info === null || live === null) return;
  const [chain, streams] = [info, byInterest(live)];
  show(liveRoot, streams, () => [
    h("h2", { id: "live-head" }, "Live now"),
    streams.length > 0 ? streamList(streams, chain) : empty(),
  ]);
  showFollowed(streams);
  const starts = startsOf(described ?? [], Date.now()).slice(0, SOON_SHOWN_MAX);
  show(soonRoot, starts, () =>
    starts.length === 0
      ? []
      : [
          h("h2", {}, "Starts soon"),
          startList(starts, ({ owner }) => owner && byWhom(owner)),
        ],
  );
}

/** @param {Name} owner */
const byWhom = (owner) => h("span", { class: "muted" }, "by ", creatorLink(calledBy(owner, shortAddress), owner));

function empty() {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, "Nobody is live right now"),
    h("p", { class: "muted" }, "This page notices when somebody begins. Look who is here, or begin yourself: a camera and a wallet are enough."),
    h(
      "div",
      { class: "actions" },
      h("a", { class: "button plain", href: "/browse" }, "Browse all streams"),
      h("a", { class: "button primary", href: "/broadcast" }, icon("camera"), "Broadcast"),
    ),
  );
}

// --- whom you follow -------------------------------------------------------------------------

/** @param {api.Stream[]} streams what is live */
function showFollowed(streams) {
  // without a community there is nobody to follow
  if (described === null) return show(followedRoot, null, () => []);
  const heading = h("h2", { tabindex: "-1" }, "You follow");
  if (isFollowedUnknown && followed === null) {
    return show(followedRoot, "unknown", () => [heading, h("p", { class: "muted" }, "This could not be loaded. The page tries again.")]);
  }
  if (followed === null) return show(followedRoot, "signed out", () => [heading, signedOut()]);
  const people = followed.map((name) => ({
    name,
    streams: streams.filter(({ owner }) => sameAccount(owner, name.account)),
  }));
  people.sort((a, b) => Number(b.streams.length > 0) - Number(a.streams.length > 0));
  const more = people.length - FOLLOWED_SHOWN_MAX;
  show(followedRoot, people, () => [
    heading,
    people.length === 0
      ? h("p", { class: "muted" }, "Nobody yet. On a creator's page, press Follow: you see here when they are live.")
      : h("ul", { class: "people" }, people.slice(0, FOLLOWED_SHOWN_MAX).map(person)),
    more > 0 ? h("p", { class: "small" }, `And ${more} more.`) : null,
  ]);
}

/** @param {{name: Name, streams: api.Stream[]}} one */
function person({ name, streams }) {
  return h(
    "li",
    { class: "person" },
    h("span", { class: streams.length > 0 ? "badge live" : "badge" }, streams.length > 0 ? "Live" : "Not live"),
    creatorLink(calledBy(name, shortAddress), name),
    name.name && name.handle ? h("bdi", { class: "muted" }, `@${name.handle}`) : null,
    streams.map((stream) =>
      h("a", { class: "person-stream", href: `/watch?stream=${stream.id}` }, h("bdi", {}, titleOf(stream))),
    ),
  );
}

function signedOut() {
  const place = h("div", { class: "stack sign-in-place" });
  const begin = button("plain", "Sign in", () => {
    const signIn = document.createElement("ps-sign-in");
    signIn.addEventListener("session", async () => {
      await refreshPeople();
      // what was pressed is gone: the keyboard goes on from the heading
      followedRoot.querySelector("h2")?.focus();
    });
    fill(place, signIn);
  });
  fill(place, h("p", { class: "muted" }, "Sign in with your wallet to see who of those whom you follow is live."), begin);
  return place;
}

// --- what is asked ---------------------------------------------------------------------------

async function loadFollowed() {
  const session = currentSession();
  isFollowedUnknown = false;
  if (!session) return null;
  try {
    return await follows(session.token);
  } catch (error) {
    const isGone = error instanceof api.Problem && error.isTokenGone;
    if (isGone) forgetSession();
    isFollowedUnknown = !isGone;
    return isGone ? null : followed;
  }
}

async function loadDescribed() {
  /** @type {CardListed[]} */
  const found = [];
  /** @type {number | null} */
  let after = null;
  try {
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const page = await cards({ startsWithinS: SOON_S, after });
      found.push(...page.cards);
      if (page.next === null) break;
      after = page.next;
    }
    return found;
  } catch (error) {
    return error instanceof api.Problem && error.status === 404 ? null : (described ?? []);
  }
}

async function loadLive() {
  const [chain, streams] = await Promise.all([api.info(), api.streams({ live: true })]);
  [info, live] = [chain, streams.filter(({ status }) => status !== "ended")];
}

async function loadPeople() {
  [followed, described] = await Promise.all([loadFollowed(), loadDescribed()]);
}

async function refreshPeople() {
  await loadPeople();
  showAll();
}

async function refreshLive() {
  try {
    await loadLive();
    fill(trouble);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (live === null) fill(liveRoot);
    const again = button("plain", "Try again", () => start());
    fill(trouble, notice("error", "The streams could not be loaded", text, [again]));
  }
}

/** All of it is shown at once: what comes later pushes nothing away. */
async function start() {
  await Promise.all([refreshLive(), loadPeople()]);
  showAll();
  liveRoot.removeAttribute("aria-busy");
}

await start();
setInterval(() => {
  if (!document.hidden) refreshLive().then(showAll);
}, LIVE_POLL_MS);
setInterval(() => {
  if (!document.hidden) refreshPeople();
}, PEOPLE_POLL_MS);
document.addEventListener("session", refreshPeople);
