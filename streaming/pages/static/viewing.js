/**
 * One viewer watching one stream: its connection, made again when it is lost, and its paid
 * session, which outlives connections and page loads.
 * @module
 */

import * as api from "./api.js";
import { readStored } from "./wallet.js";
import { Playback } from "./whep.js";

/** How long a session waits for its viewer to come back. */
const RESUME_WITHIN_MS = 15_000;
/** Coming back by itself after longer than this would spend money nobody is waiting for. */
const RETRY_WITHIN_MS = 60_000;
const RETRY_FIRST_MS = 400;
const RETRY_MAX_MS = 5_000;
const POLL_MS = 1_000;
/** From a leave until the page asks for the close itself. */
const CLOSE_ASKED_AFTER_MS = 6_000;
const CLOSED_WITHIN_MS = 30_000;

/** @typedef {"connecting" | "playing" | "waiting-live" | "reconnecting" | "leaving" | "ended"}
 *   ViewingState */

/**
 * @typedef {object} Remembered
 * @property {string} account
 * @property {string} session
 * @property {string} resume
 * @property {number} seen_at_ms
 * @property {{watched_ms: number, frames_decoded: number, reconnects: number}} measure
 */

/** @param {number} stream */
const memoryKey = (stream) => `paystream.viewing.${stream}`;

/**
 * What this tab was watching when it was left a moment ago, if it may go on.
 * @param {number} stream
 * @returns {Remembered | null}
 */
export function remembered(stream) {
  const memory = readStored(sessionStorage, memoryKey(stream));
  return memory && Date.now() - memory.seen_at_ms < RESUME_WITHIN_MS ? memory : null;
}

/**
 * Dispatches `change` when `state` changes, `media` when another `media` is to be played and
 * `figures` when `session` has new figures.
 */
export class Viewing extends EventTarget {
  /** @type {ViewingState} */
  state = "connecting";
  /** Why it ended; see `reasons.js`. @type {string | null} */
  reason = null;
  /** @type {api.Problem | null} */
  problem = null;
  /** @type {MediaStream | null} */
  media = null;
  /** `grant-index` @type {string} */
  reference = "";
  /** What the server last said about it. @type {api.Session | null} */
  session = null;
  reconnects = 0;

  /** @type {Playback | null} */
  #playback = null;
  #resume = "";
  #paused = false;
  #stopped = false;
  #attempt = 0;
  #tryingSince = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poll;

  /**
   * @param {number} stream
   * @param {string} account
   * @param {string} token
   * @param {() => {watched_ms: number, frames_decoded: number}} measure asked when remembering
   */
  constructor(stream, account, token, measure) {
    super();
    this.stream = stream;
    this.account = account;
    this.token = token;
    this.measure = measure;
  }

  /** @param {ViewingState} state */
  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Remembered | null} [memory] the session to go on with */
  start(memory = null) {
    this.#resume = memory?.resume ?? "";
    this.reference = memory?.session ?? "";
    this.reconnects = memory ? memory.measure.reconnects + 1 : 0;
    this.#tryingSince = performance.now();
    return this.#connect();
  }

  async #connect() {
    if (this.#stopped) return;
    try {
      const playback = await Playback.open(this.stream, {
        token: this.token,
        resume: this.#resume || undefined,
      });
      if (this.#stopped) return void (await playback.leave());
      this.#attach(playback);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** @param {Playback} playback */
  #attach(playback) {
    this.#playback = playback;
    if (this.reference !== playback.session) this.session = null;
    this.reference = playback.session;
    this.#resume = playback.resume;
    this.#attempt = 0;
    this.media = playback.media;
    playback.addEventListener("lost", () => this.#lost(playback));
    this.remember();
    this.dispatchEvent(new Event("media"));
    this.#set("playing");
    if (this.#paused) playback.setPaused(true).catch(() => null);
    this.#look();
  }

  /** @param {unknown} error */
  #refused(error) {
    if (this.#stopped) return;
    const problem =
      error instanceof api.Problem
        ? error
        : new api.Problem(0, "media-failed", `The player failed. ${String(error)}`);
    this.problem = problem;
    const patient = performance.now() - this.#tryingSince < RETRY_WITHIN_MS;
    if (problem.status === 402) return this.#end(this.#whyUnpayable(problem));
    if (problem.status === 401 || problem.status === 403) return this.#end("token-ended");
    if (problem.status === 404 || problem.status === 410) return this.#end("stream-ended");
    if (problem.status === 409 && problem.code === "not-live") {
      if (!patient) return this.#end("publisher-gone");
      return this.#again("waiting-live", problem.retryAfterMs ?? 2_000);
    }
    const passing = problem.status === 0 || problem.status >= 500 || problem.status === 409;
    if (!passing || !patient) return this.#end(problem.status === 0 ? "unreachable" : problem.code);
    const backOff = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#attempt++);
    this.#again(this.reconnects > 0 ? "reconnecting" : "connecting", problem.retryAfterMs ?? backOff);
  }

  /** @param {api.Problem} problem */
  #whyUnpayable(problem) {
    const missing = problem.terms?.missing ?? [];
    if (missing.includes("grant") || missing.includes("cap")) return "grant-ended";
    return missing.includes("slot") ? "slot-taken" : "funds";
  }

  /** @param {ViewingState} state @param {number} afterMs */
  #again(state, afterMs) {
    this.#set(state);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), afterMs);
  }

  /** @param {Playback} playback */
  async #lost(playback) {
    if (playback !== this.#playback || this.#stopped) return;
    playback.close();
    this.#playback = null;
    clearTimeout(this.#poll);
    this.#tryingSince = performance.now();
    this.reconnects += 1;
    this.#set("reconnecting");
    await this.#refresh();
    const { reason, status, close_reason: closeReason } = this.session ?? {};
    if (this.#stopped) return;
    if (reason && reason !== "budget") return this.#end(reason);
    if (status === "closed" && /funds/i.test(closeReason ?? "")) return this.#end("funds");
    await this.#connect();
  }

  /** Asks for the session's figures, now and every second. */
  async #look() {
    clearTimeout(this.#poll);
    await this.#refresh();
    this.remember();
    if (!this.#stopped && this.#playback) this.#poll = setTimeout(() => this.#look(), POLL_MS);
  }

  async #refresh() {
    if (!this.reference) return;
    try {
      this.session = await api.session(this.reference, this.token);
      this.dispatchEvent(new Event("figures"));
    } catch (error) {
      // The media says soon enough when it is over; figures may be missing for a while.
      if (error instanceof api.Problem) this.problem = error;
    }
  }

  /** Keeps what a reload needs to go on with the same session. */
  remember() {
    if (this.#stopped || !this.#resume) return;
    const measure = { ...this.measure(), reconnects: this.reconnects };
    const memory = {
      account: this.account,
      session: this.reference,
      resume: this.#resume,
      seen_at_ms: Date.now(),
      measure,
    };
    sessionStorage.setItem(memoryKey(this.stream), JSON.stringify(memory));
  }

  /**
   * Nothing is sent, and nothing paid, while nobody sees or hears it.
   * @param {boolean} paused
   */
  setPaused(paused) {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#playback?.setPaused(paused).catch(() => null);
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#stopped) return;
    this.#stop(reason);
    this.#playback?.close();
    this.#set("ended");
  }

  /** @param {string} reason */
  #stop(reason) {
    this.#stopped = true;
    this.reason = reason;
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    sessionStorage.removeItem(memoryKey(this.stream));
  }

  /**
   * Leaves, and follows the session until it is closed on the ledger.
   * @returns {Promise<void>}
   */
  async leave() {
    if (this.#stopped) return;
    this.#stop("left");
    this.#set("leaving");
    await this.#playback?.leave();
    const since = performance.now();
    let asked = false;
    while (this.reference && performance.now() - since < CLOSED_WITHIN_MS) {
      await this.#refresh();
      const status = this.session?.status;
      if (status === "closed" || status === "failed") break;
      if (!asked && status !== "closing" && performance.now() - since > CLOSE_ASKED_AFTER_MS) {
        asked = true;
        await api.closeSession(this.reference, this.token).catch(() => null);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS / 2));
    }
    this.#set("ended");
  }
}
