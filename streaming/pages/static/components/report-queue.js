import { calledBy } from "../sdk/chat-log.js";
import { ANSWERS } from "../act-texts.js";
import { button, h } from "../dom.js";
import { answer, queue, reject, release } from "../moderation.js";
import { shortAddress } from "../sdk/ss58.js";
import { LoadedPanel, labelled, nothing, timeOf } from "./loaded-panel.js";

/** @typedef {import("../moderation.js").Reported} Reported */
/** @typedef {import("../moderation.js").Held} Held */

const TIME_OUT_S = 600;

/**
 * `<ps-queue>`: what is reported and what is held, and what can be done about it.
 * @extends {LoadedPanel<{reports: Reported[], held: Held[]}>}
 */
export class ReportQueue extends LoadedPanel {
  #reason;

  constructor() {
    const reason = h("input", { id: "queue-reason", type: "text", maxlength: 200, autocomplete: "off" });
    super("Waiting for you", labelled("Why, for the log (may be left empty)", reason));
    this.#reason = reason;
  }

  load() {
    return queue(this.stream, this.token);
  }

  /** @param {{reports: Reported[], held: Held[]}} waiting */
  rows({ reports, held }) {
    if (reports.length + held.length === 0) return [nothing("Nothing is reported, and nothing is held.")];
    return [
      h("ul", { class: "desk-list" }, [
        ...held.map((one) => this.#held(one)),
        ...reports.map((one) => this.#reported(one)),
      ]),
    ];
  }

  /** @param {Held} one */
  #held(one) {
    const name = calledBy(one.author, shortAddress);
    const why = one.why === "link" ? "it has a link" : `it has “${one.pattern}”`;
    const act = (/** @type {() => Promise<unknown>} */ work, /** @type {string} */ said) => () => this.act(work, said);
    return h(
      "li",
      { class: "desk-item" },
      this.#head("Held", name, one.author.account, one.stream, one.held_at_ms),
      h("p", { class: "desk-text" }, h("bdi", {}, one.text)),
      h("p", { class: "small" }, `It waits because ${why}.`),
      h(
        "div",
        { class: "actions" },
        button("plain", "Release", act(() => release(one.stream, one.number, this.token), "It is said now."), {
          "aria-label": `Release what ${name} said`,
        }),
        button("plain", "Reject", act(() => reject(one.stream, one.number, this.#why(), this.token), "It is not said."), {
          "aria-label": `Reject what ${name} said`,
        }),
      ),
    );
  }

  /** @param {Reported} one */
  #reported(one) {
    const name = calledBy(one.account, shortAddress);
    const { message } = one;
    const what = message ? `what ${name} said` : name;
    const choices = message
      ? { dismiss: "Dismiss", delete: "Delete", "time-out": "Time out for 10 min", ban: "Ban" }
      : { dismiss: "Dismiss", "time-out": "Time out for 10 min", ban: "Ban" };
    return h(
      "li",
      { class: "desk-item" },
      this.#head(one.count === 1 ? "Reported" : `Reported ${one.count} times`, name, one.account.account, one.stream, one.since_ms),
      message ? h("p", { class: "desk-text" }, message.deleted ? h("em", {}, "Deleted by now") : h("bdi", {}, message.text)) : null,
      h("ul", { class: "desk-reasons small" }, one.reports.map(({ reason, text }) =>
        h("li", {}, text ? [`${reason}: `, h("bdi", {}, text)] : reason),
      )),
      h(
        "div",
        { class: "actions" },
        Object.entries(choices).map(([kind, label]) =>
          button("plain", label, () => this.#answer(one, kind), { "aria-label": `${label}: ${what}` }),
        ),
      ),
    );
  }

  /** @param {Reported} one @param {string} kind */
  #answer(one, kind) {
    const target = one.message ? { message: one.message.number } : { account: one.account.account };
    const seconds = kind === "time-out" ? { seconds: TIME_OUT_S } : {};
    const body = /** @type {Parameters<typeof answer>[1]} */ (
      { ...target, ...seconds, answer: kind, reason: this.#why() }
    );
    return this.act(() => answer(one.stream, body, this.token), `Answered: ${ANSWERS[kind]}.`);
  }

  #why() {
    return this.#reason.value.trim();
  }

  /**
   * @param {string} badge
   * @param {string} name
   * @param {string} account
   * @param {number} stream
   * @param {number} ms
   */
  #head(badge, name, account, stream, ms) {
    return h(
      "p",
      { class: "desk-head" },
      h("span", { class: "badge" }, badge),
      h("strong", { title: account }, h("bdi", {}, name)),
      this.stream === null ? h("a", { href: `/moderation?stream=${stream}` }, `Stream ${stream}`) : null,
      timeOf(ms),
    );
  }
}

customElements.define("ps-queue", ReportQueue);
