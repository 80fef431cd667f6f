import { button, h } from "../dom.js";
import { addFilter, filters, removeFilter } from "../moderation.js";
import { LoadedPanel, formOf, labelled, nothing, ticked } from "./loaded-panel.js";

/** @typedef {import("../moderation.js").Filter} Filter */

/**
 * `<ps-words>`: the words that are refused or held back.
 * @extends {LoadedPanel<Filter[]>}
 */
export class WordList extends LoadedPanel {
  /** @type {HTMLInputElement} */ #pattern;
  /** @type {HTMLSelectElement} */ #action;
  /** @type {HTMLInputElement} */ #within;

  constructor() {
    const pattern = h("input", { id: "word", type: "text", maxlength: 60, required: true, autocomplete: "off" });
    const action = h(
      "select",
      { id: "word-action" },
      h("option", { value: "hold" }, "Hold back for a moderator"),
      h("option", { value: "refuse" }, "Refuse"),
    );
    const within = h("input", { type: "checkbox" });
    super(
      "Words",
      formOf(
        () => this.#add(),
        labelled("A word, or some", pattern),
        labelled("What has them is", action),
        ticked("Inside of other words, too", within),
        h("button", { type: "submit", class: "button plain" }, "Add"),
      ),
    );
    [this.#pattern, this.#action, this.#within] = [pattern, action, within];
  }

  load() {
    return filters(this.stream, this.token);
  }

  /** @param {Filter[]} all */
  rows(all) {
    if (all.length === 0) return [nothing("No words are looked for.")];
    return [h("ul", { class: "desk-list" }, all.map((one) => this.#row(one)))];
  }

  /** @param {Filter} one */
  #row({ number, pattern, action, within_words }) {
    const remove = () => this.act(() => removeFilter(this.stream, number, this.token), `“${pattern}” is removed.`);
    return h(
      "li",
      { class: "desk-row" },
      h("bdi", { class: "desk-word" }, pattern),
      h("span", { class: "badge" }, action === "refuse" ? "Refused" : "Held back"),
      within_words ? h("span", { class: "small" }, "inside of words, too") : null,
      button("link", "Remove", remove, { "aria-label": `Remove “${pattern}”` }),
    );
  }

  async #add() {
    const pattern = this.#pattern.value.trim();
    const action = /** @type {Filter["action"]} */ (this.#action.value);
    const body = { pattern, action, within_words: this.#within.checked };
    const done = await this.act(() => addFilter(this.stream, body, this.token), `“${pattern}” is looked for from now on.`);
    if (done) this.#pattern.value = "";
  }
}

customElements.define("ps-words", WordList);
