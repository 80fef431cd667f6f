/**
 * The community on these pages: the session of this tab, and who speaks.
 * @module
 */

import { client } from "./api.js";
import { Community } from "./sdk/community.js";
import { sameAccount } from "./sdk/ss58.js";
import { readStored, signText } from "./wallet.js";

export { newMessageId } from "./sdk/community.js";

/** @typedef {import("./sdk/types.js").Profile} Profile */

/** @typedef {import("./sdk/wallet.js").Account} Account */
/** @typedef {import("./sdk/types.js").Card} Card */
/** @typedef {import("./sdk/types.js").Message} Message */
/** @typedef {import("./sdk/types.js").Name} Name */

export const community = new Community(client);

const TOKEN_KEY = "paystream.community";
/** A session that ends sooner than this is not begun to be used. */
const LEFT_AT_LEAST_MS = 60_000;

/** @param {Account | null} account @returns {string | null} the tab's session, if it has one */
export function storedSession(account) {
  const stored = readStored(sessionStorage, TOKEN_KEY);
  if (!stored || !account || !sameAccount(stored.account, account.address)) return null;
  return stored.expires_at_ms - Date.now() > LEFT_AT_LEAST_MS ? stored.token : null;
}

/** @returns {{token: string, account: string} | null} who is signed in on this tab, whatever the wallet says */
export function currentSession() {
  const stored = readStored(sessionStorage, TOKEN_KEY);
  return stored && stored.expires_at_ms - Date.now() > LEFT_AT_LEAST_MS ? stored : null;
}

export function forgetSession() {
  sessionStorage.removeItem(TOKEN_KEY);
  document.dispatchEvent(new Event("session"));
}

/**
 * A session for this account: the tab's own if it has one, else by one signature of the wallet.
 * @param {Account} account
 * @returns {Promise<string>} its token
 */
export async function signInToCommunity(account) {
  const current = storedSession(account);
  if (current) return current;
  const sign = (/** @type {string} */ text) => signText(account, text);
  const { token, expires_at_ms } = await community.signIn(account.address, sign, { device: device() });
  sessionStorage.setItem(TOKEN_KEY, JSON.stringify({ token, expires_at_ms, account: account.address }));
  document.dispatchEvent(new Event("session"));
  return token;
}

/** @returns {string} what this browser calls itself, in two words */
function device() {
  const agent = navigator.userAgent;
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(agent)?.[1] ?? "Browser";
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1] ?? "";
  return system ? `${browser} on ${system}` : browser;
}

/** @param {string} who a handle or an address @param {string | null} [token] */
export const profile = (who, token) => community.profile(who, { token });

/** @param {Record<string, unknown>} fields @param {string} token */
export const keepProfile = (fields, token) => community.keepProfile(fields, token);

/** @param {string} token */
export const follows = (token) => community.follows(token);

/** @param {string} who @param {boolean} follows @param {string} token */
export const setFollow = (who, follows, token) =>
  follows ? community.follow(who, token) : community.unfollow(who, token);

/** @param {Parameters<Community["cards"]>[0]} looked */
export const cards = (looked) => community.cards(looked);

/** @param {string} token */
export async function signOut(token) {
  await community.signOut(token);
  forgetSession();
}

/** @param {number} stream */
export const card = (stream) => community.card(stream);

/**
 * Says what a stream is about: the wallet of its owner signs the text.
 * @param {number} stream
 * @param {Partial<Card>} fields
 * @param {Account} account
 */
export const keepCard = (stream, fields, account) =>
  community.keepCard(stream, fields, account.address, (text) => signText(account, text));

/** @param {number} stream @param {number} number @param {string} token */
export const deleteMessage = (stream, number, token) => community.deleteMessage(stream, number, token);

/** @param {number} stream @param {string} who @param {number | null} seconds @param {string} token */
export const mute = (stream, who, seconds, token) => community.mute(stream, who, seconds, token);

/** @returns {WebSocket} */
export const openLive = () => community.openLive();
