/**
 * What a viewer signs to watch for a chosen time, what that takes, and how it is said.
 * @module
 */

import { nativeOf, shortOf, takenBy } from "./affordable.js";
import { costOf, formatAmount, formatBrief, formatTime, fromWire } from "./amounts.js";
import { assetOf } from "./api.js";
import { figure, setText } from "./dom.js";

/** A permission lasts at least this long. */
const GRANT_LASTS_MS = 24 * 3_600_000;
/** How long a session may stay silent before it lapses, where the server does not say. */
const GAP_MS = 120_000;
/** How many sessions at a time are allowed, where the server does not say. */
const SESSIONS_MAX = 1;

/**
 * @typedef {object} Plan
 * @property {{kind: string} & Record<string, unknown>} call what the wallet is to sign
 * @property {bigint} deposit
 * @property {bigint} cap the most that may be paid under the permission
 * @property {bigint} balance of the account, in the stream's asset
 * @property {number} lastsMs how long the permission lasts
 * @property {import("./affordable.js").Taken} taken
 */

/**
 * What has to be signed for a time.
 * @param {import("./api.js").Terms} terms
 * @param {bigint} fundsMin the least that the stream lets a session reserve
 * @param {number} seconds the chosen time
 * @param {boolean} adding to a session that is running
 * @returns {Plan}
 */
export function planFor(terms, fundsMin, seconds, adding) {
  const wanted = costOf(fromWire(terms.rate_per_second), seconds);
  const cost = wanted > fundsMin ? wanted : fundsMin;
  const vault = fromWire(terms.vault);
  const deposit = adding ? cost : cost > vault ? cost - vault : 0n;
  // a grant needs a cap, even where a subscriber's seconds are free
  const cap = (adding ? vault + cost : cost) || fromWire(terms.needs?.cap ?? "1");
  const balance = fromWire(terms.free_balance);
  const lastsMs = Math.max(GRANT_LASTS_MS, seconds * 2_000);
  const { grant } = terms;
  const suffices =
    grant !== null &&
    terms.missing.every((word) => word === "funds") &&
    fromWire(grant.cap_left) >= cap;
  const call = suffices
    ? { kind: "deposit", amount: String(deposit), ...assetOf(terms) }
    : {
        kind: "deposit_and_grant",
        ...assetOf(terms),
        deposit: String(deposit),
        cap: String(cap),
        rate_max_per_second: terms.needs?.rate_max_per_second ?? terms.rate_per_second,
        sessions_max: terms.needs?.sessions_max ?? SESSIONS_MAX,
        gap_ms: terms.needs?.gap_ms ?? GAP_MS,
        expires_at_ms: Date.now() + lastsMs,
      };
  return { call, deposit, cap, balance, lastsMs, taken: takenBy(terms, deposit, !suffices) };
}

/**
 * What the account lacks, in words; empty if it can pay.
 * @param {Pick<Plan, "taken" | "balance">} plan
 * @param {import("./api.js").Terms} terms
 * @param {import("./api.js").ChainInfo} info of the stream's asset
 * @param {import("./api.js").ChainInfo} chain of its own token
 */
export function shortText({ taken, balance }, terms, info, chain) {
  const short = shortOf(taken, terms);
  if (short.asset === 0n && short.native === 0n) return "";
  const own = (/** @type {bigint} */ value) => formatBrief(value, info.decimals, info.symbol);
  const native = (/** @type {bigint} */ value) => formatBrief(value, chain.decimals, chain.symbol);
  const lacks = short.asset > 0n ? own(short.asset) : native(short.native);
  const isFees = !taken.isNative && short.asset === 0n;
  const fees = isFees ? " for the fees and what is held" : "";
  const helps = isFees ? "Send it tokens of the chain" : "Choose a shorter time, or send tokens to it";
  return `Your account holds ${own(balance)}. It lacks ${lacks}${fees}. ${helps}. Nothing is signed until then.`;
}

/**
 * The parts of what the account has to have, and their sum; nothing where the deposit is all.
 * @param {Pick<Plan, "taken">} plan
 * @param {import("./api.js").ChainInfo} info of the stream's asset
 * @param {import("./api.js").ChainInfo} chain of its own token
 */
export function partsOf({ taken }, info, chain) {
  const native = nativeOf(taken);
  if (native === (taken.isNative ? taken.deposit : 0n)) return [];
  /** @type {[string, bigint, import("./api.js").ChainInfo][]} */
  const rows = [
    ["Into your vault", taken.deposit, info],
    ["Held for the permission", taken.storage, chain],
    ["Fees, at most", taken.fees, chain],
    ["Has to stay in your account", taken.existential, chain],
    [taken.isNative ? "Your account needs" : `Your account needs, beside ${info.symbol}`, native, chain],
  ];
  return rows
    .filter(([, amount]) => amount > 0n)
    .map(([label, amount, unit]) => {
      const { row, value } = figure(label);
      setText(value, formatAmount(amount, unit.decimals, unit.symbol));
      return row;
    });
}

/**
 * @param {Pick<Plan, "call" | "cap" | "lastsMs">} plan
 * @param {import("./api.js").ChainInfo} info of the stream's asset
 */
export function whatIsSigned(plan, { decimals, symbol }) {
  if (plan.call.kind === "deposit") return "It goes into your own vault. What you do not watch stays yours.";
  return (
    `One signature. The deposit goes into your own vault; this server may pay from it at most ` +
    `${formatAmount(plan.cap, decimals, symbol)}, for ${formatTime(plan.lastsMs / 1000)}. ` +
    `What you do not watch stays yours, and you can withdraw or revoke at any time.`
  );
}
