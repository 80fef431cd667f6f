import { costOf, formatAmount } from "../amounts.js";
import { fill, h } from "../dom.js";

const CHOICES_S = [300, 600, 1_800, 3_600];
const MINUTES_MAX = 7 * 24 * 60;

/**
 * `<ps-time-choice>`: how long one wants to be able to watch, with what that costs.
 * Dispatches `change` when `seconds` has changed.
 */
export class TimeChoice extends HTMLElement {
  seconds = 600;
  question = "How long do you want to be able to watch?";
  #rate = 0n;
  #decimals = 0;
  #symbol = "";

  /**
   * @param {bigint} ratePerSecond
   * @param {number} decimals
   * @param {string} symbol
   */
  show(ratePerSecond, decimals, symbol) {
    if (this.#rate === ratePerSecond && this.childElementCount > 0) return;
    [this.#rate, this.#decimals, this.#symbol] = [ratePerSecond, decimals, symbol];
    const own = !CHOICES_S.includes(this.seconds);
    const minutes = h("input", {
      type: "number",
      class: "minutes",
      min: 1,
      max: MINUTES_MAX,
      step: 1,
      inputmode: "numeric",
      "aria-label": "Minutes",
      value: own ? Math.round(this.seconds / 60) : 120,
    });
    const price = h("span", { class: "option-price" });
    const radio = h("input", { type: "radio", name: "time", value: "own", checked: own });
    const useOwn = () => {
      const typed = Math.floor(Number(minutes.value));
      const valid = typed >= 1 && typed <= MINUTES_MAX;
      minutes.setAttribute("aria-invalid", String(!valid));
      if (valid) price.textContent = this.#price(typed * 60);
      if (valid && radio.checked) this.#set(typed * 60);
    };
    minutes.addEventListener("input", () => {
      radio.checked = true;
      useOwn();
    });
    radio.addEventListener("change", useOwn);
    fill(
      this,
      h(
        "fieldset",
        { class: "options" },
        h("legend", { class: "label" }, this.question),
        CHOICES_S.map((seconds) => this.#option(seconds)),
        h(
          "label",
          { class: "option" },
          radio,
          h("span", { class: "option-own" }, minutes, "min"),
          price,
        ),
      ),
    );
    useOwn();
  }

  /** @param {number} seconds */
  #option(seconds) {
    const name = seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
    return h(
      "label",
      { class: "option" },
      h("input", {
        type: "radio",
        name: "time",
        value: seconds,
        checked: seconds === this.seconds,
        onchange: () => this.#set(seconds),
      }),
      h("span", {}, name),
      h("span", { class: "option-price" }, this.#price(seconds)),
    );
  }

  /** @param {number} seconds */
  #price(seconds) {
    return formatAmount(costOf(this.#rate, seconds), this.#decimals, this.#symbol);
  }

  /** @param {number} seconds */
  #set(seconds) {
    this.seconds = seconds;
    this.dispatchEvent(new Event("change"));
  }
}

customElements.define("ps-time-choice", TimeChoice);
