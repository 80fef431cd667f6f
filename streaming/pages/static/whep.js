/**
 * Watching by WHEP: one connection under one paid session.
 * @module
 */

import { request } from "./api.js";
import { exchange, preferForwardable, release, watchConnection } from "./sdp-exchange.js";

/** One peer connection. Dispatches `lost` when the media path or the server has ended it. */
export class Playback extends EventTarget {
  /** What arrives; tracks are added as they come. */
  media = new MediaStream();
  /** The session that pays for it, as `grant-index`. */
  session = "";
  /** The secret with which the next connection goes on with this session. */
  resume = "";

  #resource = "";
  #token = "";
  #left = false;
  #paused = false;
  #connection = new RTCPeerConnection();

  /**
   * @param {number} stream
   * @param {{token: string, resume?: string, signal?: AbortSignal}} options
   * @returns {Promise<Playback>}
   * @throws {import("./api.js").Problem} among them 402 with `terms`
   */
  static async open(stream, { token, resume, signal }) {
    const playback = new Playback();
    await playback.#open(stream, token, resume, signal);
    return playback;
  }

  /**
   * @param {number} stream
   * @param {string} token
   * @param {string | undefined} resume
   * @param {AbortSignal | undefined} signal
   */
  async #open(stream, token, resume, signal) {
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
      const { resource, response } = await exchange(connection, `/whep/${stream}`, {
        token,
        headers,
        signal,
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
   * Tells the server to stop or go on sending; while it does not send, nothing is paid.
   * @param {boolean} paused
   */
  async setPaused(paused) {
    if (this.#left || paused === this.#paused) return;
    this.#paused = paused;
    await request(`${this.#resource}/${paused ? "pause" : "resume"}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#token}` },
    });
  }

  /**
   * Leaves: the server stops sending, waits for the report that covers the last packet, and
   * answers. Only then the connection is closed, so that what was sent is also seen.
   * @returns {Promise<{delivered_ms?: number, session?: unknown}>}
   */
  async leave() {
    if (this.#left) return {};
    this.#left = true;
    try {
      return await (await release(this.#resource, this.#token)).json();
    } catch {
      return {}; // The server notices by itself that nobody is there.
    } finally {
      this.close();
    }
  }

  /** Closes this end only. */
  close() {
    this.#left = true;
    this.#connection.close();
  }
}
