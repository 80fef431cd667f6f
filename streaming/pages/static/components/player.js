import { button, fill, h, icon } from "../dom.js";

/**
 * `<ps-player>`: the picture, what to say in its place, and its controls. Its size does not
 * depend on what it shows.
 *
 * Dispatches `attention` when `isUnattended` may have changed.
 */
export class Player extends HTMLElement {
  video = h("video", { playsinline: true, disableremoteplayback: true });
  #message = h("div", { class: "player-message", role: "status" });
  #playButton = button("quiet", icon("pause"), () => this.#toggle(), { "aria-label": "Pause" });
  #muteButton = button("quiet", icon("sound"), () => this.#toggleSound(), { "aria-label": "Mute" });
  #volume = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    value: 1,
    class: "volume",
    "aria-label": "Volume",
  });
  #controls = h("div", { class: "player-controls", role: "group", "aria-label": "Player" });
  #sound = button("primary", [icon("sound"), "Sound on"], () => this.#toggleSound(), {
    class: "button primary player-sound",
    hidden: true,
  });
  #pausedByUser = false;
  /** @type {unknown[]} */
  #said = [];

  connectedCallback() {
    if (this.childElementCount > 0) return;
    const pip = button("quiet", icon("pip"), () => this.#pip(), {
      "aria-label": "Picture in picture",
      hidden: !document.pictureInPictureEnabled,
    });
    const full = button("quiet", icon("full"), () => this.#full(), { "aria-label": "Full screen" });
    fill(this.#controls, this.#playButton, this.#muteButton, this.#volume, h("span", { class: "grow" }), pip, full);
    fill(this, this.video, this.#message, this.#sound, this.#controls);
    this.#volume.addEventListener("input", () => {
      this.video.volume = Number(this.#volume.value);
      this.video.muted = this.video.volume === 0;
    });
    for (const name of ["pause", "play", "volumechange", "enterpictureinpicture", "leavepictureinpicture"]) {
      this.video.addEventListener(name, () => this.#changed());
    }
    document.addEventListener("visibilitychange", () => this.#changed());
    this.video.addEventListener("dblclick", () => this.#full());
    this.showControls(false);
  }

  /** Whether nobody can see or hear it: paused, or hidden without sound or a window of its own. */
  get isUnattended() {
    if (this.#pausedByUser) return true;
    return document.hidden && !this.#isHeard() && !this.#isApart();
  }

  #isHeard() {
    const source = this.video.srcObject;
    const hasSound = source instanceof MediaStream && source.getAudioTracks().length > 0;
    return hasSound && !this.video.muted && this.video.volume > 0;
  }

  /** Whether the picture has a window of its own. */
  #isApart() {
    return document.pictureInPictureElement === this.video;
  }

  /**
   * Plays `media`; without sound where the browser wants a click first.
   * @param {MediaStream} media
   * @returns {Promise<void>}
   */
  async attach(media) {
    this.video.srcObject = media;
    this.#pausedByUser = false;
    this.showControls(true);
    try {
      await this.video.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") {
        this.video.muted = true;
        // After a reload the browser wants a click before there may be sound.
        this.#sound.hidden = false;
        await this.video.play().catch(() => null);
      }
    }
    this.#changed();
  }

  /** Empties the player. */
  detach() {
    this.video.srcObject = null;
    this.#pausedByUser = false;
    this.#sound.hidden = true;
    this.showControls(false);
    if (this.#isApart()) {
      document.exitPictureInPicture().catch(() => null);
    }
  }

  /** @param {boolean} shown */
  showControls(shown) {
    this.#controls.hidden = !shown;
  }

  /**
   * Says something over the picture; nothing lets the picture be seen.
   * @param {string} [title]
   * @param {string} [text]
   * @param {{busy?: boolean, action?: HTMLElement | null, solid?: boolean}} [options]
   */
  say(title = "", text = "", { busy = false, action = null, solid = false } = {}) {
    // What is there already stays, so that a button keeps the focus and nothing is read out twice.
    const said = [title, text, busy, solid, action];
    if (said.every((part, position) => part === this.#said[position])) return;
    this.#said = said;
    this.#message.hidden = !title;
    this.#message.classList.toggle("solid", solid);
    if (!title) return fill(this.#message);
    fill(
      this.#message,
      busy ? h("span", { class: "spinner", "aria-hidden": "true" }) : null,
      h("p", { class: "player-title" }, title),
      text ? h("p", { class: "player-text" }, text) : null,
      action,
    );
  }

  #toggle() {
    this.#pausedByUser = !this.#pausedByUser;
    if (this.#pausedByUser) this.video.pause();
    else this.video.play().catch(() => null);
    this.#changed();
  }

  #toggleSound() {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
  }

  #pip() {
    (this.#isApart() ? document.exitPictureInPicture() : this.video.requestPictureInPicture()).catch(() => null);
  }

  #full() {
    (document.fullscreenElement ? document.exitFullscreen() : this.requestFullscreen()).catch(() => null);
  }

  #changed() {
    // A media key or its own window may pause it, too. In a hidden page a browser pauses by itself
    // what nobody sees or hears, and goes on by itself.
    const byUser = !document.hidden || this.#isHeard() || this.#isApart();
    if (this.video.srcObject && byUser) this.#pausedByUser = this.video.paused;
    const paused = this.#pausedByUser;
    fill(this.#playButton, icon(paused ? "play" : "pause"));
    this.#playButton.setAttribute("aria-label", paused ? "Play" : "Pause");
    const muted = this.video.muted || this.video.volume === 0;
    fill(this.#muteButton, icon(muted ? "muted" : "sound"));
    this.#muteButton.setAttribute("aria-label", muted ? "Unmute" : "Mute");
    this.#volume.value = String(muted ? 0 : this.video.volume);
    if (!muted) this.#sound.hidden = true;
    this.dispatchEvent(new Event("attention"));
  }
}

customElements.define("ps-player", Player);
