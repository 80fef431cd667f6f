/**
 * Streams, terms, sessions and payment: what the media server answers, and what owners say of their
 * streams beside it.
 * @module
 */

import { Server, queryOf } from "./server.js";

/** @typedef {import("./types.js").ChainInfo} ChainInfo */
/** @typedef {import("./types.js").Stream} Stream */
/** @typedef {import("./types.js").Token} Token */
/** @typedef {import("./types.js").Unit} Unit */
/** @typedef {import("./server.js").Asking} Asking */
/**
 * Which streams: an account's, those of some numbers (100 at most), or those that are live.
 * @typedef {{owner?: string, ids?: number[], live?: boolean}} Which
 */

/** More pages of 500 streams than these are not asked for. */
const STREAM_PAGES_MAX = 10;
/** Streams that one question may name. */
const IDS_NAMED_MAX = 100;
/** For so long a card is shown as it was heard, where the community is another server. */
const CARD_REMEMBERED_MS = 10_000;

/**
 * The ledger writes `Active` where pages say `active`.
 * @param {any} stream
 * @returns {Stream}
 */
const readStream = (stream) => ({ ...stream, status: stream.status.toLowerCase() });

export class Client {
  /** Where streams, payment and media are. */
  media;
  /** Where accounts, cards and chat are. */
  community;
  /** The name of the chain, if it has one. */
  chain;
  /** What stands in front of every path about it. */
  place;

  /** @type {Map<number, {atMs: number, card: any, owner_name: any}>} */
  #cards = new Map();

  /**
   * @param {{media?: string, community?: string, chain?: string} &
   *   import("./server.js").ServerOptions} [options] origins of the servers: `media` is the page's own
   *   unless given, `community` the same as `media`. `chain` is the name of one of several
   */
  constructor({ media = "", community = media, chain = "", ...how } = {}) {
    this.media = new Server(media, how);
    this.community = community === media ? this.media : new Server(community, how);
    this.chain = chain;
    this.place = chain ? `/chains/${chain}` : "";
  }

  /**
   * Asks the media server about this chain.
   * @param {string} method
   * @param {string} path below `/api/v1/`
   * @param {{token?: string | null, body?: unknown} & Asking} [options]
   * @returns {Promise<any>}
   */
  call(method, path, options) {
    return this.media.call(method, `${this.place}/api/v1/${path}`, options);
  }

  /** @param {Asking} [options] @returns {Promise<ChainInfo>} the chain's facts */
  info(options) {
    return this.call("GET", "info", options);
  }

  /**
   * @param {Which & Asking} [options]
   * @returns {Promise<Stream[]>} every stream, or those that are meant, by number
   */
  async streams(options) {
    const found = [];
    /** @type {number | undefined} */
    let after;
    for (let page = 0; page < STREAM_PAGES_MAX; page += 1) {
      const { streams, next } = await this.streamPage({ ...options, after });
      found.push(...streams);
      if (next === null) break;
      after = next;
    }
    return found;
  }

  /**
   * @param {{after?: number, limit?: number} & Which & Asking} [options]
   * @returns {Promise<{streams: Stream[], next: number | null}>} a page of streams by number: at most
   *   500, or `limit`, above `after`; and the `after` of the next page
   */
  async streamPage({ after, limit, owner, ids, live, ...options } = {}) {
    if (ids?.length === 0) return { streams: [], next: null };
    const meant = queryOf({ after, limit, owner, ids: ids?.join() });
    const asked = live ? queryOf({ after, limit, owner, ids: ids?.join(), live: 1 }) : meant;
    const [answer] = await Promise.all([
      this.call("GET", `streams${asked}`, options),
      live ? null : this.#hearCards(`cards${meant}`, options),
    ]);
    // which are live the community does not know: it is asked for those that were named
    if (live) await this.#hearCardsOf(answer.streams, options);
    const streams = answer.streams.map((/** @type {any} */ each) => this.#described(readStream(each)));
    return { streams, next: answer.next ?? null };
  }

  /** @param {{id: number}[]} streams @param {Asking} [options] */
  async #hearCardsOf(streams, options) {
    for (let at = 0; at < streams.length; at += IDS_NAMED_MAX) {
      const ids = streams.slice(at, at + IDS_NAMED_MAX).map(({ id }) => id);
      await this.#hearCards(`cards${queryOf({ ids: ids.join() })}`, options);
    }
  }

  /** @param {number} id @param {Asking} [options] @returns {Promise<Stream>} */
  async stream(id, options) {
    const known = this.#cards.get(id);
    const isFresh = known !== undefined && performance.now() - known.atMs < CARD_REMEMBERED_MS;
    const [answer] = await Promise.all([
      this.call("GET", `streams/${id}`, options),
      isFresh ? null : this.#hearCards(id > 0 ? `cards?after=${id - 1}&limit=1` : "cards?limit=1", options),
    ]);
    return this.#described(readStream(answer));
  }

  /**
   * Where the community is another server, it is asked what the owners say; where it does not
   * answer, streams are shown with what was heard last, or without.
   * @param {string} path
   * @param {Asking} [options]
   */
  async #hearCards(path, options) {
    if (this.community === this.media) return;
    try {
      const { cards } = await this.community.call("GET", `${this.place}/api/v1/${path}`, options);
      for (const { stream, ...said } of cards) this.#cards.set(stream, { atMs: performance.now(), ...said });
    } catch {
      options?.signal?.throwIfAborted();
    }
  }

  /** @param {Stream} stream @returns {Stream} */
  #described(stream) {
    const said = this.#cards.get(stream.id);
    return said ? { ...stream, card: said.card, owner_name: said.owner_name } : stream;
  }

  /**
   * @param {number} id of a stream
   * @param {string} token to watch
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Terms>} what watching costs, and what is missing for it
   */
  terms(id, token, options) {
    return this.call("GET", `streams/${id}/terms`, { ...options, token });
  }

  /**
   * @param {{account: string, purpose: "watch" | "publish", stream?: number}} body
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Challenge>} a text to be signed
   */
  challenge(body, options) {
    return this.call("POST", "challenge", { ...options, body });
  }

  /**
   * @param {{challenge: string, signature: string}} body
   * @param {Asking} [options]
   * @returns {Promise<Token>} a token for a signed challenge
   */
  token(body, options) {
    return this.call("POST", "token", { ...options, body });
  }

  /**
   * A token for one signature.
   * @param {{account: string, purpose: "watch" | "publish", stream?: number}} asked
   * @param {import("./types.js").SignText} sign
   * @param {Asking} [options]
   * @returns {Promise<Token>}
   */
  async signIn(asked, sign, options) {
    const { challenge, message } = await this.challenge(asked, options);
    return this.token({ challenge, signature: await sign(message) }, options);
  }

  /** @param {string} current @param {Asking} [options] @returns {Promise<Token>} a token for a token */
  renewToken(current, options) {
    return this.call("POST", "token/renew", { ...options, token: current, body: { token: current } });
  }

  /**
   * @param {string} account
   * @param {Record<string, unknown>} walletCall
   * @param {string | null} [token]
   * @param {Asking} [options]
   * @returns {Promise<{payload: Record<string, any>, submission: string, summary: string}>} what a
   *   wallet is to sign
   */
  prepare(account, walletCall, token, options) {
    return this.call("POST", "wallet/prepare", { ...options, token, body: { account, call: walletCall } });
  }

  /**
   * @param {string} submission
   * @param {string} signature
   * @param {string | null} [token]
   * @param {Asking} [options]
   * @returns {Promise<{submission: string, status: string}>}
   */
  submit(submission, signature, token, options) {
    return this.call("POST", "wallet/submit", { ...options, token, body: { submission, signature } });
  }

  /**
   * @param {string} submission
   * @param {string | null} [token]
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Submission>} where it is
   */
  submission(submission, token, options) {
    return this.call("GET", `wallet/${encodeURIComponent(submission)}`, { ...options, token });
  }

  /** @param {string} token @param {Asking} [options] @returns {Promise<import("./types.js").Session[]>} */
  async sessions(token, options) {
    return (await this.call("GET", "sessions", { ...options, token })).sessions;
  }

  /**
   * @param {string} reference `grant-index`
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Session>}
   */
  session(reference, token, options) {
    return this.call("GET", `sessions/${reference}`, { ...options, token });
  }

  /**
   * @param {string} reference `grant-index`
   * @param {string} token
   * @param {Asking} [options]
   * @returns {Promise<import("./types.js").Session>}
   */
  closeSession(reference, token, options) {
    return this.call("DELETE", `sessions/${reference}`, { ...options, token });
  }

  /**
   * A signature of a development account, whose key is public; 404 on every other chain.
   * @param {string} account
   * @param {"raw" | "payload"} kind
   * @param {string | Record<string, any>} data
   * @param {Asking} [options]
   * @returns {Promise<{signature: string}>}
   */
  signForDevelopment(account, kind, data, options) {
    return this.call("POST", "development/sign", { ...options, body: { account, kind, data } });
  }
}

/**
 * The chain's facts, with its token's name and decimals replaced by those of another asset.
 * @param {ChainInfo} chain
 * @param {Unit} unit
 * @returns {ChainInfo}
 */
export const inUnitOf = (chain, unit) => ({
  ...chain,
  symbol: unit.symbol ?? chain.symbol,
  decimals: unit.decimals ?? chain.decimals,
});

/**
 * The part of a wallet's call that names its asset; nothing for the chain's own token.
 * @param {Unit} unit
 * @returns {{asset?: string}}
 */
export const assetOf = (unit) => (unit.asset && unit.asset !== "native" ? { asset: unit.asset } : {});
