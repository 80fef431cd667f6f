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

/** A new connection would open another session, or none: its viewer has to decide. */
const ENDS_FOR_GOOD = [
  "funds",
  "grant-ended",
  "token-ended",
  "stream-ended",
  "open-refused",
  "session-closed",
];

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

  /** Tells the other tabs of this browser who has which session. */
  #tabs = new BroadcastChannel("paystream.viewing");
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
    // Two tabs that take one session from each other in turn would never end: the later one has it.
    this.#tabs.onmessage = ({ data }) => {
      if (data === this.reference) this.#end("replaced");
    };
    if (memory) this.#tabs.postMessage(this.reference);
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
    this.#tabs.postMessage(this.reference);
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
    if (missing.includes("grant")) return "grant-ended";
    if (missing.includes("funds")) return "funds";
    if (missing.includes("cap")) return "grant-ended";
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
    if (this.#stopped) return;
    const reason = this.#whyOver();
    if (reason) return this.#end(reason);
    await this.#connect();
  }

  /** @returns {string | null} why the session is over, if it is and another would be no help */
  #whyOver() {
    const { end_reason: reason, close_reason: closeReason, status } = this.session ?? {};
    if (closeReason === "FundsExhausted") return "funds";
    if (!reason || status === "open" || status === "opening") return null;
    return ENDS_FOR_GOOD.includes(reason) ? reason : null;
  }

  /** Asks for the session's figures, now and every second. */
  async #look() {
    clearTimeout(this.#poll);
    await this.#refresh();
    if (this.session?.status === "closed") await this.#findNext();
    this.remember();
    if (!this.#stopped && this.#playback) this.#poll = setTimeout(() => this.#look(), POLL_MS);
  }

  /**
   * A session that was silent for too long has lapsed; when frames come again, the server goes on
   * in another one over the same connection.
   */
  async #findNext() {
    const all = await api.sessions(this.token).catch(() => []);
    const open = all.filter(({ stream, status }) => stream === this.stream && ["opening", "open"].includes(status));
    const next = open.sort((a, b) => a.grant - b.grant || a.index - b.index).at(-1);
    if (next && this.#playback) this.reference = `${next.grant}-${next.index}`;
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
    if (reason !== "replaced") this.#untilClosed(false);
  }

  /** @param {string} reason */
  #stop(reason) {
    this.#stopped = true;
    this.reason = reason;
    this.#tabs.close();
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
    await this.#untilClosed(true);
    this.#set("ended");
  }

  /**
   * Follows the session until it is closed on the ledger.
   * @param {boolean} ask whether to ask for that, if it does not come by itself
   */
  async #untilClosed(ask) {
    const since = performance.now();
    let asked = !ask;
    while (this.reference && performance.now() - since < CLOSED_WITHIN_MS) {
      await this.#refresh();
      const status = this.session?.status;
      if (status === "closed" || status === "failed") return;
      if (!asked && status !== "closing" && performance.now() - since > CLOSE_ASKED_AFTER_MS) {
        asked = true;
        await api.closeSession(this.reference, this.token).catch(() => null);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
