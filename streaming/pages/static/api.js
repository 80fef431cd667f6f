/**
 * The REST interface of the server that these pages come from.
 * @module
 */

/**
 * @typedef {object} ChainInfo
 * @property {string} genesis_hash
 * @property {{address: string, name: string, type: string}[]} [development_accounts] on a
 *   development chain, whose accounts everybody can sign as
 * @property {string} chain
 * @property {string} symbol
 * @property {number} decimals
 */

/**
 * What an amount is of; servers of before said it for the chain alone.
 * @typedef {object} Unit
 * @property {string} [asset] `native`, or an asset's number
 * @property {string} [symbol]
 * @property {number} [decimals]
 */

/**
 * @typedef {object} Tier
 * @property {string} price of a period
 * @property {number} period_ms
 * @property {number} discount_ppm what it takes off the price of a second
 */

/**
 * @typedef {object} StreamFields
 * @property {number} id
 * @property {string} owner
 * @property {string} rate_per_second smallest units
 * @property {"active" | "paused" | "ended"} status
 * @property {string} funds_min
 * @property {number} gap_min_ms
 * @property {string} earned not yet claimed
 * @property {string} earned_total
 * @property {number} seconds
 * @property {string} [tips_total] part of what it earned
 * @property {Tier[]} [tiers]
 * @property {boolean} [live]
 * @property {number} [viewers]
 * @property {import("./community.js").Card | null} [card] what its owner says that it is about; where
 *   the server has no community, it says neither this nor the next
 * @property {import("./community.js").Name} [owner_name]
 */
/** @typedef {StreamFields & Unit} Stream */

/**
 * @typedef {object} Grant
 * @property {number} id
 * @property {string} cap_left
 * @property {string} rate_max_per_second
 * @property {number} expires_at
 * @property {number} sessions_max
 * @property {number} sessions_open
 */

/**
 * What paying takes: a `deposit` of at most `deposit_max`, both in the stream's asset. From
 * `storage_deposit` on all is in the chain's own token. Servers of before did not say the last ones.
 * @typedef {object} Needs
 * @property {string} deposit
 * @property {string} cap
 * @property {string} rate_max_per_second
 * @property {number} gap_ms
 * @property {number} [sessions_max] with which everything is reckoned
 * @property {string} [deposit_max] all that the account can deposit beside everything else
 * @property {string} [storage_deposit] held for the grant
 * @property {string} [fees]
 * @property {string} [existential_deposit] has to stay in the account
 * @property {string} [total]
 */

/**
 * @typedef {object} TermsFields
 * @property {number} stream
 * @property {string} rate_per_second
 * @property {string} viewer
 * @property {string} delegate
 * @property {string} vault
 * @property {Grant | null} grant
 * @property {string} free_balance
 * @property {string[]} missing any of `funds`, `grant`, `rate`, `cap`, `slot`, `gap`
 * @property {{amount: string, suffices: boolean}} [returning_soon] what sessions that are being
 *   closed will give back, and whether that is all that is missing
 * @property {Needs} [needs]
 * @property {string} [has] of the chain's own token
 * @property {string} [short_by] what it has too little of that for `needs.deposit` and the rest
 * @property {string} [asset_short_by] the same of the stream's asset, where that is another
 * @property {boolean} payable
 */
/** @typedef {TermsFields & Unit} Terms */

/**
 * @typedef {object} Session
 * @property {number} grant
 * @property {number} index
 * @property {number} stream
 * @property {string} rate_per_second
 * @property {"opening" | "open" | "closing" | "closed" | "failed"} status
 * @property {number} delivered_ms
 * @property {number} paid_seconds
 * @property {string} paid
 * @property {string} [vault]
 * @property {number | null} [runway_seconds]
 * @property {string} [end_reason] why the media ended
 * @property {string} [close_reason] why the ledger closed it
 * @property {number} ticks
 */

/** How long an ordinary answer may take. */
const ANSWER_WITHIN_MS = 15_000;

/**
 * What the server says is wrong (RFC 9457), or that it cannot be reached (`status` 0,
 * code `unreachable`).
 */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   * @param {{field?: string, terms?: Terms, retryAfterMs?: number}} [more]
   */
  constructor(status, code, detail, more = {}) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.field = more.field;
    this.terms = more.terms;
    /** When to try again, in milliseconds, if the server said so. */
    this.retryAfterMs = more.retryAfterMs;
  }

  /** Whether a new token would help. */
  get isTokenGone() {
    return this.status === 401;
  }
}

/**
 * The problem that a refused response describes.
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function problemOf(response) {
  /** @type {Record<string, any>} */
  let body = {};
  try {
    body = JSON.parse(await response.text());
  } catch {
    // Not every refusal on the way is ours: a proxy may answer with a page.
  }
  return new Problem(
    response.status,
    String(body.code ?? "unexpected"),
    String(body.detail ?? body.title ?? `The server answered ${response.status}.`),
    {
      field: body.field,
      terms: body.terms,
      retryAfterMs: waitMs(response.headers.get("Retry-After")),
    },
  );
}

/**
 * @param {string | null} value of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3)
 * @returns {number | undefined}
 */
function waitMs(value) {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? ms : undefined;
}

/**
 * A request that ends in an answer or a `Problem`, never in anything else.
 * @param {string} path
 * @param {RequestInit & {withinMs?: number}} [init]
 * @returns {Promise<Response>} an answer of the 200s
 */
export async function request(path, init = {}) {
  const limit = AbortSignal.timeout(init.withinMs ?? ANSWER_WITHIN_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...init, signal });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "The server cannot be reached. Trying again may help.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * @param {string} method
 * @param {string} path below `/api/v1/`
 * @param {{token?: string | null, body?: unknown, signal?: AbortSignal, withinMs?: number}} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, { token, body, signal, withinMs } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await request(`/api/v1/${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    withinMs,
  });
  return response.status === 204 ? null : response.json();
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

/** @returns {Promise<ChainInfo>} */
export const info = () => call("GET", "info");

/**
 * The ledger writes `Active` where pages say `active`.
 * @param {any} stream
 * @returns {Stream}
 */
const readStream = (stream) => ({ ...stream, status: stream.status.toLowerCase() });

/** More pages of 500 streams than these are not asked for. */
const STREAM_PAGES_MAX = 10;

/** @returns {Promise<Stream[]>} */
export async function streams() {
  const found = [];
  let after = "";
  for (let page = 0; page < STREAM_PAGES_MAX; page += 1) {
    const answer = await call("GET", `streams${after}`);
    found.push(...answer.streams.map(readStream));
    if (answer.next === null || answer.next === undefined) break;
    after = `?after=${answer.next}`;
  }
  return found;
}

/**
 * @param {number} id
 * @returns {Promise<Stream>}
 */
export const stream = async (id) => readStream(await call("GET", `streams/${id}`));

/**
 * @param {number} id
 * @param {string} token
 * @returns {Promise<Terms>}
 */
export const terms = (id, token) => call("GET", `streams/${id}/terms`, { token });

/**
 * @param {{account: string, purpose: "watch" | "publish", stream?: number}} body
 * @returns {Promise<{challenge: string, message: string, expires_at_ms: number}>}
 */
export const challenge = (body) => call("POST", "challenge", { body });

/**
 * @param {{challenge: string, signature: string}} body
 * @returns {Promise<{token: string, expires_at_ms: number}>}
 */
export const token = (body) => call("POST", "token", { body });

/**
 * @param {string} current
 * @returns {Promise<{token: string, expires_at_ms: number}>}
 */
export const renewToken = (current) =>
  call("POST", "token/renew", { token: current, body: { token: current } });

/**
 * @param {string} account
 * @param {Record<string, unknown>} walletCall
 * @param {string | null} [bearer]
 * @returns {Promise<{payload: Record<string, any>, submission: string, summary: string}>}
 */
export const prepare = (account, walletCall, bearer) =>
  call("POST", "wallet/prepare", { token: bearer, body: { account, call: walletCall } });

/**
 * @param {string} submission
 * @param {string} signature
 * @param {string | null} [bearer]
 * @returns {Promise<{submission: string, status: string}>}
 */
export const submit = (submission, signature, bearer) =>
  call("POST", "wallet/submit", { token: bearer, body: { submission, signature } });

/**
 * @param {string} submission
 * @param {string | null} [bearer]
 * @returns {Promise<{status: "waiting" | "in_block" | "finalized" | "failed", detail?: string,
 *   result?: Record<string, any>}>}
 */
export const submission = (submission, bearer) =>
  call("GET", `wallet/${encodeURIComponent(submission)}`, { token: bearer });

/**
 * @param {string} token
 * @returns {Promise<Session[]>}
 */
export const sessions = async (token) => (await call("GET", "sessions", { token })).sessions;

/**
 * @param {string} reference `grant-index`
 * @param {string} token
 * @returns {Promise<Session>}
 */
export const session = (reference, token) => call("GET", `sessions/${reference}`, { token });

/**
 * @param {string} reference `grant-index`
 * @param {string} token
 */
export const closeSession = (reference, token) => call("DELETE", `sessions/${reference}`, { token });

/**
 * A signature of a development account, whose key is public; 404 on every other chain.
 * @param {string} account
 * @param {"raw" | "payload"} kind
 * @param {string | Record<string, any>} data
 * @returns {Promise<{signature: string}>}
 */
export const signForDevelopment = (account, kind, data) =>
  call("POST", "development/sign", { body: { account, kind, data } });
