/**
 * Moments and languages as the reader's own language writes them.
 * @module
 */

import { h } from "./dom.js";

const START = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };

/**
 * When something starts: `Tue, 1 Dec, 20:00`, in the reader's time.
 * @param {number} ms
 * @returns {HTMLTimeElement}
 */
export function startOf(ms) {
  const at = new Date(ms);
  const text = at.toLocaleString([], /** @type {Intl.DateTimeFormatOptions} */ (START));
  return h("time", { class: "start", datetime: at.toISOString() }, text);
}

/**
 * @param {string} tag BCP 47
 * @returns {string} the language's name, or the tag where it has none here
 */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/**
 * @typedef {object} Start
 * @property {number} stream
 * @property {number} starts_at_ms
 * @property {string} title of what starts
 * @property {import("./sdk/types.js").Name | undefined} owner
 */

/**
 * What the owners of streams say will start, the soonest first.
 * @param {{stream: number, card?: import("./sdk/types.js").Card | null,
 *   owner_name?: import("./sdk/types.js").Name}[]} described
 * @param {number} fromMs
 * @param {number} [untilMs]
 * @returns {Start[]}
 */
export function startsOf(described, fromMs, untilMs = Infinity) {
  return described
    .flatMap(({ stream, card, owner_name: owner }) =>
      (card?.schedule ?? []).map(({ starts_at_ms, title }) => ({
        stream,
        starts_at_ms,
        title: title || card?.title || `Stream ${stream}`,
        owner,
      })),
    )
    .filter(({ starts_at_ms }) => starts_at_ms >= fromMs && starts_at_ms < untilMs)
    .sort((a, b) => a.starts_at_ms - b.starts_at_ms || a.stream - b.stream);
}
