/**
 * The community of the server that these pages come from: signing in to it, profiles, what streams
 * are about, and the WebSocket for what is live.
 * @module
 */

import { call } from "./api.js";
import { sameAccount } from "./ss58.js";
import { readStored, signText } from "./wallet.js";

/** @typedef {import("./wallet.js").Account} Account */

/**
 * What somebody is called; `handle` is null and `name` empty where they have not said.
 * @typedef {{account: string, handle: string | null, name: string}} Name
 */

/**
 * @typedef {object} Message
 * @property {number} number its place in the stream's chat
 * @property {string} id its author's own name for it
 * @property {Name} author
 * @property {"operator" | "owner" | "moderator" | null} role
 * @property {number} sent_at_ms
 * @property {string} text
 * @property {boolean} [deleted]
 * @property {number | null} [reply_to] the number of the message that it answers
 * @property {Name[]} [mentions] who is called by a handle in it
 */

/**
 * @typedef {object} Card
 * @property {string} title
 * @property {string} [description]
 * @property {string} category
 * @property {string[]} tags
 * @property {string} language
 * @property {number} age_min
 * @property {{starts_at_ms: number, title: string}[]} schedule
 */

const TOKEN_KEY = "paystream.community";
const LIVE_PATH = "/api/v1/community/live";
/** A session that ends sooner than this is not begun to be used. */
const LEFT_AT_LEAST_MS = 60_000;

/** @param {Account | null} account @returns {string | null} the tab's session, if it has one */
export function storedSession(account) {
  const stored = readStored(sessionStorage, TOKEN_KEY);
  if (!stored || !account || !sameAccount(stored.account, account.address)) return null;
  return stored.expires_at_ms - Date.now() > LEFT_AT_LEAST_MS ? stored.token : null;
}

export function forgetSession() {
  sessionStorage.removeItem(TOKEN_KEY);
}

/**
 * A session for this account: the tab's own if it has one, else by one signature of the wallet.
 * @param {Account} account
 * @returns {Promise<string>} its token
 */
export async function signInToCommunity(account) {
  const current = storedSession(account);
  if (current) return current;
  const asked = await call("POST", "community/challenge", { body: { account: account.address } });
  const signature = await signText(account, asked.message);
  const body = { challenge: asked.challenge, signature, device: device() };
  const { token, expires_at_ms } = await call("POST", "community/sessions", { body });
  sessionStorage.setItem(TOKEN_KEY, JSON.stringify({ token, expires_at_ms, account: account.address }));
  return token;
}

/** @returns {string} what this browser calls itself, in two words */
function device() {
  const agent = navigator.userAgent;
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(agent)?.[1] ?? "Browser";
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1] ?? "";
  return system ? `${browser} on ${system}` : browser;
}

/** @param {string} who a handle or an address */
export const profile = (who) => call("GET", `community/profiles/${encodeURIComponent(who)}`);

/** @param {Record<string, unknown>} fields @param {string} token */
export const keepProfile = (fields, token) => call("PUT", "community/profile", { body: fields, token });

/** @param {number} stream @returns {Promise<{card: Card, description_html: string, owner: Name}>} */
export const card = (stream) => call("GET", `streams/${stream}/card`);

/**
 * Says what a stream is about: the wallet of its owner signs the text.
 * @param {number} stream
 * @param {Partial<Card>} fields
 * @param {Account} account
 */
export async function keepCard(stream, fields, account) {
  const prepared = await call("POST", `streams/${stream}/card`, { body: { ...fields, account: account.address } });
  const signature = await signText(account, prepared.message);
  const body = { ...prepared.card, version: prepared.version, signature };
  return call("PUT", `streams/${stream}/card`, { body });
}

/** @param {number} stream @param {number} number @param {string} token */
export const deleteMessage = (stream, number, token) =>
  call("DELETE", `streams/${stream}/chat/messages/${number}`, { token });

/** @param {number} stream @param {string} who @param {number | null} seconds @param {string} token */
export const mute = (stream, who, seconds, token) =>
  call("PUT", `streams/${stream}/chat/mutes/${encodeURIComponent(who)}`, { body: { seconds }, token });

/** @returns {WebSocket} */
export function openLive() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${window.location.host}${LIVE_PATH}`);
}

/** @returns {string} an id for a message, the same when it is sent again */
export function newMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
