/**
 * The wallet on these pages: the account that was chosen, and the tokens of this tab.
 * @module
 */

import * as api from "./api.js";
import { offerDevelopmentAccounts } from "./development-wallet.js";
import { sameAccount } from "./sdk/ss58.js";
import * as wallet from "./sdk/wallet.js";

export { WalletError, enable, late, signText, sortAccounts } from "./sdk/wallet.js";

/** @typedef {import("./sdk/wallet.js").Account} Account */

const CHOICE_KEY = "paystream.account";
const TOKEN_KEY = "paystream.token";
/** A token that ends sooner than this is renewed before it is used. */
const RENEW_BEFORE_MS = 30 * 60_000;

/** @returns {Promise<string[]>} the wallets in this browser, and the development accounts */
export const findWallets = () => wallet.findWallets(offerDevelopmentAccounts());

/**
 * Has the wallet sign a call, sends it and follows it.
 * @param {Account} account
 * @param {Record<string, unknown>} call
 * @param {Parameters<typeof wallet.send>[3]} [options]
 */
export const send = (account, call, options) => wallet.send(api.client, account, call, options);

/** The account chosen last time on this site, if any. @returns {{wallet: string, address: string} | null} */
export function rememberedChoice() {
  return readStored(localStorage, CHOICE_KEY);
}

/** @param {Account | null} account */
export function rememberChoice(account) {
  if (!account) localStorage.removeItem(CHOICE_KEY);
  else {
    const { wallet, address } = account;
    localStorage.setItem(CHOICE_KEY, JSON.stringify({ wallet, address }));
  }
}

/**
 * @param {Storage} storage
 * @param {string} key
 * @returns {any} what was stored there, or `null`
 */
export function readStored(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {"watch" | "publish"} purpose @param {number | undefined} stream */
const tokenKey = (purpose, stream) => [TOKEN_KEY, purpose, stream ?? ""].join(".");

/**
 * The token of this tab for a purpose, if it has one that is still good.
 * @param {Account | null} account
 * @param {"watch" | "publish"} purpose
 * @param {number} [stream] for `publish`
 * @returns {string | null}
 */
export function storedToken(account, purpose, stream) {
  const stored = readStored(sessionStorage, tokenKey(purpose, stream));
  if (!stored || !account || !sameAccount(stored.account, account.address)) return null;
  return stored.expires_at_ms > Date.now() ? stored.token : null;
}

/**
 * @param {"watch" | "publish"} purpose
 * @param {number} [stream]
 */
export function forgetToken(purpose, stream) {
  sessionStorage.removeItem(tokenKey(purpose, stream));
}

/**
 * A token for this account: the tab's own if it has one, else by one signature of the wallet.
 * @param {Account} account
 * @param {"watch" | "publish"} purpose
 * @param {number} [stream] for `publish`
 * @returns {Promise<string>}
 * @throws {wallet.WalletError | api.Problem}
 */
export async function signIn(account, purpose, stream) {
  const key = tokenKey(purpose, stream);
  const current = storedToken(account, purpose, stream);
  if (current) return keepFresh(current, key, account);
  const asked = await api.challenge({ account: account.address, purpose, stream });
  const since = performance.now();
  const signature = await wallet.signText(account, asked.message);
  try {
    return keep(key, account, await api.token({ challenge: asked.challenge, signature }));
  } catch (error) {
    throw wallet.late(error, wallet.TEXT_GONE, performance.now() - since, "Sign in again");
  }
}

/**
 * @param {string} key
 * @param {Account} account
 * @param {{token: string, expires_at_ms: number}} given
 */
function keep(key, account, given) {
  const { token, expires_at_ms } = given;
  sessionStorage.setItem(key, JSON.stringify({ token, expires_at_ms, account: account.address }));
  return token;
}

/**
 * @param {string} current
 * @param {string} key
 * @param {Account} account
 */
async function keepFresh(current, key, account) {
  const stored = readStored(sessionStorage, key);
  if (stored.expires_at_ms - Date.now() > RENEW_BEFORE_MS) return current;
  try {
    return keep(key, account, await api.renewToken(current));
  } catch {
    return current; // Still good for a while; the server says so when it is not.
  }
}
