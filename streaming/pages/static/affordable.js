/**
 * What watching takes from an account beside the price, and whether the account can pay it:
 * said before anything is signed, since a transaction that fails costs its fee.
 * @module
 */

import { fromWire } from "./amounts.js";

/**
 * `deposit` is in the stream's asset; the others are in the chain's own token, which is the same
 * for a stream that is priced in it (`isNative`).
 * @typedef {object} Taken
 * @property {bigint} deposit into the vault
 * @property {bigint} storage held for the grant, and given back with it
 * @property {bigint} fees at most
 * @property {bigint} existential what has to stay in the account
 * @property {boolean} isNative
 */

/** @param {string | undefined} value @returns {bigint} */
const amount = (value) => fromWire(value ?? "0");

/**
 * @param {import("./api.js").Terms} terms of a server that may not name the lesser parts
 * @param {bigint} deposit what is chosen
 * @param {boolean} grants whether a grant is made, too
 * @returns {Taken}
 */
export function takenBy(terms, deposit, grants) {
  const { storage_deposit, fees, existential_deposit } = terms.needs ?? {};
  return {
    deposit,
    storage: grants ? amount(storage_deposit) : 0n,
    fees: amount(fees),
    existential: amount(existential_deposit),
    isNative: !terms.asset || terms.asset === "native",
  };
}

/** @param {Taken} taken @returns {bigint} what it takes of the chain's own token */
export function nativeOf({ deposit, storage, fees, existential, isNative }) {
  return storage + fees + existential + (isNative ? deposit : 0n);
}

/**
 * What the account lacks.
 * @param {Taken} taken
 * @param {import("./api.js").Terms} terms
 * @returns {{asset: bigint, native: bigint}} both zero if it can pay; for a stream that is priced
 *   in the chain's own token all is in `native`
 */
export function shortOf(taken, terms) {
  const deposit = shortOfDeposit(taken, terms);
  if (taken.isNative) return { asset: 0n, native: deposit };
  // The rest takes the same, whatever is deposited.
  return { asset: deposit, native: amount(terms.short_by) };
}

/**
 * What a deposit lacks in its own asset, by the server's reckoning, which knows of everything that
 * binds the account's money; by the page's where a server of before does not say.
 * @param {Taken} taken
 * @param {import("./api.js").Terms} terms
 */
function shortOfDeposit(taken, terms) {
  const { needs } = terms;
  if (needs?.deposit_max === undefined) {
    return above(taken.isNative ? nativeOf(taken) : taken.deposit, fromWire(terms.free_balance));
  }
  const short = amount(taken.isNative ? terms.short_by : terms.asset_short_by);
  if (short > 0n) return above(taken.deposit + short, fromWire(needs.deposit));
  return above(taken.deposit, fromWire(needs.deposit_max));
}

/** @param {bigint} needed @param {bigint} held */
const above = (needed, held) => (needed > held ? needed - held : 0n);
