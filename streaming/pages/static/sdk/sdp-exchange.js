/**
 * What publishing and watching have in common: one offer by HTTP POST, one answer, and a
 * resource to delete at the end (RFC 9725, section 4; WHEP does the same the other way).
 * @module
 */

import { Problem } from "./errors.js";
import { withOpus } from "./opus-offer.js";

/** Candidates that have not come by then are not waited for: the server's own suffice. */
const GATHERED_WITHIN_MS = 400;

/**
 * Sets the local offer, with `opus` where the browser takes it so.
 * @param {RTCPeerConnection} connection
 * @param {Record<string, string>} opus
 */
async function describe(connection, opus) {
  const { type, sdp = "" } = await connection.createOffer();
  try {
    await connection.setLocalDescription({ type, sdp: withOpus(sdp, opus) });
  } catch {
    // Sound in mono is better than none.
    await connection.setLocalDescription();
  }
}

/**
 * Makes the local offer and waits for its candidates, for the server takes no later ones.
 * @param {RTCPeerConnection} connection
 * @param {Record<string, string>} opus what the offer says about Opus
 * @returns {Promise<string>} the offer's SDP
 */
export async function makeOffer(connection, opus) {
  const gathered = new Promise((resolve) => {
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve(null);
    });
    setTimeout(resolve, GATHERED_WITHIN_MS);
  });
  await describe(connection, opus);
  if (connection.iceGatheringState !== "complete") await gathered;
  return connection.localDescription?.sdp ?? "";
}

/**
 * Posts the offer and applies the answer.
 * @param {import("./server.js").Server} server
 * @param {RTCPeerConnection} connection
 * @param {string} endpoint such as `/whep/1`
 * @param {{token: string, opus: Record<string, string>, headers?: Record<string, string>,
 *   signal?: AbortSignal, withinMs?: number}} options `opus`: what the offer says about Opus
 * @returns {Promise<{resource: string, response: Response}>} the resource's address
 * @throws {Problem}
 */
export async function exchange(server, connection, endpoint, { token, opus, headers = {}, signal, withinMs }) {
  const offer = await makeOffer(connection, opus);
  const response = await server.request(endpoint, {
    method: "POST",
    headers: { ...headers, Authorization: `Bearer ${token}`, "Content-Type": "application/sdp" },
    body: offer,
    signal,
    withinMs,
  });
  if (response.status !== 201) {
    throw new Problem(response.status, "unexpected", `The server answered ${response.status}.`);
  }
  const location = response.headers.get("Location") ?? "";
  const resource = server.pathOf(location, endpoint);
  const answer = await response.text();
  try {
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
  } catch (error) {
    await release(server, resource, token).catch(() => null);
    throw error;
  }
  return { resource, response };
}

/**
 * Ends the resource; the request outlives the page.
 * @param {import("./server.js").Server} server
 * @param {string} resource
 * @param {string} token
 * @returns {Promise<Response>}
 */
export function release(server, resource, token) {
  return server.request(resource, {
    method: "DELETE",
    headers: { Authorization: `Bearer ${token}` },
    keepalive: true,
    withinMs: 10_000, // the server may wait for a report, at most 7.6 s
  });
}

/**
 * Offers only the codecs that the server forwards; the order is the preference.
 * @param {RTCRtpTransceiver} transceiver
 * @param {"video" | "audio"} kind
 */
export function preferForwardable(transceiver, kind) {
  const names = kind === "video" ? ["video/vp8", "video/h264", "video/rtx"] : ["audio/opus"];
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const wanted = names.flatMap((name) => known.filter((c) => c.mimeType.toLowerCase() === name));
  if (wanted.length > 0) transceiver.setCodecPreferences?.(wanted);
}

/** How often a connection that is said to be silent is listened to. */
const LISTEN_EVERY_MS = 1_000;

/**
 * Everything that has come over a connection, in bytes; 0 if the browser does not say.
 * @param {RTCPeerConnection} connection
 */
async function bytesReceived(connection) {
  const report = await connection.getStats().catch(() => null);
  let bytes = 0;
  report?.forEach((entry) => {
    if (entry.type === "candidate-pair" || entry.type === "inbound-rtp") {
      bytes += entry.bytesReceived ?? 0;
    }
  });
  return bytes;
}

/**
 * Calls `onLost` once when the connection has gone for good: at once when it failed or was
 * closed by the other side, and when it is said to be disconnected and nothing has come for
 * `graceMs`. That it is disconnected is no proof: Firefox says so for five seconds when one of
 * its consent checks was lost (RFC 7675; it sends each once), whatever comes meanwhile.
 * @param {RTCPeerConnection} connection
 * @param {() => void} onLost
 * @param {number} [graceMs]
 */
export function watchConnection(connection, onLost, graceMs = 4_000) {
  let told = false;
  let listening = false;
  const lost = () => {
    if (told) return;
    told = true;
    onLost();
  };
  const listen = async () => {
    listening = true;
    let heard = await bytesReceived(connection);
    let quietMs = 0;
    while (connection.connectionState === "disconnected" && quietMs < graceMs) {
      await new Promise((resolve) => setTimeout(resolve, LISTEN_EVERY_MS));
      const now = await bytesReceived(connection);
      quietMs = now > heard ? 0 : quietMs + LISTEN_EVERY_MS;
      heard = now;
    }
    listening = false;
    if (connection.connectionState === "disconnected") lost();
  };
  connection.addEventListener("connectionstatechange", () => {
    if (connection.connectionState === "failed" || connection.connectionState === "closed") lost();
    else if (connection.connectionState === "disconnected" && !listening) listen();
  });
  for (const { sender, receiver } of connection.getTransceivers()) {
    const transport = sender.transport ?? receiver.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed" || transport.state === "failed") lost();
    });
  }
}
