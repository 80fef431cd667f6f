import { card, keepCard } from "../community.js";
import { button, fill, h, setText } from "../dom.js";

/** @typedef {import("../wallet.js").Account} Account */

const LIMITS = { title: 100, description: 5_000, category: 40, tags: 320, language: 35, starts: 20 };
const HOUR_MS = 3_600_000;
const AGES = [0, 12, 16, 18];

/**
 * The form with which a creator says what a stream is about. Its wallet signs it, which costs
 * nothing. Dispatches `saved`.
 */
export class CardForm extends EventTarget {
  #root;
  #stream = 0;
  /** @type {Account | null} */ #account = null;
  #title = field("card-title", "input", { type: "text", maxlength: LIMITS.title, required: true, autocomplete: "off" });
  #description = field("card-description", "textarea", { maxlength: LIMITS.description, rows: 5 });
  #category = field("card-category", "input", { type: "text", maxlength: LIMITS.category, autocomplete: "off" });
  #tags = field("card-tags", "input", { type: "text", maxlength: LIMITS.tags, autocomplete: "off" });
  #age = h(
    "select",
    { id: "card-age" },
    AGES.map((years) => h("option", { value: years }, years === 0 ? "Everybody" : `From ${years} years`)),
  );
  #language = field("card-language", "input", {
    type: "text",
    maxlength: LIMITS.language,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
  });
  #starts = h("div", { class: "stack" });
  #add = button("plain", "Add a start", () => this.#addStart());
  #state = h("p", { class: "small", role: "status" });
  #details = h("details", { class: "plain-details" }, h("summary", {}, "Title and description"), this.#form());

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.#root = root;
    fill(root, this.#details);
  }

  #form() {
    const form = h(
      "form",
      { class: "stack" },
      labelled("Title", this.#title),
      labelled("Description (Markdown)", this.#description),
      labelled("Category", this.#category),
      labelled("Tags, with spaces between", this.#tags),
      labelled("For", this.#age),
      labelled("Language, as a short tag such as en", this.#language),
      h("fieldset", { class: "starts" }, h("legend", { class: "label" }, "When you begin"), this.#starts, this.#add),
      h("button", { type: "submit", class: "button plain" }, "Sign and save"),
      this.#state,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    return form;
  }

  /**
   * @param {import("../api.js").Stream | null} stream of a server that has a community
   * @param {Account | null} account its owner's
   */
  async show(stream, account) {
    this.#root.hidden = stream === null || account === null || !stream.owner_name;
    if (stream === null || account === null) return;
    if (stream.id === this.#stream && account.address === this.#account?.address) return;
    [this.#stream, this.#account] = [stream.id, account];
    this.#take({});
    this.#say("");
    if (!stream.card) return void (this.#details.open = true);
    try {
      const { card: fields } = await card(stream.id);
      if (this.#stream === stream.id) this.#take(fields);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error), true);
    }
  }

  /** @param {Record<string, any>} fields */
  #take(fields) {
    this.#title.value = fields.title ?? "";
    this.#description.value = fields.description ?? "";
    this.#category.value = fields.category ?? "";
    this.#tags.value = (fields.tags ?? []).join(" ");
    this.#age.value = String(fields.age_min ?? 0);
    this.#language.value = fields.language ?? "";
    fill(this.#starts);
    for (const start of fields.schedule ?? []) this.#showStart(start);
    this.#add.disabled = this.#starts.childElementCount >= LIMITS.starts;
  }

  #addStart() {
    this.#showStart({ starts_at_ms: Math.ceil(Date.now() / HOUR_MS) * HOUR_MS, title: "" }).focus();
    this.#add.disabled = this.#starts.childElementCount >= LIMITS.starts;
  }

  /** @param {{starts_at_ms: number, title: string}} start @returns {HTMLInputElement} where its time is typed */
  #showStart({ starts_at_ms, title }) {
    const at = h("input", { type: "datetime-local", required: true, value: localTime(starts_at_ms), "aria-label": "Begins at, in your time" });
    const what = h("input", { type: "text", maxlength: LIMITS.title, value: title, autocomplete: "off", placeholder: "What", "aria-label": "What begins (may be left empty)" });
    const remove = button("quiet", "Remove", () => {
      row.remove();
      this.#add.disabled = false;
      this.#add.focus();
    });
    const row = h("div", { class: "starts-row" }, at, what, remove);
    this.#starts.append(row);
    return at;
  }

  /** @returns {{starts_at_ms: number, title: string}[]} */
  #schedule() {
    return [...this.#starts.children].map((row) => {
      const [at, what] = row.querySelectorAll("input");
      return { starts_at_ms: new Date(at.value).getTime(), title: what.value };
    });
  }

  async #save() {
    const [stream, account] = [this.#stream, this.#account];
    if (!account) return;
    const fields = {
      title: this.#title.value,
      description: this.#description.value,
      category: this.#category.value,
      tags: this.#tags.value.split(/[\s,]+/).filter(Boolean),
      age_min: Number(this.#age.value),
      language: this.#language.value.trim(),
      schedule: this.#schedule(),
    };
    try {
      this.#say("Confirm in your wallet: it signs a text, and moves no money.");
      const { card: kept } = await keepCard(stream, fields, account);
      if (this.#stream === stream) this.#take(kept);
      this.#say("Saved. Viewers see it at once.");
      this.dispatchEvent(new Event("saved"));
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error), true);
    }
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.#state.classList.toggle("is-error", isError);
    setText(this.#state, text);
  }
}

/**
 * @param {number} ms
 * @returns {string} the moment in this place's time, as a field of the form has it
 */
function localTime(ms) {
  const here = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return here.toISOString().slice(0, 16);
}

/**
 * @template {"input" | "textarea"} Tag
 * @param {string} id
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 */
const field = (id, tag, properties) => h(tag, { id, ...properties });

/** @param {string} text @param {HTMLElement} control */
const labelled = (text, control) =>
  h("div", { class: "field" }, h("label", { class: "label", for: control.id }, text), control);
