/**
 * The viewer's own measure of what was seen, and of how long it stood still. It rests on the
 * browser's own figures alone, so that it may be compared with the server's.
 *
 * Time watched is the sum of the gaps between two presented frames (`requestVideoFrameCallback`)
 * that are at most `GAP_MAX_MS`.
 *
 * Freezes are the larger of two sums, since each misses something:
 * - of the gaps above `GAP_MAX_MS`: no browser lacks it, but no frame is presented in a hidden page;
 * - `totalFreezesDuration` of `getStats()`: each gap between two decoded frames above the larger of
 *   three times the average and the average and 150 ms (W3C webrtc-stats); not in every browser.
 * What falls into the viewer's own pause, or between two connections, is no freeze.
 * @module
 */

/** A gap between two frames above this counts nothing, as on the server. */
export const GAP_MAX_MS = 1_500;

/** Counts the frames of one `<video>` and the time that they cover. */
export class PictureMeter {
  /** Sum of the gaps between consecutive frames, in milliseconds. */
  watchedMs = 0;
  /** Frames that were presented, also those between two callbacks. */
  frames = 0;
  /** When the first frame came, by `performance.now()`. @type {number | null} */
  firstFrameAt = null;
  /** When the latest frame came, by `performance.now()`. @type {number | null} */
  lastFrameAt = null;

  #presented = 0;
  #gapsMs = 0;
  #statsMs = 0;
  /** The browser's sum for this connection when it was last asked. */
  #statsSeenMs = 0;
  /** The next gap is not the picture's fault. */
  #isInterrupted = false;
  /** The browser's sum tells nothing before there are more frames than these. */
  #framesBefore = -1;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    const seen = (/** @type {number} */ _now, /** @type {VideoFrameCallbackMetadata} */ frame) => {
      this.add(frame.presentationTime, frame.presentedFrames);
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  }

  /**
   * @param {number} at when it was presented, by `performance.now()`'s clock
   * @param {number} presented how many the element has presented so far
   */
  add(at, presented) {
    this.firstFrameAt ??= at;
    const gap = this.lastFrameAt === null ? Infinity : at - this.lastFrameAt;
    if (gap > 0 && gap <= GAP_MAX_MS) this.watchedMs += gap;
    else if (gap > 0 && gap < Infinity && !this.#isInterrupted) this.#gapsMs += gap;
    this.#isInterrupted = false;
    // The element counts anew after it was given another source.
    this.frames += presented > this.#presented ? presented - this.#presented : 1;
    this.#presented = presented;
    this.lastFrameAt = at;
  }

  /** Freezes so far, in whole milliseconds. */
  get freezesMs() {
    return Math.round(Math.max(this.#gapsMs, this.#statsMs));
  }

  /** The viewer has paused it or goes on: the gap around that is no freeze. */
  interrupt() {
    this.#isInterrupted = true;
    this.#framesBefore = this.frames;
  }

  /** It comes over another connection, whose sums begin at nothing. */
  restart() {
    this.#isInterrupted = true;
    this.#framesBefore = -1;
    this.#statsSeenMs = 0;
  }

  /** @param {number} totalMs `totalFreezesDuration` of the present connection, in milliseconds */
  addStats(totalMs) {
    // The browser counts a pause when the first frame after it has come.
    if (this.#framesBefore < 0) this.#statsMs += Math.max(0, totalMs - this.#statsSeenMs);
    else if (this.frames > this.#framesBefore) this.#framesBefore = -1;
    this.#statsSeenMs = totalMs;
  }
}
