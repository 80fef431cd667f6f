import { keepProfile } from "../community.js";
import { button, h, setText } from "../dom.js";

/** @typedef {import("../community.js").Profile} Profile */

const CHARS_MAX = { name: 50, handle: 25, about: 2_000, links: 3_000, languages: 120 };
/** The fields as the server names them, and what stands at each. */
const LABELS = {
  name: ["Name", "What people see first."],
  handle: ["Handle", "Small letters, digits and underscores, 3 to 24. Nobody else can have it, and it is in your page's address."],
  about: ["About you", "A few words, in as many lines as you like."],
  links: ["Links", "One in a line: a word or some, then the whole address, as your browser shows it."],
  languages: ["Languages", "With spaces between, as short tags, such as: en pt-BR"],
};

/** @typedef {keyof typeof LABELS} Field */

/**
 * The form with which somebody says who they are. What the server refuses is said at the field that
 * it names. Dispatches `saved` with the profile as it is kept, and `cancel`.
 */
export class ProfileForm extends EventTarget {
  #token;
  #controls = {
    name: control("name", "input", { type: "text", autocomplete: "nickname" }),
    handle: control("handle", "input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false" }),
    about: control("about", "textarea", { rows: 5 }),
    links: control("links", "textarea", { rows: 3, spellcheck: "false" }),
    languages: control("languages", "input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false" }),
  };
  #state = h("p", { class: "small", role: "status" });
  #save = h("button", { type: "submit", class: "button primary" }, "Save");
  root = h(
    "form",
    { class: "stack panel profile-form", "aria-labelledby": "profile-form-head", novalidate: true },
    h("h2", { id: "profile-form-head", tabindex: "-1" }, "Edit your profile"),
    fields().map((name) => labelled(name, this.#controls[name])),
    h("div", { class: "actions" }, this.#save, button("quiet", "Cancel", () => this.dispatchEvent(new Event("cancel")))),
    this.#state,
  );

  /**
   * @param {Profile} profile
   * @param {string} token
   */
  constructor(profile, token) {
    super();
    this.#token = token;
    this.#controls.name.value = profile.name;
    this.#controls.handle.value = profile.handle ?? "";
    this.#controls.about.value = profile.about;
    this.#controls.links.value = profile.links.map(({ label, url }) => `${label} ${url}`).join("\n");
    this.#controls.languages.value = profile.languages.join(" ");
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  focus() {
    /** @type {HTMLElement} */ (this.root.querySelector("h2")).focus();
  }

  async #submit() {
    const { name, handle, about, links, languages } = this.#controls;
    for (const field of fields()) this.#mark(field, "");
    this.#say("Saving…");
    this.#save.disabled = true;
    const body = {
      name: name.value,
      handle: handle.value.trim(),
      about: about.value,
      links: linksIn(links.value),
      languages: languages.value.split(/[\s,]+/).filter(Boolean),
    };
    try {
      const kept = await keepProfile(body, this.#token);
      this.#say("Saved.");
      this.dispatchEvent(new CustomEvent("saved", { detail: kept }));
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#save.disabled = false;
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    const text = error instanceof Error ? error.message : String(error);
    const field = fields().find((name) => name === /** @type {any} */ (error).field);
    if (!field) return this.#say(text, true);
    this.#mark(field, text);
    this.#say("Nothing was saved: one field is to be corrected.", true);
    this.#controls[field].focus();
  }

  /** @param {Field} field @param {string} wrong what is wrong with it; empty for nothing */
  #mark(field, wrong) {
    const element = this.#controls[field];
    if (wrong) element.setAttribute("aria-invalid", "true");
    else element.removeAttribute("aria-invalid");
    setText(/** @type {HTMLElement} */ (this.root.querySelector(`#profile-${field}-wrong`)), wrong);
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.#state.classList.toggle("is-error", isError);
    setText(this.#state, text);
  }
}

/** @returns {Field[]} */
const fields = () => /** @type {Field[]} */ (Object.keys(LABELS));

/**
 * Links as they are typed, one in a line: the last word is the address.
 * @param {string} text
 * @returns {{label: string, url: string}[]}
 */
export function linksIn(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    const at = line.search(/\S+$/);
    const [label, url] = [line.slice(0, at).trim(), line.slice(at)];
    return { label: label || url.replace(/^https?:\/\//, "").slice(0, 40), url };
  });
}

/**
 * @template {"input" | "textarea"} Tag
 * @param {Field} name
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 */
const control = (name, tag, properties) =>
  h(tag, {
    id: `profile-${name}`,
    maxlength: CHARS_MAX[name],
    "aria-describedby": `profile-${name}-hint profile-${name}-wrong`,
    ...properties,
  });

/** @param {Field} name @param {HTMLElement} element */
function labelled(name, element) {
  const [label, hint] = LABELS[name];
  return h(
    "div",
    { class: "field" },
    h("label", { class: "label", for: element.id }, label),
    element,
    h("p", { class: "small", id: `${element.id}-hint` }, hint),
    h("p", { class: "small is-error", id: `${element.id}-wrong` }),
  );
}
