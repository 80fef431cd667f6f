/**
 * Publishing by WHIP (RFC 9725): camera and microphone to the server, for as long as the page
 * wants, over as many connections as that takes.
 * @module
 */

import { Problem } from "./errors.js";
import { publishParameters } from "./opus-offer.js";
import { exchange, preferForwardable, release, watchConnection } from "./sdp-exchange.js";

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;
const VIDEO_BITRATE_MAX_BPS = 2_500_000;
/** Refusals that no later attempt will change. */
const FINAL_STATUSES = [400, 401, 403, 404, 410, 413, 415, 422];

/**
 * @typedef {"idle" | "connecting" | "live" | "held" | "reconnecting" | "ended"} PublisherState
 */

/** Dispatches `change` whenever its `state` or `problem` has changed. */
export class Publisher extends EventTarget {
  /** @type {PublisherState} */
  state = "idle";
  /** @type {Problem | null} why it is not live, if it is not */
  problem = null;
  reconnects = 0;

  /** @type {RTCPeerConnection | null} */
  #connection = null;
  #resource = "";
  #token = "";
  #wanted = false;
  #held = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #attempt = 0;

  #server;
  #endpoint;

  /**
   * @param {import("./client.js").Client} client
   * @param {number} stream
   * @param {MediaStream} media
   */
  constructor(client, stream, media) {
    super();
    this.#server = client.media;
    this.#endpoint = `${client.place}/whip/${stream}`;
    this.stream = stream;
    this.media = media;
  }

  /** @param {PublisherState} state @param {Problem | null} [problem] */
  #set(state, problem = null) {
    this.state = state;
    this.problem = problem;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {string} token a publish token of this stream
   * @returns {Promise<void>} when the first attempt has ended, however it did
   */
  start(token) {
    this.#token = token;
    this.#wanted = true;
    return this.#connect();
  }

  async #connect() {
    if (!this.#wanted) return;
    this.#set(this.reconnects > 0 ? "reconnecting" : "connecting", this.problem);
    const connection = new RTCPeerConnection();
    this.#connection = connection;
    try {
      for (const track of this.media.getTracks()) this.#add(connection, track);
      const { resource } = await exchange(this.#server, connection, this.#endpoint, {
        token: this.#token,
        opus: publishParameters(this.media.getAudioTracks()[0]?.getSettings().channelCount),
      });
      this.#resource = resource;
      if (!this.#wanted) return void (await this.stop());
      await connected(connection);
      watchConnection(connection, () => this.#lost(connection));
      this.#attempt = 0;
      if (this.#held) await this.#setSending(false);
      this.#set(this.#held ? "held" : "live");
    } catch (error) {
      this.#failed(connection, error);
    }
  }

  /** @param {RTCPeerConnection} connection @param {MediaStreamTrack} track */
  #add(connection, track) {
    const isVideo = track.kind === "video";
    const transceiver = connection.addTransceiver(track, {
      direction: "sendonly",
      streams: [this.media],
      sendEncodings: isVideo ? [{ maxBitrate: VIDEO_BITRATE_MAX_BPS }] : undefined,
    });
    preferForwardable(transceiver, isVideo ? "video" : "audio");
  }

  /** @param {RTCPeerConnection} connection @param {unknown} error */
  #failed(connection, error) {
    connection.close();
    if (connection !== this.#connection || !this.#wanted) return;
    const problem =
      error instanceof Problem
        ? error
        : new Problem(0, "media-failed", `The connection could not be made. ${String(error)}`);
    if (FINAL_STATUSES.includes(problem.status)) {
      this.#wanted = false;
      this.#set("ended", problem);
    } else {
      this.#retryLater(problem);
    }
  }

  /** @param {RTCPeerConnection} connection */
  #lost(connection) {
    connection.close();
    if (connection !== this.#connection || !this.#wanted) return;
    release(this.#server, this.#resource, this.#token).catch(() => null);
    this.#retryLater(new Problem(0, "connection-lost", "The connection to the server was lost."));
  }

  /** @param {Problem} problem */
  #retryLater(problem) {
    this.reconnects += 1;
    const backOff = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#attempt++);
    this.#set("reconnecting", problem);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), problem.retryAfterMs ?? backOff);
  }

  /** Drops the connection, if there is one, and makes another. */
  reconnect() {
    if (this.#wanted && this.#connection && this.state === "live") this.#lost(this.#connection);
  }

  /**
   * Sends nothing (viewers then pay nothing), or sends again.
   * @param {boolean} held
   */
  async hold(held) {
    this.#held = held;
    if (this.state === "live" || this.state === "held") {
      await this.#setSending(!held);
      this.#set(held ? "held" : "live");
    }
  }

  /** @param {boolean} sending */
  async #setSending(sending) {
    for (const sender of this.#connection?.getSenders() ?? []) {
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) encoding.active = sending;
      await sender.setParameters(parameters);
    }
  }

  /**
   * Sends from another camera or microphone, without a new connection.
   * @param {MediaStream} media
   */
  async replaceMedia(media) {
    this.media = media;
    for (const sender of this.#connection?.getSenders() ?? []) {
      const track = media.getTracks().find(({ kind }) => kind === sender.track?.kind);
      if (track) await sender.replaceTrack(track);
    }
  }

  /** @returns {Promise<number>} bytes of media sent over the present connection */
  async bytesSent() {
    const report = await this.#connection?.getStats();
    let bytes = 0;
    report?.forEach((entry) => {
      if (entry.type === "outbound-rtp") bytes += entry.bytesSent ?? 0;
    });
    return bytes;
  }

  /** Ends the publication; the server is told. */
  async stop() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#connection = null;
    const resource = this.#resource;
    this.#resource = "";
    if (resource) await release(this.#server, resource, this.#token).catch(() => null);
    this.#set("ended");
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @returns {Promise<void>} when media may flow
 */
export function connected(connection, withinMs = 10_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Problem(0, "no-media-path", noPath)),
      withinMs,
    );
    const noPath =
      "No media path to the server: its UDP ports may be closed by a firewall in between.";
    const look = () => {
      const state = connection.connectionState;
      if (state === "connected") resolve();
      else if (state === "failed" || state === "closed") {
        reject(new Problem(0, "no-media-path", noPath));
      } else return;
      clearTimeout(timer);
    };
    connection.addEventListener("connectionstatechange", look);
    look();
  });
}
