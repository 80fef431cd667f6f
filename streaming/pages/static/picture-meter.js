/**
 * The viewer's own measure of what was seen. It rests on `requestVideoFrameCallback` alone:
 * no figure of the server's goes into it, so that both may be compared.
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
    // The element counts anew after it was given another source.
    this.frames += presented > this.#presented ? presented - this.#presented : 1;
    this.#presented = presented;
    this.lastFrameAt = at;
  }
}
