import { button, fill, h, notice, setText } from "../dom.js";

/**
 * A panel that shows what the server has: while it loads, when there is nothing, when it fails, and
 * what came of an act. What it is about is said by `open`.
 * @template Data
 */
export class LoadedPanel extends HTMLElement {
  /** Null is every stream, for the operator. @type {number | null} */
  stream = null;
  token = "";
  #heading = h("h2", { tabindex: "-1" });
  #state = h("p", { class: "small", role: "status" });
  #body = h("div", { class: "stack" });

  /** @param {string} title @param {HTMLElement | null} [form] what stands above the list */
  constructor(title, form = null) {
    super();
    this.#heading.textContent = title;
    this.form = form;
  }

  connectedCallback() {
    if (this.childElementCount > 0) return;
    fill(this, this.#heading, this.form, this.#state, this.#body);
  }

  /** @param {number | null} stream @param {string} token */
  async open(stream, token) {
    [this.stream, this.token] = [stream, token];
    fill(this.#body, h("div", { class: "stream skeleton" }, h("span", { class: "hidden-label" }, "Loading…")));
    await this.refresh();
  }

  async refresh() {
    this.#body.setAttribute("aria-busy", "true");
    try {
      fill(this.#body, this.rows(await this.load()));
    } catch (error) {
      fill(this.#body, notice("error", "This could not be loaded", textOf(error), [
        button("plain", "Try again", () => this.refresh()),
      ]));
    }
    this.#body.setAttribute("aria-busy", "false");
  }

  /** @returns {Promise<Data>} */
  load() {
    throw new Error("every panel says what it loads");
  }

  /** @param {Data} _data @returns {import("../dom.js").Child[]} */
  rows(_data) {
    throw new Error("every panel says what it shows");
  }

  /**
   * @param {() => Promise<unknown>} work
   * @param {string} said what it came to
   * @returns {Promise<boolean>} whether it was done
   */
  async act(work, said) {
    try {
      await work();
    } catch (error) {
      this.say(textOf(error), true);
      return false;
    }
    this.say(said);
    await this.refresh();
    // what was pressed may be gone: the keyboard goes on from the heading
    if (!this.contains(document.activeElement)) this.#heading.focus();
    this.dispatchEvent(new Event("acted", { bubbles: true }));
    return true;
  }

  /** @param {string} text @param {boolean} [isError] */
  say(text, isError = false) {
    this.#state.classList.toggle("is-error", isError);
    setText(this.#state, text);
  }
}

/** @param {unknown} error @returns {string} */
const textOf = (error) => (error instanceof Error ? error.message : String(error));

/** @param {string} text */
export const nothing = (text) => h("p", { class: "muted" }, text);

/** @param {number} ms @returns {HTMLElement} */
export function timeOf(ms) {
  const at = new Date(ms);
  const text = at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return h("time", { class: "small", datetime: at.toISOString() }, text);
}

/** @param {string} text @param {HTMLElement} control */
export const labelled = (text, control) =>
  h("div", { class: "field" }, h("label", { class: "label", for: control.id }, text), control);

/** @param {string} text @param {HTMLInputElement} box */
export const ticked = (text, box) => h("label", { class: "tick" }, box, h("span", {}, text));

/**
 * @param {(() => void) | (() => Promise<unknown>)} onsubmit
 * @param {...import("../dom.js").Child} children
 */
export function formOf(onsubmit, ...children) {
  const form = h("form", { class: "stack" }, children);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onsubmit();
  });
  return form;
}
