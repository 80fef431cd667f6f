/**
 * Streams in a list: what is live, whose it is and what it costs.
 * @module
 */

import { costOf, formatAmount, formatBrief, fromWire } from "../amounts.js";
import * as api from "../api.js";
import { fill, h, icon } from "../dom.js";
import { ownerOf, pathOfCreator, stateOf, titleOf } from "../stream-facts.js";
import { languageName, startOf } from "../times.js";

/** @typedef {import("../times.js").Start} Start */

/**
 * Live ones first, of those the ones that most people watch; then the newest.
 * @param {api.Stream[]} streams
 */
export const byInterest = (streams) =>
  [...streams].sort(
    (a, b) =>
      Number(b.live ?? false) - Number(a.live ?? false) || (b.viewers ?? 0) - (a.viewers ?? 0) || b.id - a.id,
  );

/**
 * @param {api.Stream[]} streams
 * @param {api.ChainInfo} info
 * @param {{creator?: boolean}} [shown] whether it is said whose they are
 */
export const streamList = (streams, info, { creator = true } = {}) =>
  h(
    "ul",
    { class: "stream-list" },
    streams.map((stream) => row(stream, info, creator)),
  );

/**
 * @param {api.Stream} stream
 * @param {api.ChainInfo} info
 * @param {boolean} creator
 */
function row(stream, info, creator) {
  const rate = fromWire(stream.rate_per_second);
  const { decimals, symbol } = api.inUnitOf(info, stream);
  return h(
    "li",
    { class: stream.live ? "stream stream-row is-live" : "stream stream-row" },
    h("span", { class: stream.live ? "badge live" : "badge" }, stateOf(stream)),
    h(
      "div",
      { class: "stream-name" },
      h("a", { class: "stream-link", href: `/watch?stream=${stream.id}` }, titleOf(stream)),
      creator ? byline(stream) : null,
      about(stream),
    ),
    h(
      "span",
      { class: "stream-viewers" },
      stream.live ? [icon("eye"), `${stream.viewers ?? 0}`, h("span", { class: "hidden-label" }, " watching")] : null,
    ),
    h(
      "span",
      { class: "stream-price", title: `${formatAmount(rate, decimals, symbol)} a second` },
      h("strong", {}, formatBrief(costOf(rate, 60), decimals, symbol), h("span", { class: "unit" }, " / min")),
      h("span", { class: "muted" }, `${formatBrief(rate, decimals, symbol)} / s`),
    ),
  );
}

/** @param {api.Stream} stream */
function byline(stream) {
  const { owner, owner_name: named } = stream;
  const handle = named?.name && named.handle ? h("bdi", {}, `@${named.handle}`) : null;
  return h(
    "span",
    { class: "muted stream-by" },
    h("span", {}, "by ", creatorLink(ownerOf(stream), named ?? { account: owner })),
    handle,
  );
}

/**
 * @param {string} name
 * @param {{account: string, handle?: string | null}} who
 */
export const creatorLink = (name, who) =>
  h("a", { class: "creator-link", href: pathOfCreator(who), title: who.account }, h("bdi", {}, name));

/** @param {api.Stream} stream */
function about({ card }) {
  if (!card) return null;
  const age = card.age_min > 0 ? h("span", { class: "badge" }, `${card.age_min}+`) : null;
  const spoken = card.language ? languageName(card.language) : "";
  const words = [card.category, spoken, ...card.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ");
  return age || words ? h("span", { class: "stream-about muted" }, age, words) : null;
}

/**
 * What starts soon.
 * @param {Start[]} starts
 * @param {(start: Start) => import("../dom.js").Child} [by] whose it is
 */
export const startList = (starts, by = () => null) =>
  h(
    "ul",
    { class: "start-list" },
    starts.map((start) =>
      h(
        "li",
        {},
        startOf(start.starts_at_ms),
        h(
          "span",
          { class: "start-what" },
          h("a", { href: `/watch?stream=${start.stream}` }, h("bdi", {}, start.title)),
          by(start),
        ),
      ),
    ),
  );

/**
 * Shows other children, and leaves the keyboard on the link that it was on.
 * @param {HTMLElement} root
 * @param {...(import("../dom.js").Child | import("../dom.js").Child[])} children
 */
export function fillInPlace(root, ...children) {
  const before = [...root.querySelectorAll("a")];
  const at = before.findIndex((link) => link === document.activeElement);
  const href = before[at]?.getAttribute("href");
  fill(root, ...children);
  if (at < 0) return;
  // the same place if it leads there still, else wherever that has gone
  const links = [...root.querySelectorAll("a")];
  const isSame = (/** @type {Element | undefined} */ link) => link?.getAttribute("href") === href;
  (isSame(links[at]) ? links[at] : links.find(isSame))?.focus();
}

/** Three rows that stand where streams will. */
export const waitingList = () =>
  h(
    "ul",
    { class: "stream-list", "aria-label": "Loading" },
    [1, 2, 3].map(() => h("li", { class: "stream skeleton" })),
  );
