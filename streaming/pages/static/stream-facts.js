/**
 * What the watch page says of its stream: whose it is, whether it is live, and what it costs.
 * @module
 */

import { costOf, formatAmount, formatTime, fromWire } from "./amounts.js";
import { calledBy } from "./sdk/chat-log.js";
import { setText } from "./dom.js";
import { shortAddress } from "./sdk/ss58.js";

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * What a stream is called: as its owner says, else by its number.
 * @param {import("./api.js").Stream} stream
 * @returns {string}
 */
export const titleOf = (stream) => stream.card?.title ?? `Stream ${stream.id}`;

/**
 * Whose a stream is.
 * @param {import("./api.js").Stream} stream
 * @returns {string}
 */
export const ownerOf = ({ owner, owner_name }) =>
  owner_name ? calledBy(owner_name, shortAddress) : shortAddress(owner);

/**
 * The page of whoever has a stream, or of anybody else.
 * @param {{account: string, handle?: string | null}} who
 * @returns {string}
 */
export const pathOfCreator = ({ account, handle }) => `/creator/${encodeURIComponent(handle || account)}`;

/** @param {import("./api.js").Stream} stream @returns {string} whether it is to be seen */
export const stateOf = ({ live, status }) =>
  live ? "Live" : status === "ended" ? "Ended" : status === "paused" ? "Paused" : "Not live";

/**
 * @param {import("./api.js").Stream} stream
 * @param {import("./api.js").ChainInfo} info of the stream's asset
 */
export function showStream(stream, info) {
  const { owner, live, viewers, rate_per_second, tiers } = stream;
  const { decimals, symbol } = info;
  const rate = fromWire(rate_per_second);
  document.title = `${titleOf(stream)} · PayStream`;
  setText(find("title"), titleOf(stream));
  const badge = find("badge");
  badge.className = live ? "badge live" : "badge";
  setText(badge, stateOf(stream));
  setText(find("viewers"), live ? `${viewers ?? 0} watching` : "");
  const creator = /** @type {HTMLAnchorElement} */ (find("owner"));
  setText(creator, ownerOf(stream));
  creator.title = owner;
  creator.href = pathOfCreator(stream.owner_name ?? { account: owner });
  setText(find("price-second"), formatAmount(rate, decimals, symbol));
  setText(
    find("price-longer"),
    `${formatAmount(costOf(rate, 60), decimals, symbol)} a minute · ` +
      `${formatAmount(costOf(rate, 3600), decimals, symbol)} an hour`,
  );
  const offers = (tiers ?? []).map(({ price, period_ms, discount_ppm }) =>
    `${formatAmount(fromWire(price), decimals, symbol)} for ${formatTime(period_ms / 1000)}: ${discount_ppm / 10_000} % off`,
  );
  setText(find("tiers"), offers.length > 0 ? `Subscribers pay ${offers.join(" · ")}` : "");
}

/**
 * What stands where the picture will be, before anybody watches.
 * @param {import("./api.js").Stream | null} stream
 * @returns {{title: string, text: string}}
 */
export function idleText(stream) {
  if (stream?.status === "ended") return { title: "This stream has ended", text: "" };
  if (stream?.status === "paused") return { title: "The creator has paused this stream", text: "" };
  if (!stream?.live) return { title: "Not live right now", text: "The page notices when it begins." };
  return { title: "Live now", text: "You pay only for the seconds that reach you." };
}
