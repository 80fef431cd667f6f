/**
 * The wallet that the browser injects (`window.injectedWeb3`, the interface of the polkadot.js
 * extension), and what is asked of it: one signature over a text that proves an account, and one
 * over a transaction that the relayer has prepared. No key ever comes near this page.
 * @module
 */

import { Problem } from "./errors.js";
import { pause } from "./server.js";
import { publicKeyOf } from "./ss58.js";

/**
 * @typedef {object} Account
 * @property {string} address
 * @property {string} name
 * @property {string} type `sr25519` or `ed25519`
 * @property {string} wallet the wallet's key in `window.injectedWeb3`
 */

/**
 * @typedef {object} Signer
 * @property {(payload: Record<string, any>) => Promise<{signature: string}>} signPayload
 * @property {(raw: {address: string, data: string, type: "bytes"}) => Promise<{signature: string}>}
 *   signRaw
 */

/** How long a wallet may take to inject itself after the page has loaded. */
const INJECTED_WITHIN_MS = 1_500;

/** The wallet said no, or cannot do what was asked. `cancelled`: its user declined. */
export class WalletError extends Error {
  /**
   * @param {string} message
   * @param {boolean} [cancelled]
   */
  constructor(message, cancelled = false) {
    super(message);
    this.name = "WalletError";
    this.cancelled = cancelled;
  }
}

/** @type {Map<string, {accounts: any, signer: Signer}>} */
const enabled = new Map();

/** @returns {Record<string, {version?: string, enable: (origin: string) => Promise<any>}>} */
function injected() {
  return /** @type {any} */ (window).injectedWeb3 ?? {};
}

/**
 * The wallets in this browser. Waits a moment for one that injects itself late.
 * @param {Promise<unknown>} [offered] something that may put another one among them
 * @returns {Promise<string[]>} their names, as they call themselves
 */
export async function findWallets(offered = Promise.resolve()) {
  const until = performance.now() + INJECTED_WITHIN_MS;
  await Promise.race([offered, new Promise((resolve) => setTimeout(resolve, INJECTED_WITHIN_MS))]);
  while (Object.keys(injected()).length === 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return Object.keys(injected());
}

/**
 * Asks one wallet for access; it may ask its user.
 * @param {string} name
 * @returns {Promise<{usable: Account[], others: {name: string, type: string}[]}>}
 * @throws {WalletError}
 */
export async function enable(name) {
  const wallet = injected()[name];
  if (!wallet) throw new WalletError(`The wallet “${name}” is no longer there. Reload the page.`);
  try {
    if (!enabled.has(name)) enabled.set(name, await wallet.enable("PayStream"));
    const accounts = await enabled.get(name)?.accounts.get();
    return sortAccounts(accounts ?? [], name);
  } catch (error) {
    enabled.delete(name);
    throw refusal(error, "The wallet did not give access to its accounts.");
  }
}

/**
 * The accounts that can sign in here, and those that cannot: of another kind of key (ecdsa), or
 * of another kind of chain (ethereum).
 * @param {any[]} accounts as a wallet lists them
 * @param {string} wallet
 * @returns {{usable: Account[], others: {name: string, type: string}[]}}
 */
export function sortAccounts(accounts, wallet) {
  const read = accounts.map(({ address, name, type }) => ({
    address,
    name: name || "Account",
    type: type ?? (publicKeyOf(address) === null ? "unknown" : "sr25519"),
    wallet,
  }));
  const isUsable = (/** @type {Account} */ { address, type }) =>
    publicKeyOf(address) !== null && (type === "sr25519" || type === "ed25519");
  return { usable: read.filter(isUsable), others: read.filter((account) => !isUsable(account)) };
}

/**
 * @param {unknown} error what a wallet threw
 * @param {string} otherwise
 * @returns {WalletError}
 */
function refusal(error, otherwise) {
  if (error instanceof WalletError) return error;
  const text = error instanceof Error ? error.message : String(error ?? "");
  if (/cancel|reject|denied|declin/i.test(text)) {
    return new WalletError("You declined in the wallet. Nothing was signed or sent.", true);
  }
  return new WalletError(text ? `${otherwise} It says: ${text}` : otherwise);
}

/**
 * @param {Account} account
 * @returns {Promise<Signer>}
 */
async function signerOf(account) {
  if (!enabled.has(account.wallet)) await enable(account.wallet);
  const signer = enabled.get(account.wallet)?.signer;
  if (!signer) throw new WalletError("The wallet cannot sign. Choose another one.");
  return signer;
}

/** Codes for a text or transaction that the server no longer waits for. */
export const TEXT_GONE = ["challenge-unknown", "challenge-expired"];
const CALL_GONE = ["submission-unknown", "submission-expired"];
/** A signature that took less is not called late: the server may have been started again. */
const LATE_FROM_MS = 60_000;

/**
 * @param {unknown} error what the server made of a signature
 * @param {string[]} gone the codes that may mean that it came too late
 * @param {number} tookMs how long the wallet took
 * @param {string} remedy
 * @returns {unknown} the error in words about what happened
 */
export function late(error, gone, tookMs, remedy) {
  if (!(error instanceof Problem) || !gone.includes(error.code)) return error;
  const why =
    tookMs < LATE_FROM_MS
      ? "The server no longer knows what you signed; it may have been started again."
      : `Your signature came ${Math.floor(tookMs / 60_000)} min after it was asked for, and that is too late.`;
  return new WalletError(`${why} Nothing was done. ${remedy}, and confirm it soon.`);
}

/**
 * @param {Account} account
 * @param {string} text
 * @returns {Promise<string>} the signature as hex
 */
export async function signText(account, text) {
  const signer = await signerOf(account);
  if (!signer.signRaw) throw new WalletError("This wallet cannot sign a text. Choose another one.");
  const bytes = new TextEncoder().encode(text);
  const data = `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  try {
    return (await signer.signRaw({ address: account.address, data, type: "bytes" })).signature;
  } catch (error) {
    throw refusal(error, "The wallet did not sign.");
  }
}

/**
 * Has the wallet sign a call, sends it and follows it.
 * @param {import("./client.js").Client} client
 * @param {Account} account
 * @param {Record<string, unknown>} call as `POST wallet/prepare` takes it
 * @param {object} [options]
 * @param {string | null} [options.token]
 * @param {(step: "preparing" | "signing" | "sending" | "waiting" | "in_block" | "finalized",
 *   summary?: string) => void} [options.onStep]
 * @param {() => Promise<boolean>} [options.isEnough] asked once it is in a block: whether to go
 *   on before finality
 * @param {AbortSignal} [options.signal] gives up; what was sent is sent
 * @returns {Promise<Record<string, any>>} the result, such as `{stream: 3}`
 * @throws {WalletError | Problem}
 */
export async function send(client, account, call, { token = null, onStep = () => {}, isEnough, signal } = {}) {
  onStep("preparing");
  const { payload, submission, summary } = await client.prepare(account.address, call, token, { signal });
  onStep("signing", summary);
  const signer = await signerOf(account);
  const since = performance.now();
  let signature;
  try {
    ({ signature } = await signer.signPayload(payload));
  } catch (error) {
    throw refusal(error, "The wallet did not sign.");
  }
  onStep("sending", summary);
  try {
    await client.submit(submission, signature, token, { signal });
  } catch (error) {
    throw late(error, CALL_GONE, performance.now() - since, "Try again");
  }
  onStep("waiting", summary);
  return follow(client, submission, { token, onStep, isEnough, signal, summary });
}

/**
 * @param {import("./client.js").Client} client
 * @param {string} submission
 * @param {{token: string | null, onStep: Function, isEnough?: () => Promise<boolean>,
 *   signal?: AbortSignal, summary: string}} options
 */
async function follow(client, submission, { token, onStep, isEnough, signal, summary }) {
  for (let unreachable = 0; ; ) {
    await pause(500, signal);
    let state;
    try {
      state = await client.submission(submission, token, { signal });
      unreachable = 0;
    } catch (error) {
      // What was sent is sent; a server that is away for a moment changes nothing about that.
      if (!(error instanceof Problem) || ![0, 502, 503, 504].includes(error.status)) throw error;
      if (++unreachable > 120) throw error;
      continue;
    }
    if (state.status === "failed") {
      throw new Problem(422, "transaction-failed", state.detail ?? "The chain refused it.");
    }
    if (state.status === "in_block" || state.status === "finalized") {
      onStep(state.status, summary);
      if (state.status === "finalized" || (isEnough && (await isEnough()))) {
        return state.result ?? {};
      }
    }
  }
}
