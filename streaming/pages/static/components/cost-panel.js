import { costOf, formatAmount, formatClock, formatTime, fromWire } from "../amounts.js";
import { figure, h, setText } from "../dom.js";

/** Below this the remaining time is shown as a warning. */
const LOW_S = 60;

/**
 * `<ps-cost>`: what the running session has cost so far, and how long the balance still lasts.
 */
export class CostPanel extends HTMLElement {
  #cost = h("p", { class: "amount" }, "–");
  #delivered = figure("Delivered");
  #paid = figure("Paid on chain");
  #left = figure("Time left");
  #bar = h("progress", { max: 1, value: 1, "aria-label": "Balance left" });
  #low = h("p", { class: "low", role: "status", hidden: true });
  #most = 0;

  connectedCallback() {
    if (this.childElementCount > 0) return;
    this.append(
      h("p", { class: "label" }, "Cost so far"),
      this.#cost,
      h("dl", { class: "figures" }, this.#delivered.row, this.#paid.row, this.#left.row),
      this.#bar,
      this.#low,
    );
  }

  /** Forgets the earlier session's figures. */
  reset() {
    this.#most = 0;
    for (const element of [this.#cost, this.#delivered.value, this.#paid.value, this.#left.value]) {
      setText(element, "–");
    }
    this.#low.hidden = true;
    this.#bar.value = 1;
  }

  /**
   * @param {import("../api.js").Session} session
   * @param {import("../api.js").ChainInfo} info
   */
  show(session, info) {
    const delivered = Math.floor(session.delivered_ms / 1000);
    const seconds = Math.max(delivered, session.paid_seconds);
    // what is paid has the operator's price of each tick in it
    const due = costOf(fromWire(session.rate_per_second), seconds - session.paid_seconds);
    const cost = fromWire(session.paid) + due;
    setText(this.#cost, formatAmount(cost, info.decimals, info.symbol));
    setText(this.#delivered.value, formatClock(delivered));
    const paid = formatAmount(fromWire(session.paid), info.decimals, info.symbol);
    setText(this.#paid.value, `${formatClock(session.paid_seconds)} · ${paid}`);
    this.#showLeft(session.runway_seconds);
  }

  /** @param {number | null | undefined} seconds */
  #showLeft(seconds) {
    if (seconds === null || seconds === undefined) {
      setText(this.#left.value, "–");
      return;
    }
    this.#most = Math.max(this.#most, seconds);
    setText(this.#left.value, seconds < 86_400 ? formatClock(seconds) : formatTime(seconds));
    this.#bar.value = this.#most > 0 ? seconds / this.#most : 0;
    const low = seconds < LOW_S;
    this.classList.toggle("is-low", low);
    this.#low.hidden = !low;
    if (low) setText(this.#low, "Your balance ends within a minute. Add time to go on watching.");
  }
}

customElements.define("ps-cost", CostPanel);
