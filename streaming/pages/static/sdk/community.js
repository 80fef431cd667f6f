/**
 * People: signing in, profiles, what streams are about, chat, and the WebSocket for what is live.
 * @module
 */

import { LiveConnection } from "./live-connection.js";
import { queryOf } from "./server.js";

/** @typedef {import("./server.js").Asking} Asking */
/** @typedef {import("./types.js").Act} Act */
/** @typedef {import("./types.js").Card} Card */
/** @typedef {import("./types.js").CardListed} CardListed */
/** @typedef {import("./types.js").CardShown} CardShown */
/** @typedef {import("./types.js").ChatSettings} ChatSettings */
/** @typedef {import("./types.js").Filter} Filter */
/** @typedef {import("./types.js").Held} Held */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Name} Name */
/** @typedef {import("./types.js").Reported} Reported */
/** @typedef {import("./types.js").Silent} Silent */
/** @typedef {import("./types.js").SignText} SignText */

const LIVE_PATH = "/api/v1/community/live";

export class Community {
  #client;

  /** @param {import("./client.js").Client} client */
  constructor(client) {
    this.#client = client;
  }

  /**
   * @param {string} method
   * @param {string} path below `/api/v1/community/`
   * @param {{token?: string | null, body?: unknown} & Asking} [options]
   * @returns {Promise<any>}
   */
  call(method, path, options) {
    return this.#client.community.call(method, `/api/v1/community/${path}`, options);
  }

  /**
   * @param {string} method
   * @param {number} stream
   * @param {string} path below the stream's
   * @param {{token?: string | null, body?: unknown} & Asking} [options]
   * @returns {Promise<any>}
   */
  callStream(method, stream, path, options) {
    const { community, place } = this.#client;
    return community.call(method, `${place}/api/v1/streams/${stream}/${path}`, options);
  }

  /**
   * A session for one signature.
   * @param {string} account
   * @param {SignText} sign
   * @param {{device?: string} & Asking} [options] `device`: what the list of sessions calls it
   * @returns {Promise<import("./types.js").Token>}
   */
  async signIn(account, sign, { device = "", ...options } = {}) {
    const asked = await this.call("POST", "challenge", { ...options, body: { account } });
    const body = { challenge: asked.challenge, signature: await sign(asked.message), device };
    return this.call("POST", "sessions", { ...options, body });
  }

  /** @param {string} token @param {Asking} [options] ends this session */
  signOut(token, options) {
    return this.endSession("current", token, options);
  }

  /** @param {string} token @param {Asking} [options] @returns {Promise<Record<string, any>[]>} */
  async sessions(token, options) {
    return (await this.call("GET", "sessions", { ...options, token })).sessions;
  }

  /** @param {string} id @param {string} token @param {Asking} [options] */
  endSession(id, token, options) {
    return this.call("DELETE", `sessions/${encodeURIComponent(id)}`, { ...options, token });
  }

  /** @param {string} token @param {Asking} [options] everything that is kept about this account */
  exportAccount(token, options) {
    return this.call("GET", "account/export", { ...options, token });
  }

  /** @param {string} token @param {Asking} [options] for good, with everything about it */
  deleteAccount(token, options) {
    return this.call("DELETE", "account", { ...options, token });
  }

  /**
   * @param {string} who a handle or an address
   * @param {{token?: string | null} & Asking} [options]
   * @returns {Promise<import("./types.js").Profile>}
   */
  profile(who, options) {
    return this.call("GET", `profiles/${encodeURIComponent(who)}`, options);
  }

  /**
   * @param {Record<string, unknown>} fields
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Profile>}
   */
  keepProfile(fields, token, options) {
    return this.call("PUT", "profile", { ...options, body: fields, token });
  }

  /** @param {string} token @param {Asking} [options] @returns {Promise<(Name & {since_ms: number})[]>} */
  async follows(token, options) {
    return (await this.call("GET", "follows", { ...options, token })).follows;
  }

  /**
   * @param {string} who
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<{you_follow: boolean, followers: number}>}
   */
  follow(who, token, options) {
    return this.call("PUT", `follows/${encodeURIComponent(who)}`, { ...options, token });
  }

  /**
   * @param {string} who
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<{you_follow: boolean, followers: number}>}
   */
  unfollow(who, token, options) {
    return this.call("DELETE", `follows/${encodeURIComponent(who)}`, { ...options, token });
  }

  /** @param {number} stream @param {Asking} [options] @returns {Promise<CardShown>} */
  card(stream, options) {
    return this.callStream("GET", stream, "card", options);
  }

  /**
   * What owners say of a page of their streams. Of what is looked for a page may have few, or none,
   * and another follow: a server looks through so many streams at a time.
   * @param {{category?: string, language?: string, tag?: string, text?: string, startsWithinS?: number,
   *   owner?: string, ids?: number[], after?: number | null, limit?: number} & Asking} [options]
   * @returns {Promise<{cards: CardListed[], next: number | null}>} `next`: the `after` of the next page
   */
  cards({ category, language, tag, text, startsWithinS, owner, ids, after, limit, ...options } = {}) {
    const { community, place } = this.#client;
    const looked = { category, language, tag, text, starts_within_s: startsWithinS };
    const query = queryOf({ ...looked, owner, ids: ids?.join(), after, limit });
    return community.call("GET", `${place}/api/v1/cards${query}`, options);
  }

  /**
   * Says what a stream is about: the key of its owner signs the text.
   * @param {number} stream
   * @param {Partial<Card>} fields
   * @param {string} account
   * @param {SignText} sign
   * @param {Asking} [options]
   * @returns {Promise<CardShown>}
   */
  async keepCard(stream, fields, account, sign, options) {
    const prepared = await this.callStream("POST", stream, "card", { ...options, body: { ...fields, account } });
    const signature = await sign(prepared.message);
    const body = { ...prepared.card, version: prepared.version, signature };
    return this.callStream("PUT", stream, "card", { ...options, body });
  }

  /** @param {number} stream @param {string} token @param {Asking} [options] */
  removeCard(stream, token, options) {
    return this.callStream("DELETE", stream, "card", { ...options, token });
  }

  /**
   * @param {number} stream
   * @param {{after?: number, before?: number, limit?: number} & Asking} [options]
   * @returns {Promise<Message[]>} the latest, or those after or before a number, in order
   */
  async messages(stream, { after, before, limit, ...options } = {}) {
    const query = queryOf({ after, before, limit });
    return (await this.callStream("GET", stream, `chat${query}`, options)).messages;
  }

  /**
   * Says something. It is named by `id`, so it is safe to say it again under that where no answer came.
   * @param {number} stream
   * @param {string} text
   * @param {string} token
   * @param {{id?: string, replyTo?: number | null} & Asking} [options] `replyTo`: the number of the
   *   message that it answers
   * @returns {Promise<Message | import("./types.js").Waiting>} the latter where it waits for a moderator
   */
  say(stream, text, token, { id = newMessageId(), replyTo = null, ...options } = {}) {
    const body = replyTo === null ? { id, text } : { id, text, reply_to: replyTo };
    return this.callStream("POST", stream, "chat", { ...options, token, body });
  }

  /**
   * Another's message is deleted by who moderates; the log says why.
   * @param {number} stream
   * @param {number} number
   * @param {string} token
   * @param {{reason?: string} & Asking} [options]
   */
  deleteMessage(stream, number, token, { reason, ...options } = {}) {
    const body = reason ? { reason } : undefined;
    return this.callStream("DELETE", stream, `chat/messages/${number}`, { ...options, token, body });
  }

  /**
   * @param {number} stream
   * @param {import("./types.js").Target & {reason: string, text?: string}} body what is reported, and why
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<{number: number}>}
   */
  report(stream, body, token, options) {
    return this.callStream("POST", stream, "chat/reports", { ...options, token, body });
  }

  /** @param {string} token @param {Asking} [options] @returns {Promise<Record<string, any>[]>} one's own, with the answers */
  async reports(token, options) {
    return (await this.call("GET", "reports", { ...options, token })).reports;
  }

  // --- moderation: a `stream` of null is all of them, for the operator ---------------------------

  /**
   * @param {string} method
   * @param {number | null} stream
   * @param {string} path below the stream's chat, or below the community
   * @param {{token?: string | null, body?: unknown} & Asking} options
   */
  #moderate(method, stream, path, options) {
    return stream === null ? this.call(method, path, options) : this.callStream(method, stream, `chat/${path}`, options);
  }

  /** @param {number} stream @param {Asking} [options] @returns {Promise<ChatSettings>} */
  settings(stream, options) {
    return this.callStream("GET", stream, "chat/settings", options);
  }

  /**
   * @param {number} stream
   * @param {Partial<ChatSettings>} body what is left out stays as it is
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<ChatSettings>}
   */
  setSettings(stream, body, token, options) {
    return this.callStream("PUT", stream, "chat/settings", { ...options, token, body });
  }

  /**
   * @param {number | null} stream
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<{reports: Reported[], held: Held[]}>} what waits for a moderator
   */
  queue(stream, token, options) {
    return this.#moderate("GET", stream, "queue", { ...options, token });
  }

  /**
   * Closes every report of a message or an account.
   * @param {number} stream
   * @param {import("./types.js").Target & {answer: "dismiss" | "delete" | "time-out" | "ban", seconds?: number,
   *   reason?: string}} body `seconds` of a time-out
   * @param {string} token
   * @param {Asking} [options]
   */
  answerReports(stream, body, token, options) {
    return this.callStream("POST", stream, "chat/reports/answer", { ...options, token, body });
  }

  /** @param {number} stream @param {string} token @param {Asking} [options] @returns {Promise<Held[]>} */
  async held(stream, token, options) {
    return (await this.callStream("GET", stream, "chat/held", { ...options, token })).held;
  }

  /** @param {number} stream @param {number} number @param {string} token @param {Asking} [options] @returns {Promise<Message>} */
  release(stream, number, token, options) {
    return this.callStream("POST", stream, `chat/held/${number}`, { ...options, token });
  }

  /** @param {number} stream @param {number} number @param {string} token @param {{reason?: string} & Asking} [options] */
  reject(stream, number, token, { reason, ...options } = {}) {
    const body = reason ? { reason } : undefined;
    return this.callStream("DELETE", stream, `chat/held/${number}`, { ...options, token, body });
  }

  /** @param {number | null} stream @param {string} token @param {Asking} [options] @returns {Promise<Filter[]>} */
  async filters(stream, token, options) {
    return (await this.#moderate("GET", stream, "filters", { ...options, token })).filters;
  }

  /**
   * @param {number | null} stream
   * @param {{pattern: string, action: "refuse" | "hold", within_words?: boolean}} body
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<{number: number}>}
   */
  addFilter(stream, body, token, options) {
    return this.#moderate("POST", stream, "filters", { ...options, token, body });
  }

  /** @param {number | null} stream @param {number} number @param {string} token @param {Asking} [options] */
  removeFilter(stream, number, token, options) {
    return this.#moderate("DELETE", stream, `filters/${number}`, { ...options, token });
  }

  /**
   * @param {number | null} stream
   * @param {string} token
   * @param {{before?: number | null, limit?: number} & Asking} [options]
   * @returns {Promise<Act[]>} what moderators did, the latest first
   */
  async acts(stream, token, { before = null, limit = 50, ...options } = {}) {
    const query = `limit=${limit}${before === null ? "" : `&before=${before}`}`;
    return (await this.#moderate("GET", stream, `acts?${query}`, { ...options, token })).acts;
  }

  /** @param {number} stream @param {string} token @param {Asking} [options] @returns {Promise<Silent[]>} */
  async mutes(stream, token, options) {
    return (await this.callStream("GET", stream, "chat/mutes", { ...options, token })).mutes;
  }

  /**
   * @param {number} stream
   * @param {string} who
   * @param {number | null} seconds null for good
   * @param {string} token
   * @param {{reason?: string, addresses?: boolean} & Asking} [options] with `addresses` nobody speaks
   *   from where they spoke, either, for 30 days at most
   */
  mute(stream, who, seconds, token, { reason, addresses, ...options } = {}) {
    const body = { seconds, reason, addresses };
    return this.callStream("PUT", stream, `chat/mutes/${encodeURIComponent(who)}`, { ...options, token, body });
  }

  /** @param {number} stream @param {string} who @param {string} token @param {{reason?: string} & Asking} [options] */
  unmute(stream, who, token, { reason, ...options } = {}) {
    const body = reason ? { reason } : undefined;
    return this.callStream("DELETE", stream, `chat/mutes/${encodeURIComponent(who)}`, { ...options, token, body });
  }

  /** @param {number} stream @param {Asking} [options] @returns {Promise<Name[]>} */
  async moderators(stream, options) {
    return (await this.callStream("GET", stream, "chat/moderators", options)).moderators;
  }

  /** @param {number} stream @param {string} who @param {string} token @param {Asking} [options] */
  nameModerator(stream, who, token, options) {
    return this.callStream("PUT", stream, `chat/moderators/${encodeURIComponent(who)}`, { ...options, token });
  }

  /** @param {number} stream @param {string} who @param {string} token @param {Asking} [options] */
  dismissModerator(stream, who, token, options) {
    return this.callStream("DELETE", stream, `chat/moderators/${encodeURIComponent(who)}`, { ...options, token });
  }

  /**
   * @param {typeof globalThis.WebSocket} [WebSocketClass] where the platform has none of its own
   * @returns {WebSocket} one for what is live, as it is
   */
  openLive(WebSocketClass = globalThis.WebSocket) {
    return new WebSocketClass(this.#client.community.socketUrl(LIVE_PATH));
  }

  /**
   * What is live, over a WebSocket that is there again when it broke; `asyncapi.json` has its messages.
   * @param {import("./live-connection.js").Heard} heard
   * @param {typeof globalThis.WebSocket} [WebSocketClass]
   * @returns {LiveConnection}
   */
  live(heard, WebSocketClass) {
    return new LiveConnection(() => this.openLive(WebSocketClass), heard, undefined, this.#client.chain);
  }
}

/** @returns {string} an id for a message, the same when it is sent again */
export function newMessageId() {
  const bytes = new Uint8Array(12);
  // It has to differ and not to be secret; Node 18 has no `crypto` without a flag.
  if (globalThis.crypto) crypto.getRandomValues(bytes);
  else bytes.forEach((_, at) => (bytes[at] = Math.floor(Math.random() * 256)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
