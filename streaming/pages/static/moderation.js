/**
 * What moderators do in the community of these pages. A `stream` of null is all of them, for the
 * operator.
 * @module
 */

import { community } from "./community.js";

/** @typedef {import("./sdk/community.js").Community} Community */
/** @typedef {import("./sdk/types.js").Act} Act */
/** @typedef {import("./sdk/types.js").ChatSettings} ChatSettings */
/** @typedef {import("./sdk/types.js").Filter} Filter */
/** @typedef {import("./sdk/types.js").Held} Held */
/** @typedef {import("./sdk/types.js").Name} Name */
/** @typedef {import("./sdk/types.js").Person} Person */
/** @typedef {import("./sdk/types.js").Reported} Reported */
/** @typedef {import("./sdk/types.js").Silent} Silent */

const ACTS_SHOWN = 20;

/** @param {number | null} stream @param {string} token */
export const queue = (stream, token) => community.queue(stream, token);

/** @param {number} stream @param {Parameters<Community["answerReports"]>[1]} body @param {string} token */
export const answer = (stream, body, token) => community.answerReports(stream, body, token);

/** @param {number} stream @param {number} number @param {string} token */
export const release = (stream, number, token) => community.release(stream, number, token);

/** @param {number} stream @param {number} number @param {string} reason @param {string} token */
export const reject = (stream, number, reason, token) => community.reject(stream, number, token, { reason });

/** @param {number} stream @param {Parameters<Community["report"]>[1]} body @param {string} token */
export const report = (stream, body, token) => community.report(stream, body, token);

/** @param {number | null} stream @param {string} token */
export const filters = (stream, token) => community.filters(stream, token);

/** @param {number | null} stream @param {Parameters<Community["addFilter"]>[1]} body @param {string} token */
export const addFilter = (stream, body, token) => community.addFilter(stream, body, token);

/** @param {number | null} stream @param {number} number @param {string} token */
export const removeFilter = (stream, number, token) => community.removeFilter(stream, number, token);

/** @param {number} stream @param {string} token */
export const mutes = (stream, token) => community.mutes(stream, token);

/**
 * @param {number} stream
 * @param {string} who
 * @param {{seconds: number | null, reason: string, addresses: boolean}} muted
 * @param {string} token
 */
export const muteFor = (stream, who, { seconds, ...more }, token) => community.mute(stream, who, seconds, token, more);

/** @param {number} stream @param {string} who @param {string} token */
export const letSpeak = (stream, who, token) => community.unmute(stream, who, token);

/** @param {number} stream */
export const moderators = (stream) => community.moderators(stream);

/** @param {number} stream @param {string} who @param {boolean} moderates @param {string} token */
export const setModerator = (stream, who, moderates, token) =>
  moderates ? community.nameModerator(stream, who, token) : community.dismissModerator(stream, who, token);

/** @param {number} stream */
export const settings = (stream) => community.settings(stream);

/** @param {number} stream @param {Partial<ChatSettings>} body @param {string} token */
export const setSettings = (stream, body, token) => community.setSettings(stream, body, token);

/** @param {number | null} stream @param {number | null} before @param {string} token */
export const acts = (stream, before, token) => community.acts(stream, token, { before, limit: ACTS_SHOWN });
