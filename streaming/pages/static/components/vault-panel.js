import { AmountError, formatAmount, fromWire, parseAmount } from "../amounts.js";
import { assetOf } from "../api.js";
import { button, fill, figure, h, notice, setText } from "../dom.js";
import { STEP_TEXTS } from "../reasons.js";
import { send } from "../wallet.js";

/**
 * A viewer's own money and permission: what is left, and the ways back, withdraw and revoke.
 * Dispatches `changed` when one of them was done.
 */
export class VaultPanel extends EventTarget {
  #root;
  #balance = figure("Vault");
  #grant = figure("This server may pay");
  #until = figure("Until");
  #message = h("div", { "aria-live": "polite" });
  #amount = h("input", { type: "text", inputmode: "decimal", id: "withdraw-amount", autocomplete: "off" });
  #withdraw = h("form", { class: "inline-form" });
  #revoke = button("link", "Revoke the permission", () => this.#doRevoke());
  /** @type {import("../wallet.js").Account | null} */ #account = null;
  /** @type {import("../api.js").Terms | null} */ #terms = null;
  /** @type {import("../api.js").ChainInfo | null} */ #info = null;
  /** @type {string | null} */ #token = null;

  /** @param {HTMLElement} root a `<details>` with its `<summary>` */
  constructor(root) {
    super();
    this.#root = root;
    root.addEventListener("toggle", () => {
      if (/** @type {HTMLDetailsElement} */ (root).open) this.dispatchEvent(new Event("changed"));
    });
    this.#withdraw.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#doWithdraw();
    });
    const submit = h("button", { type: "submit", class: "button plain" }, "Withdraw");
    this.#withdraw.append(
      h("label", { class: "label", for: "withdraw-amount" }, "Withdraw to your account"),
      h("div", { class: "joined" }, this.#amount, submit),
    );
    root.append(
      h(
        "div",
        { class: "stack" },
        h("dl", { class: "figures" }, this.#balance.row, this.#grant.row, this.#until.row),
        this.#withdraw,
        this.#revoke,
        this.#message,
      ),
    );
  }

  hide() {
    this.#root.hidden = true;
  }

  /**
   * @param {import("../wallet.js").Account} account
   * @param {string} token
   * @param {import("../api.js").Terms} terms
   * @param {import("../api.js").ChainInfo} info
   */
  show(account, token, terms, info) {
    [this.#account, this.#token, this.#terms, this.#info] = [account, token, terms, info];
    const { decimals, symbol } = info;
    const vault = fromWire(terms.vault);
    const { grant } = terms;
    this.#root.hidden = vault === 0n && !grant;
    setText(this.#balance.value, formatAmount(vault, decimals, symbol));
    this.#grant.row.hidden = this.#until.row.hidden = this.#revoke.hidden = !grant;
    this.#withdraw.hidden = vault === 0n;
    if (document.activeElement !== this.#amount) {
      this.#amount.value = formatAmount(vault, decimals).replaceAll("\u202f", "");
    }
    if (!grant) return;
    const rate = formatAmount(fromWire(grant.rate_max_per_second), decimals, symbol);
    setText(this.#grant.value, `${formatAmount(fromWire(grant.cap_left), decimals, symbol)}, at most ${rate} a second`);
    setText(
      this.#until.value,
      new Date(grant.expires_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
    );
  }

  async #doWithdraw() {
    if (!this.#info || !this.#terms) return;
    try {
      const amount = parseAmount(this.#amount.value, this.#info.decimals);
      if (amount === 0n) throw new AmountError("Enter more than zero.");
      if (amount > fromWire(this.#terms.vault)) throw new AmountError("Your vault holds less than that.");
      this.#amount.removeAttribute("aria-invalid");
      const call = { kind: "withdraw", amount: String(amount), ...assetOf(this.#terms) };
      await this.#send(call, "Withdrawn to your account.");
    } catch (error) {
      if (error instanceof AmountError) this.#amount.setAttribute("aria-invalid", "true");
      this.#failed(error);
    }
  }

  async #doRevoke() {
    const grant = this.#terms?.grant;
    if (!grant) return;
    try {
      await this.#send(
        { kind: "revoke", grant: grant.id },
        "Revoked: this server can pay nothing more. Your vault is untouched.",
      );
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {Record<string, unknown>} call @param {string} done */
  async #send(call, done) {
    if (!this.#account) return;
    await send(this.#account, call, {
      token: this.#token,
      onStep: (step) => fill(this.#message, h("p", { class: "small" }, STEP_TEXTS[step])),
    });
    fill(this.#message, notice("good", done));
    this.dispatchEvent(new Event("changed"));
  }

  /** @param {unknown} error */
  #failed(error) {
    fill(this.#message, notice("error", "Not done", error instanceof Error ? error.message : String(error)));
  }
}
