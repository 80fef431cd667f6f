/**
 * The viewer's own measure of what was seen. It rests on `requestVideoFrameCallback` alone:
 * no figure of the server's goes into it, so that both may be compared.
 * @module
 */

/** A gap between two frames above this counts nothing, as on the server. */
export const GAP_MAX_MS = 1_500;

/** A gap between two frames is no freeze unless it is at least so long, */
const FREEZE_MIN_MS = 200;
/** and longer than so many times the usual one: the middle one of the last gaps. */
const FREEZE_TIMES = 3;
const USUAL_OF_GAPS = 30;
/** With fewer it is not known what is usual. */
const GAPS_MIN = 5;

/** Counts the frames of one `<video>`, the time that they cover, and that of freezes. */
export class PictureMeter {
  /** Sum of the gaps between consecutive frames, in milliseconds. */
  watchedMs = 0;
  /** For how long the picture stood still: what gaps were longer than the usual one. */
  freezesMs = 0;
  /** Frames that were presented, also those between two callbacks. */
  frames = 0;
  /** When the first frame came, by `performance.now()`. @type {number | null} */
  firstFrameAt = null;
  /** When the latest frame came, by `performance.now()`. @type {number | null} */
  lastFrameAt = null;

  #presented = 0;
  /** The last gaps. @type {number[]} */
  #gaps = [];
  #halted = false;

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
    const frames = presented > this.#presented ? presented - this.#presented : 1;
    this.frames += frames;
    this.#presented = presented;
    if (this.lastFrameAt !== null) this.#addGaps(gap / frames, frames);
    this.lastFrameAt = at;
    this.#halted = false;
  }

  /**
   * The viewer pauses, leaves or looks away: a picture that stood still did so until now, and
   * the gap until the next frame is the viewer's own.
   * @param {number} [at] by `performance.now()`
   */
  halt(at = performance.now()) {
    if (this.lastFrameAt !== null) this.#lookForFreeze(at - this.lastFrameAt);
    this.#halted = true;
  }

  /**
   * A busy page hears of some frames only: those between are taken for evenly spread.
   * @param {number} gap
   * @param {number} count
   */
  #addGaps(gap, count) {
    if (this.#halted) return;
    for (let each = 0; each < Math.min(count, USUAL_OF_GAPS); each++) {
      this.#lookForFreeze(gap);
      this.#gaps.push(gap);
    }
    this.#gaps.splice(0, this.#gaps.length - USUAL_OF_GAPS);
  }

  /** @param {number} gap */
  #lookForFreeze(gap) {
    // Nearly every gap is a short one, for which nothing needs to be sorted.
    if (gap < FREEZE_MIN_MS || this.#gaps.length < GAPS_MIN || this.#halted) return;
    const sorted = this.#gaps.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    const usual = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    if (gap > FREEZE_TIMES * usual) this.freezesMs += gap - usual;
  }
}
