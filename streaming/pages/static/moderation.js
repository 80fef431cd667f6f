/**
 * What moderators do in the community of the server that these pages come from. A `stream` of null
 * is all of them, for the operator.
 * @module
 */

import { call } from "./api.js";

/** @typedef {import("./community.js").Name} Name */

/**
 * @typedef {object} Reported
 * @property {number} stream
 * @property {Name} account
 * @property {{number: number, text: string, deleted: boolean} | null} message null where it is the
 *   account that is reported
 * @property {number} count
 * @property {number} since_ms
 * @property {{reason: string, text: string}[]} reports
 */

/**
 * @typedef {object} Held
 * @property {number} number
 * @property {number} stream
 * @property {Name} author
 * @property {string} text
 * @property {"filter" | "link"} why
 * @property {string | null} pattern
 * @property {number} held_at_ms
 */

/** @typedef {{number: number, pattern: string, action: "refuse" | "hold", within_words: boolean}} Filter */

/**
 * @typedef {object} Act
 * @property {number} number
 * @property {number} at_ms
 * @property {number | null} stream
 * @property {string} act
 * @property {Person} actor
 * @property {Person | null} subject
 * @property {string | null} reason
 * @property {Record<string, any>} detail
 */

/**
 * `account` is null where somebody has left.
 * @typedef {{pseudonym: string, account: string | null, handle: string | null, name: string}} Person
 */

/** @param {number} stream */
const chat = (stream) => `streams/${stream}/chat`;

/** @param {number | null} stream @param {string} what */
const place = (stream, what) => (stream === null ? `community/${what}` : `${chat(stream)}/${what}`);

/** @param {string} who */
const quoted = (who) => encodeURIComponent(who);

/** @param {number | null} stream @param {string} token @returns {Promise<{reports: Reported[], held: Held[]}>} */
export const queue = (stream, token) => call("GET", place(stream, "queue"), { token });

/** @param {number} stream @param {Record<string, unknown>} body @param {string} token */
export const answer = (stream, body, token) => call("POST", `${chat(stream)}/reports/answer`, { body, token });

/** @param {number} stream @param {number} number @param {string} token */
export const release = (stream, number, token) => call("POST", `${chat(stream)}/held/${number}`, { token });

/** @param {number} stream @param {number} number @param {string} reason @param {string} token */
export const reject = (stream, number, reason, token) =>
  call("DELETE", `${chat(stream)}/held/${number}`, { body: { reason }, token });

/** @param {number} stream @param {Record<string, unknown>} body @param {string} token */
export const report = (stream, body, token) => call("POST", `${chat(stream)}/reports`, { body, token });

/** @param {number | null} stream @param {string} token @returns {Promise<Filter[]>} */
export const filters = async (stream, token) => (await call("GET", place(stream, "filters"), { token })).filters;

/** @param {number | null} stream @param {Record<string, unknown>} body @param {string} token */
export const addFilter = (stream, body, token) => call("POST", place(stream, "filters"), { body, token });

/** @param {number | null} stream @param {number} number @param {string} token */
export const removeFilter = (stream, number, token) =>
  call("DELETE", `${place(stream, "filters")}/${number}`, { token });

/** @param {number} stream @param {string} token @returns {Promise<(Name & {until_ms: number | null})[]>} */
export const mutes = async (stream, token) => (await call("GET", `${chat(stream)}/mutes`, { token })).mutes;

/** @param {number} stream @param {string} who @param {Record<string, unknown>} body @param {string} token */
export const muteFor = (stream, who, body, token) =>
  call("PUT", `${chat(stream)}/mutes/${quoted(who)}`, { body, token });

/** @param {number} stream @param {string} who @param {string} token */
export const letSpeak = (stream, who, token) => call("DELETE", `${chat(stream)}/mutes/${quoted(who)}`, { token });

/** @param {number} stream @returns {Promise<Name[]>} */
export const moderators = async (stream) => (await call("GET", `${chat(stream)}/moderators`)).moderators;

/** @param {number} stream @param {string} who @param {boolean} moderates @param {string} token */
export const setModerator = (stream, who, moderates, token) =>
  call(moderates ? "PUT" : "DELETE", `${chat(stream)}/moderators/${quoted(who)}`, { token });

/** @param {number} stream @param {string} token */
export const settings = (stream, token) => call("GET", `${chat(stream)}/settings`, { token });

/** @param {number} stream @param {Record<string, unknown>} body @param {string} token */
export const setSettings = (stream, body, token) => call("PUT", `${chat(stream)}/settings`, { body, token });

/** @param {number | null} stream @param {number | null} before @param {string} token @returns {Promise<Act[]>} */
export const acts = async (stream, before, token) =>
  (await call("GET", `${place(stream, "acts")}?limit=20${before === null ? "" : `&before=${before}`}`, { token })).acts;
