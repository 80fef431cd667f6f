/**
 * One server, asked over HTTP: every question ends in an answer or a `Problem`, in bounded time.
 * @module
 */

import { Problem, TimedOut, Unreachable, problemOf } from "./errors.js";

/** How long an ordinary answer may take. */
const ANSWER_WITHIN_MS = 15_000;
/** Statuses that say no more than that it is a bad moment. */
const PASSING = [0, 502, 503, 504];
const RETRY_FIRST_MS = 250;
/** Whoever is asked to wait longer than this is told so instead. */
const RETRY_MAX_MS = 3_000;

/**
 * @typedef {object} Asking
 * @property {AbortSignal} [signal] gives up, with the signal's own reason
 * @property {number} [withinMs] how long an answer may take; 15 s unless given
 */

/**
 * @typedef {object} ServerOptions
 * @property {typeof globalThis.fetch} [fetch] instead of the platform's
 * @property {number} [retries] how often a question that changes nothing (GET) is asked again where
 *   no answer came, or 502, 503 or 504; 2 unless given. Nothing else is ever repeated.
 */

export class Server {
  #fetch;
  #retries;

  /**
   * @param {string} [origin] scheme, host and perhaps port; the page's own server unless given
   * @param {ServerOptions} [options]
   */
  constructor(origin = "", { fetch, retries = 2 } = {}) {
    this.origin = origin.replace(/\/$/, "");
    this.#fetch = fetch;
    this.#retries = retries;
  }

  /** @param {string} path @returns {string} its address, as `fetch` takes it */
  url(path) {
    return this.origin + path;
  }

  /** @param {string} path @returns {string} the address of a WebSocket there */
  socketUrl(path) {
    return (this.origin || globalThis.location.origin).replace(/^http/, "ws") + path;
  }

  /**
   * @param {string} location as the server named it in an answer
   * @param {string} path of what was asked
   * @returns {string} the path that it means
   */
  pathOf(location, path) {
    return new URL(location, new URL(this.url(path), globalThis.location?.href)).pathname;
  }

  /**
   * @param {string} path
   * @param {RequestInit & Asking} [init]
   * @returns {Promise<Response>} an answer of the 200s
   * @throws {Problem} or the signal's reason
   */
  async request(path, init = {}) {
    const isSafe = (init.method ?? "GET") === "GET";
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once(path, init);
      } catch (error) {
        const isPassing = error instanceof Problem && PASSING.includes(error.status);
        if (!isSafe || !isPassing || attempt >= this.#retries) throw error;
        const waitMs = error.retryAfterMs ?? RETRY_FIRST_MS * 2 ** attempt;
        if (waitMs > RETRY_MAX_MS) throw error;
        await pause(waitMs, init.signal ?? undefined);
      }
    }
  }

  /** @param {string} path @param {RequestInit & Asking} init */
  async #once(path, { withinMs = ANSWER_WITHIN_MS, signal, ...init }) {
    signal?.throwIfAborted();
    // AbortSignal.any is younger than Node 18
    const ending = new AbortController();
    const end = () => ending.abort(signal?.reason);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      ending.abort();
    }, withinMs);
    signal?.addEventListener("abort", end, { once: true });
    try {
      const ask = this.#fetch ?? globalThis.fetch;
      const response = await ask(this.url(path), { cache: "no-store", ...init, signal: ending.signal });
      if (!response.ok) throw await problemOf(response);
      // what is read of a body comes within the same time
      const body = response.status === 204 ? null : await response.arrayBuffer();
      return new Response(body, { status: response.status, headers: response.headers });
    } catch (error) {
      if (error instanceof Problem) throw error;
      if (signal?.aborted) throw signal.reason;
      throw isLate ? new TimedOut(withinMs) : new Unreachable();
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
  }

  /**
   * @param {string} method
   * @param {string} path with `/api/v1/`
   * @param {{token?: string | null, body?: unknown} & Asking} [options]
   * @returns {Promise<any>} the answer's JSON
   * @throws {Problem} or the signal's reason
   */
  async call(method, path, { token, body, signal, withinMs } = {}) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await this.request(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      withinMs,
    });
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      throw new Problem(response.status, "unexpected", "The answer is not JSON: is it a server of PayStream?");
    }
  }
}

/**
 * @param {Record<string, string | number | null | undefined>} asked what is empty is left out
 * @returns {string} it as an address has it, with its `?`; empty where nothing is asked
 */
export function queryOf(asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query && `?${query}`;
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
