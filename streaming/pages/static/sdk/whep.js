/**
 * Watching by WHEP: one connection under one paid session.
 * @module
 */

import { Problem } from "./errors.js";
import { WATCH_PARAMETERS } from "./opus-offer.js";
import { exchange, preferForwardable, release, watchConnection } from "./sdp-exchange.js";
import { LEASE_MS, Numbers, REPEAT_FIRST_MS, REPEAT_MAX_MS, WantedState } from "./wanted-state.js";

/** The server lets a viewer wait for its turn to open a session, for some 10 s. */
const OPEN_WITHIN_MS = 20_000;

/**
 * What the server does with a connection, in its own words.
 * @typedef {object} Status
 * @property {string} state
 * @property {string[]} reasons why it does not simply forward; see `reasons.js`
 * @property {boolean} paused
 * @property {number} number of the newest intent that it has seen
 * @property {number} delivered_ms
 * @property {number} forwarded_ms
 * @property {boolean} [sound_alone]
 * @property {number} [sound_free_ms] how long sound alone would still be free
 */

/**
 * One peer connection. Dispatches `lost` when the media path or the server has ended it, and
 * `intent` when what is known about pause or sound has changed.
 */
export class Playback extends EventTarget {
  /** What arrives; tracks are added as they come. */
  media = new MediaStream();
  /** The session that pays for it, as `grant-index`. */
  session = "";
  /** The secret with which the next connection goes on with this session. */
  resume = "";
  /** Whether the server is to send nothing. While it does not send, nothing is paid. */
  pause;
  /** Whether the viewer goes on with sound where the path cannot carry the picture. */
  sound;

  #server;
  #resource = "";
  #token = "";
  #left = false;
  #leaving = false;
  #hasStatus = true;
  #freezesMs = 0;
  #connection = new RTCPeerConnection();

  /** @param {import("./server.js").Server} server */
  constructor(server) {
    super();
    this.#server = server;
    const numbers = new Numbers();
    this.pause = new WantedState(async (paused, number, signal) => {
      const said = await this.#say(paused ? "pause" : "resume", { number }, signal);
      return said && { ...said, value: said.paused };
    }, numbers, false);
    this.sound = new WantedState(async (alone, number, signal) => {
      const said = await this.#say("sound", { number, sound_alone: alone }, signal);
      return said && { ...said, value: said.sound_alone };
    }, numbers, null);
    for (const wanted of [this.pause, this.sound]) {
      wanted.addEventListener("change", () => this.dispatchEvent(new Event("intent")));
    }
  }

  /**
   * @param {import("./client.js").Client} client
   * @param {number} stream
   * @param {{token: string, resume?: string, signal?: AbortSignal}} options
   * @returns {Promise<Playback>}
   * @throws {import("./errors.js").Problem} among them 402 with `terms`
   */
  static async open(client, stream, { token, resume, signal }) {
    const playback = new Playback(client.media);
    await playback.#open(`${client.place}/whep/${stream}`, token, resume, signal);
    return playback;
  }

  /**
   * @param {string} endpoint
   * @param {string} token
   * @param {string | undefined} resume
   * @param {AbortSignal | undefined} signal
   */
  async #open(endpoint, token, resume, signal) {
    const connection = this.#connection;
    this.#token = token;
    connection.addEventListener("track", ({ track }) => this.media.addTrack(track));
    for (const kind of /** @type {const} */ (["video", "audio"])) {
      const transceiver = connection.addTransceiver(kind, { direction: "recvonly" });
      preferForwardable(transceiver, kind);
    }
    /** @type {Record<string, string>} */
    const headers = resume ? { "PayStream-Resume": resume } : {};
    try {
      const { resource, response } = await exchange(this.#server, connection, endpoint, {
        token,
        opus: WATCH_PARAMETERS,
        headers,
        signal,
        withinMs: OPEN_WITHIN_MS,
      });
      this.#resource = resource;
      this.session = response.headers.get("PayStream-Session") ?? "";
      this.resume = response.headers.get("PayStream-Resume") ?? "";
    } catch (error) {
      connection.close();
      throw error;
    }
    watchConnection(connection, () => {
      if (!this.#left) this.dispatchEvent(new Event("lost"));
    });
  }

  /**
   * @param {string} what
   * @param {object} body
   * @param {AbortSignal} signal
   * @returns {Promise<any>} `null` from a server that only consents
   */
  async #say(what, body, signal) {
    const response = await this.#server.request(`${this.#resource}/${what}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
      keepalive: true,
      signal,
    });
    if (response.status === 204) return null;
    const said = await response.json();
    return Number.isSafeInteger(said.number) ? said : null;
  }

  /**
   * Asks what the server does with this connection.
   * @returns {Promise<Status | null>} `null` if it does not say
   */
  async status() {
    if (!this.#hasStatus || this.pause.isGone) return null;
    try {
      const headers = { Authorization: `Bearer ${this.#token}`, Accept: "application/json" };
      const answer = await this.#server.request(this.#resource, { headers, withinMs: 5_000 });
      const said = await answer.json();
      this.pause.observe({ ...said, value: said.paused });
      const choice = said.sound_alone;
      if (this.sound.wanted !== null && choice !== undefined) this.sound.observe({ ...said, value: choice });
      return said;
    } catch (error) {
      const status = error instanceof Problem ? error.status : 0;
      // Servers of before do not tell: the path is there, for DELETE.
      if (status === 405) this.#hasStatus = false;
      if (status === 404 || status === 410) this.pause.gone();
      return null;
    }
  }

  /** @returns {Promise<number>} how long the picture has stood still, by the browser's count */
  async freezesMs() {
    const report = await this.#connection.getStats().catch(() => null);
    report?.forEach((entry) => {
      if (entry.type !== "inbound-rtp" || entry.kind !== "video") return;
      this.#freezesMs = Math.round((entry.totalFreezesDuration ?? 0) * 1000);
    });
    return this.#freezesMs;
  }

  /**
   * Leaves: the server stops sending, waits for the report that covers the last packet, and
   * answers. Only then the connection is closed, so that what was sent is also seen. Repeated
   * until it is answered, for as long as a lease lasts.
   * @returns {Promise<boolean>} whether the server has said that it has stopped
   */
  async leave() {
    if (this.#leaving) return true;
    this.#left = this.#leaving = true;
    this.pause.close();
    this.sound.close();
    const since = performance.now();
    for (let attempt = 0; performance.now() - since < LEASE_MS; attempt++) {
      const waitMs = await this.#leaveOnce();
      this.close();
      if (waitMs === null) return true;
      const backOff = Math.min(REPEAT_MAX_MS, REPEAT_FIRST_MS * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, waitMs ?? backOff));
    }
    return false;
  }

  /** @returns {Promise<number | undefined | null>} `null` when answered, else when to repeat */
  async #leaveOnce() {
    try {
      await release(this.#server, this.#resource, this.#token);
      return null;
    } catch (error) {
      if (!(error instanceof Problem)) return undefined;
      return error.status === 404 || error.status === 410 ? null : error.retryAfterMs;
    }
  }

  /** The page goes away: what the server has to know is sent now and outlives the page. */
  flush() {
    if (this.#leaving) release(this.#server, this.#resource, this.#token).catch(() => null);
    else this.pause.flush();
  }

  /** Closes this end of the media; the server then stops by itself. */
  close() {
    this.#left = true;
    this.#connection.close();
  }

  /** Closes this end, and asks the server for nothing more. */
  forget() {
    this.close();
    this.pause.close();
    this.sound.close();
  }
}
