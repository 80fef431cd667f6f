/**
 * One WebSocket that is there again when it broke, with all that it was for: who is signed in,
 * which chats are heard, and what was said and not answered.
 * @module
 */

/** Milliseconds before each try; the last one for good. A little of chance is added. */
export const WAITS_MS = [250, 1_000, 2_000, 5_000, 10_000];

/**
 * @typedef {object} Heard
 * @property {(message: Record<string, any>) => void} onMessage what the server says
 * @property {(isOpen: boolean) => void} onState
 */

export class LiveConnection {
  #open;
  #later;
  #heard;
  /** @type {{chain?: string}} what every frame about a stream names beside its number */
  #where;
  /** @type {WebSocket | null} */
  #socket = null;
  #isOpen = false;
  #isClosed = false;
  #failures = 0;
  /** @type {string | null} */
  #token = null;
  /** @type {Set<number>} */
  #streams = new Set();
  /** What was said and not answered, by its id: sent again under it, it is the same message. */
  /** @type {Map<string, {stream: number, text: string, reply_to?: number}>} */
  #unanswered = new Map();

  /**
   * @param {() => WebSocket} open
   * @param {Heard} heard
   * @param {(again: () => void, ms: number) => void} [later]
   * @param {string} [chain] the name of one of several
   */
  constructor(open, heard, later = (again, ms) => void setTimeout(again, ms), chain = "") {
    this.#open = open;
    this.#heard = heard;
    this.#later = later;
    this.#where = chain ? { chain } : {};
  }

  /** @param {number} stream */
  join(stream) {
    this.#streams.add(stream);
    if (!this.#socket) this.#connect();
    else this.#send({ type: "join", stream, ...this.#where });
  }

  /** @param {number} stream */
  leave(stream) {
    this.#streams.delete(stream);
    this.#send({ type: "leave", stream, ...this.#where });
  }

  /** @param {string | null} token */
  signIn(token) {
    const before = this.#token;
    this.#token = token;
    if (token) this.#send({ type: "hello", token });
    else if (before) this.#socket?.close(); // a new one is nobody's
  }

  /** @param {number} stream @param {string} id @param {string} text @param {number | null} [replyTo] */
  say(stream, id, text, replyTo = null) {
    const said = replyTo === null ? { stream, text } : { stream, text, reply_to: replyTo };
    this.#unanswered.set(id, said);
    this.#send({ type: "say", id, ...said, ...this.#where });
  }

  close() {
    this.#isClosed = true;
    this.#socket?.close();
  }

  #connect() {
    const socket = this.#open();
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = () => this.#closed();
  }

  #opened() {
    this.#isOpen = true;
    if (this.#token) this.#send({ type: "hello", token: this.#token });
    this.#joinAll();
    for (const [id, said] of this.#unanswered) this.#send({ type: "say", id, ...said, ...this.#where });
    this.#heard.onState(true);
  }

  #joinAll() {
    for (const stream of this.#streams) this.#send({ type: "join", stream, ...this.#where });
  }

  /** @param {string} data */
  #hear(data) {
    const message = JSON.parse(data);
    this.#failures = 0; // it is up only when it says something
    if (["said", "held", "refused"].includes(message.type)) this.#unanswered.delete(message.id);
    if (message.type === "signed_out") this.#token = null;
    if (message.type === "refused" && message.id === undefined && message.status >= 500) {
      this.#later(() => this.#joinAll(), WAITS_MS[3]);
    }
    this.#heard.onMessage(message);
  }

  #closed() {
    const wasOpen = this.#isOpen;
    this.#socket = null;
    this.#isOpen = false;
    if (wasOpen) this.#heard.onState(false);
    if (this.#isClosed) return;
    const wait = WAITS_MS[Math.min(this.#failures, WAITS_MS.length - 1)];
    this.#failures += 1;
    this.#later(() => this.#isClosed || this.#connect(), wait * (1 + Math.random() / 2));
  }

  /** @param {Record<string, unknown>} message */
  #send(message) {
    if (this.#isOpen) this.#socket?.send(JSON.stringify(message));
  }
}
