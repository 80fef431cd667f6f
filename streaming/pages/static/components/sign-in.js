import { button, fill, h, notice } from "../dom.js";
import { signInToCommunity, storedSession } from "../community.js";
import "./wallet-chooser.js";

/**
 * `<ps-sign-in>`: a wallet's account, and one signature with which it signs in to the community.
 * Dispatches `session` when somebody is.
 */
export class SignIn extends HTMLElement {
  #wallet = /** @type {import("./wallet-chooser.js").WalletChooser} */ (document.createElement("ps-wallet"));
  #action = h("div", { class: "stack" });

  connectedCallback() {
    if (this.childElementCount > 0) return;
    this.#wallet.addEventListener("account", () => this.#show());
    fill(this, this.#wallet, this.#action);
  }

  #show() {
    const { account } = this.#wallet;
    if (!account) return fill(this.#action);
    if (storedSession(account)) return this.#done();
    fill(this.#action, button("primary", "Sign in", () => this.#signIn()));
  }

  async #signIn() {
    const { account } = this.#wallet;
    if (!account) return;
    fill(this.#action, h("p", { class: "small", role: "status" }, "Confirm in your wallet: it signs a text, and moves no money."));
    try {
      await signInToCommunity(account);
      this.#done();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      fill(this.#action, notice("error", "Not signed in", text), button("plain", "Sign in", () => this.#signIn()));
    }
  }

  #done() {
    fill(this.#action);
    this.dispatchEvent(new Event("session"));
  }
}

customElements.define("ps-sign-in", SignIn);
