/**
 * The page of who moderates: a stream's (`?stream=N`), or, without one, the operator's.
 * @module
 */

import { signInToCommunity, storedSession } from "./community.js";
import "./components/act-log.js";
import "./components/chat-settings.js";
import "./components/people-list.js";
import "./components/report-queue.js";
import "./components/wallet-chooser.js";
import "./components/word-list.js";
import { button, fill, h, notice, setText } from "./dom.js";
import "./header.js";
import * as moderation from "./moderation.js";

/** @typedef {import("./components/loaded-panel.js").LoadedPanel<any>} Panel */

const POLL_MS = 10_000;

/** @param {string} selector */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

const wallet = /** @type {import("./components/wallet-chooser.js").WalletChooser} */ (find("#wallet"));
const signIn = find("#sign-in");
const desk = find("#desk");
const named = new URLSearchParams(window.location.search).get("stream");
/** @type {number | null} */
const stream = named !== null && /^\d{1,15}$/.test(named) ? Number(named) : null;
/** Panels that are about one stream alone. */
const OF_A_STREAM = ["ps-chat-settings", "ps-people"];

setText(find("#about"), stream === null ? "All streams of this server, for its operator." : `The chat beside stream ${stream}.`);
if (stream !== null) document.title = `Moderation of stream ${stream} · PayStream`;

/** @returns {Panel[]} */
const panels = () => /** @type {any[]} */ ([...desk.children].filter((one) => !(/** @type {HTMLElement} */ (one).hidden)));

/** @param {string} text */
const failed = (text) => notice("error", "You cannot moderate here", text);

async function show() {
  const account = wallet.account;
  desk.hidden = true;
  if (!account) return fill(signIn);
  const token = storedSession(account);
  if (token) return open(token);
  const begin = async () => {
    try {
      fill(signIn, h("p", { class: "small", role: "status" }, "Confirm in your wallet: it signs a text, and moves no money."));
      await open(await signInToCommunity(account));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      fill(signIn, notice("error", "Not signed in", text), button("plain", "Sign in to moderate", begin));
    }
  };
  fill(signIn, button("primary", "Sign in to moderate", begin));
}

/** @param {string} token */
async function open(token) {
  fill(signIn, h("p", { class: "quiet-line", role: "status" }, "Looking what you may do…"));
  try {
    await moderation.queue(stream, token);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return fill(signIn, failed(text), button("plain", "Try again", () => open(token)));
  }
  fill(signIn);
  for (const name of OF_A_STREAM) find(name).hidden = stream === null;
  desk.hidden = false;
  await Promise.all(panels().map((panel) => panel.open(stream, token)));
}

wallet.addEventListener("account", show);
desk.addEventListener("acted", (event) => {
  const log = /** @type {any} */ (find("ps-acts"));
  if (event.target !== log) log.refresh();
});
setInterval(() => {
  const queue = /** @type {any} */ (find("ps-queue"));
  // what somebody is about to press does not move away from under the finger
  if (!document.hidden && !desk.hidden && !queue.contains(document.activeElement)) queue.refresh();
}, POLL_MS);
await show();
