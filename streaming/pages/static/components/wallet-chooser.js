import { button, fill, h, icon, notice } from "../dom.js";
import { shortAddress } from "../sdk/ss58.js";
import { DEVELOPMENT } from "../development-wallet.js";
import { enable, findWallets, rememberChoice, rememberedChoice } from "../wallet.js";

/** @typedef {import("../wallet.js").Account} Account */

/**
 * `<ps-wallet>`: finds the browser's wallets, connects one, and lets its user choose an account.
 * Dispatches `account` when `account` has changed.
 */
export class WalletChooser extends HTMLElement {
  /** @type {Account | null} */
  account = null;
  /** @type {Account[]} */
  #accounts = [];
  /** Accounts of the wallet that cannot sign in here. @type {{name: string, type: string}[]} */
  #others = [];

  connectedCallback() {
    this.#start();
  }

  async #start() {
    fill(this, h("p", { class: "quiet-line" }, "Looking for a wallet…"));
    const wallets = await findWallets();
    if (wallets.length === 0) return this.#showNone();
    const choice = rememberedChoice();
    if (choice && wallets.includes(choice.wallet)) {
      return this.#connect(choice.wallet, wallets, choice.address);
    }
    this.#showWallets(wallets);
  }

  #showNone() {
    fill(
      this,
      notice(
        "info",
        "No wallet found in this browser",
        "You need a Polkadot wallet extension with an account, such as Talisman, SubWallet or " +
          "polkadot{.js}. Install one, make an account, and look again.",
        [button("plain", "Look again", () => this.#start())],
      ),
    );
  }

  /** @param {string[]} wallets @param {HTMLElement | null} [problem] */
  #showWallets(wallets, problem = null) {
    fill(
      this,
      problem,
      h("p", { class: "quiet-line" }, "Your wallet signs; its keys never leave it."),
      h(
        "div",
        { class: "actions" },
        wallets.map((name) =>
          button(
            name === DEVELOPMENT ? "plain" : "primary",
            [icon("wallet"), name === DEVELOPMENT ? "Use a development account" : `Connect ${walletTitle(name)}`],
            () => this.#connect(name, wallets),
          ),
        ),
      ),
    );
  }

  /** @param {string} name @param {string[]} wallets @param {string} [address] */
  async #connect(name, wallets, address) {
    fill(this, h("p", { class: "quiet-line" }, `Waiting for ${walletTitle(name)}…`));
    try {
      ({ usable: this.#accounts, others: this.#others } = await enable(name));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return this.#showWallets(wallets, notice("error", "Not connected", text));
    }
    if (this.#accounts.length === 0) {
      const remedy = "Make an account in it (sr25519 or ed25519), allow this site to see it, and connect again.";
      const none = this.#others.length === 0;
      const title = none ? "The wallet shows no account" : "None of the wallet's accounts can be used here";
      const text = none ? remedy : `${othersText(this.#others)} ${remedy}`;
      return this.#showWallets(wallets, notice("warning", title, text));
    }
    const known = this.#accounts.find((account) => account.address === address);
    this.#choose(known ?? this.#accounts[0]);
    this.#showAccounts(wallets);
  }

  /** @param {string[]} wallets */
  #showAccounts(wallets) {
    const select = h(
      "select",
      { id: "account", onchange: () => this.#choose(this.#accounts[select.selectedIndex]) },
      this.#accounts.map((account) =>
        h(
          "option",
          { value: account.address, selected: account === this.account },
          `${account.name} · ${shortAddress(account.address)}`,
        ),
      ),
    );
    const disconnect = () => {
      rememberChoice(null);
      this.#choose(null);
      this.#showWallets(wallets);
    };
    fill(
      this,
      h(
        "div",
        { class: "label-row" },
        h("label", { class: "label", for: "account" }, "Account"),
        button("link", "Disconnect", disconnect),
      ),
      select,
      this.account?.wallet === DEVELOPMENT ? developmentNotice() : null,
      this.#others.length > 0 ? h("p", { class: "small" }, othersText(this.#others)) : null,
    );
  }

  /** @param {Account | null} account */
  #choose(account) {
    this.account = account;
    if (account) rememberChoice(account);
    this.dispatchEvent(new Event("account"));
  }
}

/**
 * @param {{name: string, type: string}[]} others
 * @returns {string}
 */
function othersText(others) {
  const named = others.map(({ name, type }) => `${name} (${type})`).join(", ");
  return `Not usable here: ${named}. Keys have to be sr25519 or ed25519.`;
}

function developmentNotice() {
  return notice(
    "warning",
    "Development account",
    "Everybody can sign as this account, and the money of this chain is worth nothing.",
  );
}

/** @param {string} name @returns {string} */
function walletTitle(name) {
  const titles = /** @type {Record<string, string>} */ ({
    "polkadot-js": "polkadot{.js}",
    "subwallet-js": "SubWallet",
    talisman: "Talisman",
    [DEVELOPMENT]: "the development accounts",
  });
  return titles[name] ?? name;
}

customElements.define("ps-wallet", WalletChooser);
