/**
 * What an offer says about Opus. Browsers receive it in stereo only if their own offer has
 * `stereo=1` (RFC 7587, section 6.1), and repair lost sound only if it is negotiated.
 * @module
 */

/** What a viewer asks for. */
export const WATCH_PARAMETERS = { stereo: "1" };

/**
 * What a publisher says it sends.
 * @param {number | undefined} channels of the microphone, if the browser says
 * @returns {Record<string, string>}
 */
export function publishParameters(channels) {
  const always = { useinbandfec: "1", usedtx: "1" };
  return channels === 2 ? { stereo: "1", "sprop-stereo": "1", ...always } : always;
}

/**
 * The offer with these parameters for each Opus format, and `nack` as its feedback.
 * @param {string} sdp
 * @param {Record<string, string>} parameters
 * @returns {string} everything else as it was, line ends too
 */
export function withOpus(sdp, parameters) {
  const end = sdp.includes("\r\n") ? "\r\n" : "\n";
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=audio") ? opusSection(section, parameters, end) : section))
    .join("");
}

/** @param {string} section @param {Record<string, string>} parameters @param {string} end */
function opusSection(section, parameters, end) {
  const lines = section.split(/\r?\n/);
  const formats = lines.flatMap((line) => /^a=rtpmap:(\d+) opus\//i.exec(line)?.[1] ?? []);
  const done = lines.flatMap((line) => {
    const [, name, format, rest] = /^a=(rtpmap|fmtp):(\d+) (.*)$/.exec(line) ?? [];
    if (!formats.includes(format)) return [line];
    if (name === "fmtp") return [`a=fmtp:${format} ${merged(rest, parameters)}`];
    const has = (/** @type {string} */ start) => lines.some((other) => other.startsWith(start));
    const nack = lines.some((other) => new RegExp(`^a=rtcp-fb:(${format}|\\*) nack\\s*$`).test(other));
    return [
      line,
      ...(nack ? [] : [`a=rtcp-fb:${format} nack`]),
      ...(has(`a=fmtp:${format} `) ? [] : [`a=fmtp:${format} ${merged("", parameters)}`]),
    ];
  });
  return done.join(end);
}

/**
 * @param {string} given such as `minptime=10;useinbandfec=1`
 * @param {Record<string, string>} parameters
 */
function merged(given, parameters) {
  const all = new Map();
  for (const part of given.split(";").map((one) => one.trim()).filter(Boolean)) {
    const [name, ...value] = part.split("=");
    all.set(name.trim(), value.join("=").trim());
  }
  for (const [name, value] of Object.entries(parameters)) all.set(name, value);
  return [...all].map(([name, value]) => (value ? `${name}=${value}` : name)).join(";");
}
