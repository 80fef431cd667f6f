/**
 * PayStream in JavaScript: streams that are paid for by the second, and the people around them. It is
 * what the pages of a server use themselves. In browsers all of it, in Node.js 18 what is not WebRTC.
 *
 * Every method takes `signal` and `withinMs`, and ends in an answer or in a `Problem`.
 * @module
 */

export { ChatLog, calledBy } from "./chat-log.js";
export { Client, assetOf, inUnitOf } from "./client.js";
export { Community, newMessageId } from "./community.js";
export {
  Conflict,
  Forbidden,
  NotThere,
  PaymentRequired,
  Problem,
  TimedOut,
  TokenGone,
  TooOften,
  Unreachable,
} from "./errors.js";
export { LiveConnection } from "./live-connection.js";
export { publicKeyOf, sameAccount, shortAddress } from "./ss58.js";
export { WalletError, enable, findWallets, send, signText, sortAccounts } from "./wallet.js";
export { Playback } from "./whep.js";
export { Publisher } from "./whip.js";

/** @typedef {import("./types.js").Act} Act */
/** @typedef {import("./types.js").Card} Card */
/** @typedef {import("./types.js").CardListed} CardListed */
/** @typedef {import("./types.js").CardShown} CardShown */
/** @typedef {import("./types.js").ChainInfo} ChainInfo */
/** @typedef {import("./types.js").ChatSettings} ChatSettings */
/** @typedef {import("./types.js").Held} Held */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Profile} Profile */
/** @typedef {import("./types.js").Reported} Reported */
/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("./types.js").Stream} Stream */
/** @typedef {import("./types.js").Terms} Terms */
/** @typedef {import("./types.js").Token} Token */
