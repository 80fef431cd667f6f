import * as api from "../api.js";
import { card } from "../community.js";
import { fill, h } from "../dom.js";

/**
 * What a stream is about: the description as the server has rendered and cleaned it, and its tags.
 */
export class StreamAbout {
  #root;
  /** The card that is shown, as the stream has it. */
  #shown = "null";

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {api.Stream} stream */
  async show(stream) {
    const present = JSON.stringify(stream.card ?? null);
    if (present === this.#shown) return;
    this.#shown = present;
    if (!stream.card) return void (this.#root.hidden = true);
    try {
      const { card: fields, description_html } = await card(stream.id);
      const { category, tags, age_min } = fields;
      fill(
        this.#root,
        h(
          "p",
          { class: "about-tags" },
          age_min > 0 ? h("span", { class: "badge" }, `From ${age_min} years`) : null,
          category ? others("category", category, category) : null,
          tags.map((tag) => others("tag", tag, `#${tag}`)),
        ),
        ...nodesOf(description_html),
      );
      this.#root.hidden = this.#root.textContent === "";
    } catch {
      this.#shown = "null"; // the next look at the stream tries again
    }
  }
}

/**
 * Where others of the kind are.
 * @param {"category" | "tag"} kind
 * @param {string} value
 * @param {string} text
 */
const others = (kind, value, text) =>
  h("a", { class: "badge", href: `/browse?${new URLSearchParams({ [kind]: value })}` }, text);

/**
 * The one place where a text becomes markup: what nh3 has let through on the server. A document that
 * is only parsed runs and loads nothing, and what the policy forbids it forbids here as well.
 * @param {string} html
 * @returns {Node[]}
 */
function nodesOf(html) {
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes];
}
