import { button, fill, h, setText } from "../dom.js";

/**
 * `<ps-path-choice>`: the connection carries the sound and not the picture; its viewer goes on
 * with the sound, or waits. Dispatches `choose`, whose `detail` is whether to go on with sound.
 */
export class PathChoice extends HTMLElement {
  #said = h("p", { class: "player-text", role: "status" });
  #sound = button("primary", "Go on with sound", () => this.#choose(true), { id: "path-sound" });
  #wait = button("plain", "Wait for the picture", () => this.#choose(false), { id: "path-wait" });

  connectedCallback() {
    if (this.childElementCount > 0) return;
    fill(this, this.#said, h("div", { class: "actions" }, this.#sound, this.#wait));
  }

  /**
   * @param {{alone: boolean, isAnswered: boolean} | null} choice as far as there is one
   * @param {number} freeMs how long the sound is still free, by the server's word
   */
  show(choice, freeMs) {
    this.#sound.hidden = choice?.alone === true;
    this.#wait.hidden = choice?.alone === false;
    setText(this.#said, textOf(choice, Math.ceil(freeMs / 1000)));
  }

  /** @param {boolean} alone */
  #choose(alone) {
    this.dispatchEvent(new CustomEvent("choose", { detail: alone }));
  }
}

/**
 * @param {{alone: boolean, isAnswered: boolean} | null} choice
 * @param {number} freeSeconds
 * @returns {string}
 */
function textOf(choice, freeSeconds) {
  if (choice && !choice.isAnswered) return "Telling the server…";
  if (choice?.alone) return "You hear the sound, and its seconds are paid. The picture comes back by itself.";
  if (choice) return "Nothing is charged. The picture comes back when your connection carries it.";
  if (freeSeconds > 0) return `You hear the sound alone, free for ${freeSeconds} s. Then it is yours to choose.`;
  return "Go on with the sound alone, whose seconds are then paid, or wait for the picture and pay nothing.";
}

customElements.define("ps-path-choice", PathChoice);
