/**
 * The servers of these pages: the one that they come from, and the one that has its other half.
 * @module
 */

import { Client } from "./sdk/client.js";

export { assetOf, inUnitOf } from "./sdk/client.js";
export { Problem } from "./sdk/errors.js";

/** @typedef {import("./sdk/types.js").ChainInfo} ChainInfo */
/** @typedef {import("./sdk/types.js").Session} Session */
/** @typedef {import("./sdk/types.js").Stream} Stream */
/** @typedef {import("./sdk/types.js").Terms} Terms */
/** @typedef {import("./sdk/types.js").Unit} Unit */

/**
 * @param {"media" | "community"} half
 * @returns {string} its origin, where the server says that it is another one; else none
 */
function originOf(half) {
  if (!globalThis.document) return "";
  return document.querySelector(`meta[name="paystream-${half}"]`)?.getAttribute("content") ?? "";
}

// Pages ask again by themselves, and say meanwhile how it stands.
export const client = new Client({ media: originOf("media"), community: originOf("community"), retries: 0 });

export const info = () => client.info();
/** @param {Parameters<Client["streams"]>[0]} [which] */
export const streams = (which) => client.streams(which);
/** @param {Parameters<Client["streamPage"]>[0]} [part] */
export const streamPage = (part) => client.streamPage(part);
/** @param {number} id */
export const stream = (id) => client.stream(id);
/** @param {number} id @param {string} token */
export const terms = (id, token) => client.terms(id, token);
/** @param {Parameters<Client["challenge"]>[0]} body */
export const challenge = (body) => client.challenge(body);
/** @param {Parameters<Client["token"]>[0]} body */
export const token = (body) => client.token(body);
/** @param {string} current */
export const renewToken = (current) => client.renewToken(current);
/** @param {string} reference @param {string} token */
export const session = (reference, token) => client.session(reference, token);
/** @param {string} token */
export const sessions = (token) => client.sessions(token);
/** @param {string} reference @param {string} token */
export const closeSession = (reference, token) => client.closeSession(reference, token);
/** @param {string} account @param {"raw" | "payload"} kind @param {string | Record<string, any>} data */
export const signForDevelopment = (account, kind, data) => client.signForDevelopment(account, kind, data);
