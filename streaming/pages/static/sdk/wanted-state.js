/**
 * One state that the page wants of the server, and says until the server answers that it is so.
 *
 * Requests are lost, answered late and overtaken by later ones. So each intent has a number, the
 * server keeps the highest that it has seen, and the page believes only an answer that is about
 * the number of its newest intent, or a higher one.
 * @module
 */

/** From a request that failed to the next; doubled each time. */
export const REPEAT_FIRST_MS = 300;
export const REPEAT_MAX_MS = 3_000;
/** A first attempt without an answer counts as lost after this, a later one after more: paths are slow, too. */
export const ANSWER_WITHIN_MS = 2_000;
export const ANSWER_WITHIN_MAX_MS = 6_000;
/** Two requests are at least this far apart, however often somebody presses a button. */
export const PACE_MS = 300;
/** As `LEASE_MS` in `session_state.py`: how long what was allowed stays so without a word. */
export const LEASE_MS = 15_000;

/**
 * What the server says is so; `value` is `undefined` where it did not name it.
 * @typedef {{value: boolean | undefined, number: number, delivered_ms?: number}} Answer
 */

/** Numbers the intents of one connection, of whatever kind. */
export class Numbers {
  latest = 0;

  /** @returns {number} */
  next() {
    return ++this.latest;
  }
}

/** @typedef {{now: () => number, after: (ms: number, call: () => void) => (() => void)}} Clock */

/** @type {Clock} */
const CLOCK = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** Dispatches `change` when what is known about the state has changed. */
export class WantedState extends EventTarget {
  /** `null` where nothing was ever wanted. @type {boolean | null} */
  wanted;
  /** Whether the server has said that the newest intent is so. */
  isAnswered = true;
  /** The server knows no such connection: nothing is sent over it. */
  isGone = false;
  /** The latest answer that was believed. @type {Answer | null} */
  answer = null;

  #send;
  #numbers;
  #clock;
  #number = 0;
  #attempt = 0;
  #askedAt = 0;
  #reachedAt = 0;
  #sentAt = -Infinity;
  #closed = false;
  /** @type {AbortController | null} */ #flight = null;
  /** @type {() => void} */ #cancel = () => {};

  /**
   * @param {(value: boolean, number: number, signal: AbortSignal) => Promise<Answer | null>} send
   *   one attempt; `null` is the bare consent of a server that knows no numbers. Throws a
   *   `Problem`.
   * @param {Numbers} numbers
   * @param {boolean | null} initial what is so on both sides before a word is said
   * @param {Clock} [clock]
   */
  constructor(send, numbers, initial, clock = CLOCK) {
    super();
    this.wanted = initial;
    this.#send = send;
    this.#numbers = numbers;
    this.#clock = clock;
  }

  /** How long the newest intent has gone without a word from the server, in milliseconds. */
  get silentMs() {
    if (this.isAnswered || this.isGone) return 0;
    return this.#clock.now() - Math.max(this.#askedAt, this.#reachedAt);
  }

  /**
   * @param {boolean} value
   * @param {boolean} [again] to be said even if it was already
   */
  want(value, again = false) {
    if (this.#closed || this.isGone || (value === this.wanted && !again)) return;
    this.wanted = value;
    this.#intend();
    this.#flight?.abort();
    this.#flight = null;
    this.#schedule(this.#sentAt + PACE_MS - this.#clock.now());
    this.#changed();
  }

  /** The page goes away: what is still to be said is said now, or never. */
  flush() {
    if (!this.#closed && !this.isAnswered && !this.isGone && !this.#flight) this.#attempts();
  }

  /** Says nothing any more. */
  close() {
    this.#closed = true;
    this.#cancel();
    this.#flight?.abort();
  }

  /**
   * Takes what the server says is so, in answer to this or to another question.
   * @param {Answer} answer
   */
  observe(answer) {
    if (this.#closed || this.isGone) return;
    this.#reachedAt = this.#clock.now();
    if (answer.number < this.#number) return;
    const value = answer.value ?? this.wanted;
    this.answer = answer;
    if (value === this.wanted) return this.#settle();
    // Something with a higher number has changed it: what is wanted gets a higher one yet.
    this.#numbers.latest = Math.max(this.#numbers.latest, answer.number);
    if (this.isAnswered) {
      this.#intend();
      this.#schedule(0);
    } else this.#number = this.#numbers.next();
    this.#changed();
  }

  /** The server says that the connection is gone. */
  gone() {
    if (this.isGone || this.#closed) return;
    this.isGone = true;
    this.#cancel();
    this.#changed();
  }

  #intend() {
    this.#number = this.#numbers.next();
    this.#attempt = 0;
    this.#askedAt = this.#clock.now();
    this.isAnswered = false;
  }

  #settle() {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#cancel();
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} ms */
  #schedule(ms) {
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, ms), () => this.#attempts());
  }

  /** One attempt, and the plan for the next if this one brings no answer. */
  async #attempts() {
    this.#cancel();
    // Where one number serves all kinds of intent, a later one of another kind has overtaken this.
    if (this.#numbers.latest > this.#number) this.#number = this.#numbers.next();
    const number = this.#number;
    const flight = new AbortController();
    this.#flight = flight;
    this.#sentAt = this.#clock.now();
    const withinMs = Math.min(ANSWER_WITHIN_MAX_MS, ANSWER_WITHIN_MS * (this.#attempt + 1));
    const expire = this.#clock.after(withinMs, () => flight.abort());
    let afterMs;
    try {
      const value = this.wanted === true;
      const answer = await this.#send(value, number, flight.signal);
      if (flight === this.#flight) this.observe(answer ?? { value, number });
    } catch (error) {
      if (flight === this.#flight) afterMs = this.#refused(/** @type {any} */ (error));
    } finally {
      expire();
    }
    if (flight !== this.#flight) return;
    this.#flight = null;
    if (this.#closed || this.isAnswered || this.isGone) return;
    const backOff = Math.min(REPEAT_MAX_MS, REPEAT_FIRST_MS * 2 ** this.#attempt++);
    this.#schedule(afterMs ?? backOff);
  }

  /**
   * @param {{status?: number, retryAfterMs?: number}} problem
   * @returns {number | undefined} how long the server asks to wait
   */
  #refused({ status, retryAfterMs }) {
    if (status === 404 || status === 410) this.gone();
    if (status !== 429) return undefined;
    this.#reachedAt = this.#clock.now();
    return retryAfterMs;
  }
}
