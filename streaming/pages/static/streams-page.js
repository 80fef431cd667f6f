/**
 * The list of streams: what is live, and what it costs.
 * @module
 */

import { costOf, formatAmount, formatBrief, fromWire } from "./amounts.js";
import * as api from "./api.js";
import { button, fill, h, icon, notice } from "./dom.js";
import { ownerOf, titleOf } from "./stream-facts.js";

const POLL_MS = 5_000;
/** More than these of the streams that are not live are not listed. */
const IDLE_SHOWN_MAX = 20;

const list = /** @type {HTMLElement} */ (document.getElementById("streams"));
const trouble = /** @type {HTMLElement} */ (document.getElementById("problem"));
let shown = "";

/**
 * @param {api.Stream} stream
 * @param {api.ChainInfo} info
 */
function row(stream, info) {
  const rate = fromWire(stream.rate_per_second);
  const { decimals, symbol } = api.inUnitOf(info, stream);
  const state = stream.live ? "Live" : stream.status === "paused" ? "Paused" : "Not live";
  return h(
    "li",
    { class: stream.live ? "stream is-live" : "stream" },
    h(
      "a",
      { class: "stream-link", href: `/watch?stream=${stream.id}` },
      h("span", { class: stream.live ? "badge live" : "badge" }, state),
      h(
        "span",
        { class: "stream-name" },
        h("strong", {}, titleOf(stream)),
        h("span", { class: "muted", title: stream.owner }, `by ${ownerOf(stream)}`),
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
    ),
  );
}

/** @param {api.Stream} stream */
function about({ card }) {
  if (!card) return null;
  const age = card.age_min > 0 ? h("span", { class: "badge" }, `${card.age_min}+`) : null;
  const words = [card.category, ...card.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ");
  return age || words ? h("span", { class: "stream-about muted" }, age, words) : null;
}

/**
 * @param {string} title
 * @param {api.Stream[]} streams
 * @param {api.ChainInfo} info
 */
function section(title, streams, info) {
  return h(
    "section",
    {},
    h("h2", {}, title),
    h("ul", { class: "stream-list" }, streams.map((stream) => row(stream, info))),
  );
}

function empty() {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, "Nobody is live right now"),
    h("p", { class: "muted" }, "This page notices when somebody begins. Or begin yourself: a camera and a wallet are enough."),
    h("a", { class: "button primary", href: "/broadcast" }, icon("camera"), "Broadcast"),
  );
}

/** @param {api.ChainInfo} info @param {api.Stream[]} all */
function show(info, all) {
  const present = JSON.stringify(all);
  if (present === shown) return;
  shown = present;
  const open = all.filter(({ status }) => status !== "ended").sort((a, b) => b.id - a.id);
  const live = open
    .filter((stream) => stream.live)
    .sort((a, b) => (b.viewers ?? 0) - (a.viewers ?? 0) || b.id - a.id);
  const idle = open.filter((stream) => !stream.live).slice(0, IDLE_SHOWN_MAX);
  const focused = document.activeElement?.getAttribute("href");
  fill(
    list,
    live.length > 0 ? section("Live now", live, info) : empty(),
    idle.length > 0 ? section("Not live", idle, info) : null,
  );
  if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[href="${focused}"]`))?.focus();
}

async function refresh() {
  try {
    const [info, all] = await Promise.all([api.info(), api.streams()]);
    show(info, all);
    list.setAttribute("aria-busy", "false");
    fill(trouble);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (shown === "") fill(list);
    fill(
      trouble,
      notice("error", "The streams could not be loaded", text, [
        button("plain", "Try again", () => refresh()),
      ]),
    );
  }
}

await refresh();
setInterval(() => {
  if (!document.hidden) refresh();
}, POLL_MS);
