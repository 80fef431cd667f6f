/**
 * One viewer watching one stream: its connection, made again when it is lost, and its paid
 * session, which outlives connections and page loads.
 * @module
 */

import * as api from "./api.js";
import { readStored } from "./wallet.js";
import { Playback } from "./sdk/whep.js";
import { LEASE_MS } from "./sdk/wanted-state.js";

/** How long a session waits for its viewer to come back. */
const RESUME_WITHIN_MS = 15_000;
/** Coming back by itself after longer than this would spend money nobody is waiting for. */
const RETRY_WITHIN_MS = 60_000;
const RETRY_FIRST_MS = 400;
const RETRY_MAX_MS = 5_000;
/** From one question to the next; never more than one is asked in that time. */
const POLL_MS = 1_000;
/** The same while it is paused, and the server has said so. */
const CALM_POLL_MS = 5_000;
/** Every so many questions one is about the connection; the others are about the session. */
const STATUS_EVERY = { uneasy: 2, usual: 5 };
/** What the server said is taken for the present for so long. */
const STATUS_FRESH_MS = 6_500;
/** Delivered seconds that do not rise for so long stand still. */
const STILL_MS = 2_000;
const WAIT_FOR_TURN_MS = 5_000;
/** An answer to a join that takes longer than this waits for the ledger. */
const OPENING_AFTER_MS = 1_500;
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

/**
 * `waiting-turn`: the server asks to wait. `parked`: paused, and without a connection.
 * @typedef {"connecting" | "playing" | "waiting-live" | "waiting-turn" | "reconnecting" | "parked"
 *   | "leaving" | "ended"} ViewingState
 */

/**
 * What is known about the viewer's own pause. Only `paused` means that the server has said so;
 * `unknown` that it was silent for so long that the page has closed its end of the media.
 * @typedef {"none" | "pausing" | "paused" | "unknown" | "resuming"} PauseState
 */

/**
 * @typedef {object} Remembered
 * @property {string} account
 * @property {string} session
 * @property {string} resume
 * @property {number} seen_at_ms
 * @property {{watched_ms: number, frames_decoded: number, freezes_ms: number,
 *   reconnects: number}} measure
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
  /** Whether the server has answered the stop; `null` before that. @type {boolean | null} */
  isStopAnswered = null;
  /** When it is tried again, by `performance.now()`. */
  retryAt = 0;
  /** The page sees no picture, so that the server is asked more often. */
  isUneasy = false;

  /** Tells the other tabs of this browser who has which session. */
  #tabs = new BroadcastChannel("paystream.viewing");
  /** @type {Playback | null} */
  #playback = null;
  #resume = "";
  #paused = false;
  /** @type {import("./sdk/whep.js").Status | null} */
  #status = null;
  #statusAt = -Infinity;
  #delivered = { ms: -1, since: 0, heard: 0 };
  #turn = 0;
  #hasChosen = false;
  #askedToWaitMs = 0;
  #stopped = false;
  #attempt = 0;
  /** The join that is not answered yet. @type {{abort: AbortController, since: number} | null} */
  #join = null;
  #tryingSince = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poll;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #silence;

  /**
   * @param {number} stream
   * @param {string} account
   * @param {string} token
   * @param {() => {watched_ms: number, frames_decoded: number, freezes_ms: number}} measure asked
   *   when remembering
   */
  constructor(stream, account, token, measure) {
    super();
    this.stream = stream;
    this.account = account;
    this.token = token;
    this.measure = measure;
  }

  /** @returns {PauseState} */
  get pause() {
    const pause = this.#playback?.pause;
    if (!pause) return "none";
    if (pause.isGone || pause.isAnswered) return this.#paused ? "paused" : "none";
    if (!this.#paused) return "resuming";
    return pause.silentMs > LEASE_MS ? "unknown" : "pausing";
  }

  /** Whether the server takes its time to open the session: it waits for the ledger's pace. */
  get isOpening() {
    return this.#join !== null && performance.now() - this.#join.since > OPENING_AFTER_MS;
  }

  /** Why the server does not simply forward, as it said last; empty if it does. */
  get reasons() {
    const fresh = performance.now() - this.#statusAt < STATUS_FRESH_MS;
    return (fresh && this.#status?.reasons) || [];
  }

  /** Whether the server says, again and again, that no further second was delivered. */
  get standsStill() {
    const { since, heard } = this.#delivered;
    return heard - since >= STILL_MS;
  }

  /**
   * What the viewer has chosen where the path carries sound alone, and whether the server has
   * answered; `null` before there is a choice.
   * @type {{alone: boolean, isAnswered: boolean} | null}
   */
  get soundChoice() {
    const sound = this.#playback?.sound;
    if (!sound || !this.#hasChosen) return null;
    return { alone: sound.wanted === true, isAnswered: sound.isAnswered };
  }

  /** How long sound alone is still free: what the server said last, less the time since. */
  get soundFreeMs() {
    const saidMs = this.#status?.sound_free_ms ?? 0;
    return Math.max(0, saidMs - (performance.now() - this.#statusAt));
  }

  /** @param {boolean} alone to go on with sound, or else to wait for the picture */
  chooseSound(alone) {
    this.#hasChosen = true;
    this.#playback?.sound.want(alone, true);
    this.dispatchEvent(new Event("change"));
  }

  /** How long the browser says that the picture stood still. */
  async freezesMs() {
    return (await this.#playback?.freezesMs()) ?? 0;
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
    this.#silence = setInterval(() => {
      if (this.pause === "unknown" && this.#playback && this.state !== "parked") this.#park(this.#playback);
    }, POLL_MS);
    return this.#connect();
  }

  async #connect() {
    if (this.#stopped) return;
    const join = { abort: new AbortController(), since: performance.now() };
    this.#join = join;
    try {
      const playback = await Playback.open(api.client, this.stream, {
        token: this.token,
        resume: this.#resume || undefined,
        signal: join.abort.signal,
      });
      this.#join = null;
      if (this.#stopped) return void (await playback.leave());
      this.#attach(playback);
    } catch (error) {
      this.#join = null;
      this.#refused(error);
    }
  }

  /** @param {Playback} playback */
  #attach(playback) {
    this.#playback?.forget();
    this.#playback = playback;
    this.#status = null;
    this.#hasChosen = false;
    if (this.reference !== playback.session) this.session = null;
    this.reference = playback.session;
    this.#resume = playback.resume;
    this.#attempt = 0;
    this.media = playback.media;
    playback.addEventListener("lost", () => this.#lost(playback));
    playback.addEventListener("intent", () => this.#intentChanged(playback));
    this.remember();
    this.#tabs.postMessage(this.reference);
    this.dispatchEvent(new Event("media"));
    this.#set("playing");
    playback.pause.want(this.#paused);
    this.#look();
  }

  /** @param {Playback} playback */
  #intentChanged(playback) {
    if (playback !== this.#playback || this.#stopped) return;
    this.dispatchEvent(new Event("change"));
    if (playback.pause.isGone) this.#lost(playback);
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
    if (problem.status === 402 && patient && problem.terms?.returning_soon?.suffices) {
      return this.#again("waiting-turn", problem.retryAfterMs ?? WAIT_FOR_TURN_MS);
    }
    if (problem.status === 402) return this.#end(this.#whyUnpayable(problem));
    if (problem.status === 401 || problem.status === 403) return this.#end("token-ended");
    if (problem.status === 404 || problem.status === 410) return this.#end("stream-ended");
    if (problem.status === 409 && problem.code === "not-live") {
      if (!patient) return this.#end("publisher-gone");
      return this.#again("waiting-live", problem.retryAfterMs ?? 2_000);
    }
    if (problem.status === 429) {
      return this.#again("waiting-turn", problem.retryAfterMs ?? WAIT_FOR_TURN_MS);
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
    this.retryAt = performance.now() + afterMs;
    this.#retry = setTimeout(() => this.#connect(), afterMs);
  }

  /** @param {Playback} playback */
  async #lost(playback) {
    if (playback !== this.#playback || this.#stopped || this.state === "parked") return;
    if (this.#paused) return this.#park(playback);
    await this.#connectAgain(playback);
  }

  /**
   * Nobody watches: no connection is made until somebody does. A pause that was not answered is
   * still repeated, until the server says that it is so, or that the connection is gone.
   * @param {Playback} playback
   */
  #park(playback) {
    playback.close();
    this.#set("parked");
  }

  /** @param {Playback} playback the connection that was */
  async #connectAgain(playback) {
    playback.forget();
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

  /** Asks for the session's figures and, more rarely, what the server does; again and again. */
  async #look() {
    clearTimeout(this.#poll);
    const paused = this.pause === "paused";
    const uneasy = paused || this.isUneasy || this.reasons.length > 0;
    const every = uneasy ? STATUS_EVERY.uneasy : STATUS_EVERY.usual;
    const isTold = this.#turn++ % every === 1 && (await this.#askStatus());
    if (!isTold) await this.#refresh();
    if (this.session?.status === "closed") await this.#findNext();
    this.remember();
    if (this.#stopped || !this.#playback) return;
    const afterMs = Math.max(this.pause === "paused" ? CALM_POLL_MS : POLL_MS, this.#askedToWaitMs);
    this.#askedToWaitMs = 0;
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => this.#look(), afterMs);
  }

  /** @returns {Promise<boolean>} whether the server has said what it does */
  async #askStatus() {
    const playback = this.#playback;
    const status = (await playback?.status()) ?? null;
    if (!status || playback !== this.#playback) return false;
    this.#status = status;
    this.#statusAt = performance.now();
    if (!status.reasons.includes("path")) this.#hasChosen = false;
    this.dispatchEvent(new Event("change"));
    return true;
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
      this.#hear(this.session.delivered_ms);
      this.dispatchEvent(new Event("figures"));
    } catch (error) {
      // The media says soon enough when it is over; figures may be missing for a while.
      if (!(error instanceof api.Problem)) return;
      this.problem = error;
      if (error.status === 429) this.#askedToWaitMs = error.retryAfterMs ?? WAIT_FOR_TURN_MS;
    }
  }

  /** @param {number} ms the sum that the server has just said */
  #hear(ms) {
    const now = performance.now();
    if (ms !== this.#delivered.ms) this.#delivered = { ms, since: now, heard: now };
    else this.#delivered.heard = now;
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
   * Nothing is to be sent while nobody sees or hears it; see `pause` for what is so.
   * @param {boolean} paused
   */
  setPaused(paused) {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (this.state === "parked" && this.#playback) {
      if (!paused) this.#connectAgain(this.#playback);
      return;
    }
    this.#playback?.pause.want(paused);
    clearTimeout(this.#poll);
    if (!this.#stopped && this.#playback) this.#poll = setTimeout(() => this.#look(), POLL_MS);
  }

  /**
   * The page goes away, perhaps to come back in a moment (a reload): the session is kept for
   * that, and nothing more is sent. A stop that was asked for is said once more.
   */
  pageHides() {
    this.remember();
    if (!this.#stopped) this.setPaused(true);
    this.#playback?.flush();
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#stopped) return;
    this.#stop(reason);
    this.#playback?.forget();
    this.#set("ended");
    if (reason !== "replaced") this.#untilClosed(false);
  }

  /** @param {string} reason */
  #stop(reason) {
    this.#stopped = true;
    this.reason = reason;
    // A place in the line is given up at once, and no session is opened for nobody.
    this.#join?.abort.abort();
    this.#tabs.close();
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    clearInterval(this.#silence);
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
    this.isStopAnswered = (await this.#playback?.leave()) ?? true;
    if (this.isStopAnswered) await this.#untilClosed(true);
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
