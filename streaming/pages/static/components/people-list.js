import { calledBy } from "../sdk/chat-log.js";
import { button, h } from "../dom.js";
import { letSpeak, moderators, muteFor, mutes, setModerator } from "../moderation.js";
import { shortAddress } from "../sdk/ss58.js";
import { LoadedPanel, formOf, labelled, nothing, ticked, timeOf } from "./loaded-panel.js";

/** @typedef {import("../moderation.js").Name} Name */
/** @typedef {import("../moderation.js").Silent} Silent */

/** Seconds by name; 0 is for good. @type {[number, string][]} */
const LENGTHS = [
  [600, "for 10 minutes"],
  [3_600, "for an hour"],
  [86_400, "for a day"],
  [0, "for good"],
];

/**
 * `<ps-people>`: who may not speak, who moderates, and changing both.
 * @extends {LoadedPanel<{silent: Silent[], naming: Name[]}>}
 */
export class PeopleList extends LoadedPanel {
  /** @type {HTMLInputElement} */ #who;
  /** @type {HTMLSelectElement} */ #length;
  /** @type {HTMLInputElement} */ #addresses;
  /** @type {HTMLInputElement} */ #reason;

  constructor() {
    const who = h("input", { id: "who", type: "text", maxlength: 64, required: true, autocomplete: "off", spellcheck: "false" });
    const length = h("select", { id: "who-length" }, LENGTHS.map(([seconds, text]) => h("option", { value: seconds }, text)));
    const addresses = h("input", { type: "checkbox" });
    const reason = h("input", { id: "who-reason", type: "text", maxlength: 200, autocomplete: "off" });
    super(
      "People",
      formOf(
        () => this.#mute(),
        labelled("A handle, or an address", who),
        labelled("May not speak", length),
        labelled("Why, for the log (may be left empty)", reason),
        ticked("Nor may anybody from where they spoke, for 30 days at most", addresses),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "submit", class: "button plain" }, "Let them not speak"),
          button("plain", "Make a moderator", () => this.#name()),
        ),
      ),
    );
    [this.#who, this.#length, this.#addresses, this.#reason] = [who, length, addresses, reason];
  }

  async load() {
    const stream = this.stream ?? 0;
    const [silent, naming] = await Promise.all([mutes(stream, this.token), moderators(stream)]);
    return { silent, naming };
  }

  /** @param {{silent: Silent[], naming: Name[]}} people */
  rows({ silent, naming }) {
    return [
      h("h3", { class: "label" }, "May not speak"),
      silent.length === 0
        ? nothing("Everybody may speak.")
        : h("ul", { class: "desk-list" }, silent.map((one) => this.#silent(one))),
      h("h3", { class: "label" }, "Moderators"),
      naming.length === 0
        ? nothing("Nobody but the stream's owner.")
        : h("ul", { class: "desk-list" }, naming.map((one) => this.#moderator(one))),
    ];
  }

  /** @param {Silent} one */
  #silent(one) {
    const name = calledBy(one, shortAddress);
    const speak = () => this.act(() => letSpeak(this.#stream, one.account, this.token), `${name} may speak.`);
    return h(
      "li",
      { class: "desk-row" },
      h("bdi", { class: "desk-word", title: one.account }, name),
      one.until_ms === null ? h("span", { class: "badge" }, "For good") : h("span", { class: "small" }, "until ", timeOf(one.until_ms)),
      button("link", "Let speak", speak, { "aria-label": `Let speak: ${name}` }),
    );
  }

  /** @param {Name} one */
  #moderator(one) {
    const name = calledBy(one, shortAddress);
    const dismiss = () =>
      this.act(() => setModerator(this.#stream, one.account, false, this.token), `${name} moderates no more.`);
    return h(
      "li",
      { class: "desk-row" },
      h("bdi", { class: "desk-word", title: one.account }, name),
      button("link", "Dismiss", dismiss, { "aria-label": `Dismiss ${name}` }),
    );
  }

  get #stream() {
    return this.stream ?? 0;
  }

  async #mute() {
    const who = this.#who.value.trim();
    const body = {
      seconds: Number(this.#length.value) || null,
      reason: this.#reason.value.trim(),
      addresses: this.#addresses.checked,
    };
    if (await this.act(() => muteFor(this.#stream, who, body, this.token), `${who} may not speak.`)) this.#who.value = "";
  }

  async #name() {
    if (!this.#who.reportValidity()) return;
    const who = this.#who.value.trim();
    if (await this.act(() => setModerator(this.#stream, who, true, this.token), `${who} moderates.`)) this.#who.value = "";
  }
}

customElements.define("ps-people", PeopleList);
