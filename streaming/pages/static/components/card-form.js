import { card, keepCard } from "../community.js";
import { fill, h, setText } from "../dom.js";

/** @typedef {import("../wallet.js").Account} Account */

const LIMITS = { title: 100, description: 5_000, category: 40, tags: 320 };
const AGES = [0, 12, 16, 18];

/**
 * The form with which a creator says what a stream is about. Its wallet signs it, which costs
 * nothing. Dispatches `saved`.
 */
export class CardForm extends EventTarget {
  #root;
  #stream = 0;
  /** @type {Account | null} */ #account = null;
  /** What the form does not show stays as it is. @type {Record<string, any>} */ #kept = {};
  #title = field("card-title", "input", { type: "text", maxlength: LIMITS.title, required: true, autocomplete: "off" });
  #description = field("card-description", "textarea", { maxlength: LIMITS.description, rows: 5 });
  #category = field("card-category", "input", { type: "text", maxlength: LIMITS.category, autocomplete: "off" });
  #tags = field("card-tags", "input", { type: "text", maxlength: LIMITS.tags, autocomplete: "off" });
  #age = h(
    "select",
    { id: "card-age" },
    AGES.map((years) => h("option", { value: years }, years === 0 ? "Everybody" : `From ${years} years`)),
  );
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
    this.#kept = fields;
    this.#title.value = fields.title ?? "";
    this.#description.value = fields.description ?? "";
    this.#category.value = fields.category ?? "";
    this.#tags.value = (fields.tags ?? []).join(" ");
    this.#age.value = String(fields.age_min ?? 0);
  }

  async #save() {
    const [stream, account] = [this.#stream, this.#account];
    if (!account) return;
    const { language = "", schedule = [] } = this.#kept;
    const fields = {
      title: this.#title.value,
      description: this.#description.value,
      category: this.#category.value,
      tags: this.#tags.value.split(/[\s,]+/).filter(Boolean),
      age_min: Number(this.#age.value),
      language,
      schedule,
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
 * @template {"input" | "textarea"} Tag
 * @param {string} id
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 */
const field = (id, tag, properties) => h(tag, { id, ...properties });

/** @param {string} text @param {HTMLElement} control */
const labelled = (text, control) =>
  h("div", { class: "field" }, h("label", { class: "label", for: control.id }, text), control);
