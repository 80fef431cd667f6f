import { actText } from "../act-texts.js";
import { button, h } from "../dom.js";
import { acts } from "../moderation.js";
import { LoadedPanel, nothing, timeOf } from "./loaded-panel.js";

/** @typedef {import("../moderation.js").Act} Act */

/**
 * `<ps-acts>`: the log of what moderators did, the latest first.
 * @extends {LoadedPanel<Act[]>}
 */
export class ActLog extends LoadedPanel {
  /** @type {number | null} */ #before = null;

  constructor() {
    super("Log", h("p", { class: "small" }, "Nobody can edit it. Names and reasons go when an account is deleted."));
  }

  load() {
    return acts(this.stream, this.#before, this.token);
  }

  /** @param {Act[]} all */
  rows(all) {
    const last = all.at(-1)?.number ?? 1;
    const older = () => this.#turn(last);
    return [
      all.length === 0 ? nothing("No moderator has done anything.") : h("ol", { class: "desk-list" }, all.map((one) => this.#row(one))),
      h(
        "div",
        { class: "actions" },
        last > 1 && all.length > 0 ? button("plain", "Older", older) : null,
        this.#before === null ? null : button("plain", "Latest", () => this.#turn(null)),
      ),
    ];
  }

  /** @param {Act} one */
  #row(one) {
    return h(
      "li",
      { class: "desk-act" },
      h("p", {}, h("bdi", {}, actText(one)), one.reason ? [": ", h("q", {}, one.reason)] : null),
      h("p", { class: "small" }, `No. ${one.number} · `, this.stream === null && one.stream !== null ? `stream ${one.stream} · ` : null, timeOf(one.at_ms)),
    );
  }

  /** @param {number | null} before */
  async #turn(before) {
    this.#before = before;
    await this.refresh();
  }
}

customElements.define("ps-acts", ActLog);
