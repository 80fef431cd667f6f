import { AmountError, costOf, formatAmount, fromWire, parseAmount, perSecond } from "../amounts.js";
import * as api from "../api.js";
import { button, fill, h, notice, setText } from "../dom.js";
import { sameAccount } from "../sdk/ss58.js";
import { titleOf } from "../stream-facts.js";

/** @type {[string, number][]} */
const PERIODS = [["second", 1], ["minute", 60], ["hour", 3_600]];

/**
 * A creator's own streams, to choose one, and the form that makes another.
 * Dispatches `change` when `chosen` has changed, and `create` with the price per second.
 */
export class StreamPicker extends EventTarget {
  /** @type {api.Stream | null} */
  chosen = null;
  /** @type {api.ChainInfo} */
  info = { genesis_hash: "", chain: "", symbol: "", decimals: 0 };
  #root;
  /** @type {api.Stream[]} */
  #own = [];
  #amount = h("input", { id: "price", type: "text", inputmode: "decimal", value: "0.06", autocomplete: "off" });
  #period = h(
    "select",
    { id: "period", "aria-label": "Price for a" },
    PERIODS.map(([name, seconds]) => h("option", { value: seconds, selected: seconds === 60 }, `per ${name}`)),
  );
  #exact = h("p", { class: "small", "aria-live": "polite" });

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.#root = root;
    this.#amount.addEventListener("input", () => this.#showExact());
    this.#period.addEventListener("change", () => this.#showExact());
  }

  /** @param {boolean} inert */
  set inert(inert) {
    this.#root.inert = inert;
  }

  get inert() {
    return this.#root.inert;
  }

  /**
   * @param {string | null} account
   * @param {number} [choose] the stream to choose
   */
  async load(account, choose) {
    this.#root.hidden = account === null;
    if (account === null) return this.#choose(null);
    fill(this.#root, h("p", { class: "quiet-line" }, "Looking for your streams…"));
    try {
      const all = await api.streams();
      this.#own = all.filter(({ owner }) => sameAccount(owner, account)).sort((a, b) => b.id - a.id);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const again = button("plain", "Try again", () => this.load(account, choose));
      return fill(this.#root, notice("error", "Your streams could not be loaded", text, [again]));
    }
    const usable = this.#own.filter(({ status, earned }) => status !== "ended" || fromWire(earned) > 0n);
    this.#own = usable;
    const chosen = usable.find(({ id }) => id === (choose ?? this.chosen?.id)) ?? usable[0] ?? null;
    this.#show(chosen);
    this.#choose(chosen);
  }

  /** @param {api.Stream} stream as it is now */
  update(stream) {
    if (this.chosen?.id === stream.id) this.chosen = stream;
  }

  /** @param {api.Stream | null} stream */
  #choose(stream) {
    this.chosen = stream;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {api.Stream | null} chosen */
  #show(chosen) {
    const select = h(
      "select",
      { id: "own-stream", onchange: () => this.#choose(this.#own[select.selectedIndex]) },
      this.#own.map((stream) => h("option", { value: stream.id, selected: stream === chosen }, this.#title(stream))),
    );
    const isFirst = this.#own.length === 0;
    fill(
      this.#root,
      isFirst
        ? h("p", {}, "Make your first stream: its price is written on the chain, and viewers pay you by the second.")
        : h("div", { class: "field" }, h("label", { class: "label", for: "own-stream" }, "Stream"), select),
      h(
        "details",
        { open: isFirst, class: "plain-details" },
        h("summary", {}, isFirst ? "New stream" : "Make another stream"),
        this.#form(),
      ),
    );
    this.#showExact();
  }

  /** @param {api.Stream} stream */
  #title(stream) {
    const { decimals, symbol } = api.inUnitOf(this.info, stream);
    const price = formatAmount(costOf(fromWire(stream.rate_per_second), 60), decimals, symbol);
    return `${titleOf(stream)} · ${price} / min${stream.status === "active" ? "" : ` · ${stream.status}`}`;
  }

  #form() {
    const form = h(
      "form",
      { class: "stack" },
      h(
        "div",
        { class: "field" },
        h("label", { class: "label", for: "price" }, `Price in ${this.info.symbol}`),
        h("div", { class: "joined" }, this.#amount, this.#period),
      ),
      this.#exact,
      h("button", { type: "submit", class: "button primary", id: "create" }, "Make the stream"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const rate = this.#showExact();
      if (rate !== null) this.dispatchEvent(new CustomEvent("create", { detail: rate }));
      else this.#amount.focus();
    });
    return form;
  }

  /** @returns {bigint | null} the price per second, if what was typed is one */
  #showExact() {
    const { decimals, symbol } = this.info;
    try {
      const rate = perSecond(parseAmount(this.#amount.value, decimals), Number(this.#period.value));
      if (rate < 1n) throw new AmountError("The price must be above zero.");
      this.#amount.removeAttribute("aria-invalid");
      this.#exact.classList.remove("is-error");
      const each = [1, 60, 3_600].map((seconds) => formatAmount(costOf(rate, seconds), decimals, symbol));
      setText(this.#exact, `${each[0]} a second, ${each[1]} a minute, ${each[2]} an hour.`);
      return rate;
    } catch (error) {
      this.#amount.setAttribute("aria-invalid", "true");
      this.#exact.classList.add("is-error");
      setText(this.#exact, error instanceof Error ? error.message : String(error));
      return null;
    }
  }
}
