/**
 * What the codes of server, relayer and ledger mean to a viewer, and what helps.
 * @module
 */

/**
 * @typedef {object} Explanation
 * @property {string} title
 * @property {string} text
 * @property {"top-up" | "sign-in" | "again" | "none"} remedy
 */

/** @type {Record<string, Explanation>} */
const EXPLANATIONS = {
  funds: {
    title: "Your balance for this stream is used up",
    text: "Everything you paid for was delivered. Add time to go on watching.",
    remedy: "top-up",
  },
  "grant-ended": {
    title: "Your permission to pay has ended",
    text: "It has expired, was revoked, or its limit is reached. Give a new one to go on.",
    remedy: "top-up",
  },
  "token-ended": {
    title: "Your sign-in has ended",
    text: "Sign in again with your wallet; your balance is untouched.",
    remedy: "sign-in",
  },
  "stream-ended": {
    title: "The creator has ended this stream",
    text: "You paid for what was delivered until then. The rest is in your vault.",
    remedy: "none",
  },
  "stream-paused": {
    title: "The creator has paused this stream",
    text: "Nothing is charged meanwhile.",
    remedy: "again",
  },
  "publisher-gone": {
    title: "The creator has stopped sending",
    text: "Nothing is charged meanwhile. What is left is in your vault.",
    remedy: "again",
  },
  "open-refused": {
    title: "The chain refused to open a session",
    text: "Nothing was charged. The terms may have changed: look at them and try again.",
    remedy: "top-up",
  },
  "not-included": {
    title: "The chain did not confirm the payment in time",
    text: "It may be busy. Nothing was charged for what was not confirmed.",
    remedy: "again",
  },
  budget: {
    title: "Waiting for the chain",
    text: "The picture goes on when your payment is confirmed.",
    remedy: "again",
  },
  replaced: {
    title: "You are watching this in another tab",
    text: "This one was closed, so that you pay only once.",
    remedy: "again",
  },
  "slot-taken": {
    title: "You are already watching as often as you allowed",
    text: "Stop one of the others, or wait until its session is closed.",
    remedy: "again",
  },
  "slot-unsettled": {
    title: "An earlier session still holds your slot",
    text: "It ended without being closed. Its slot and the rest of its funds come back when somebody settles it.",
    remedy: "again",
  },
  "session-closed": {
    title: "Your session was closed",
    text: "You paid for what was delivered. The rest is in your vault.",
    remedy: "again",
  },
  "budget-spent": {
    title: "Too much is not charged yet",
    text: "The server lends a few seconds until the chain has been paid, and yours are lent.",
    remedy: "again",
  },
  "open-pace": {
    title: "The chain opens one session after the other",
    text: "You looked into several streams in a row, and others of yours come first. Nothing is charged meanwhile.",
    remedy: "again",
  },
  unconfirmed: {
    title: "Your device confirmed nothing",
    text:
      "Too little of what was sent has reached it, or no report of that has reached the server, so the stream was stopped. " +
      "What was not confirmed is free.",
    remedy: "again",
  },
  untimed: {
    title: "The stream's clock stood still",
    text:
      "What its creator's program sent had timestamps by which no time passed, so it was stopped. " +
      "It is not your connection, and what counted no time is free.",
    remedy: "again",
  },
  unreachable: {
    title: "The server cannot be reached",
    text:
      "What it has charged is not known here. Without your device's reports it stops by itself, " +
      "and what they do not confirm is free.",
    remedy: "again",
  },
  "no-video": {
    title: "Your browser cannot play this stream's picture",
    text: "Another browser may, or its creator can send in another format.",
    remedy: "none",
  },
  "no-audio": {
    title: "Your browser cannot play this stream's sound",
    text: "Another browser may, or its creator can send in another format.",
    remedy: "none",
  },
  left: { title: "You stopped watching", text: "", remedy: "again" },
  "left-unanswered": {
    title: "The server has not answered the stop",
    text:
      "Your device receives nothing any more, and the server stops by itself, within 10 s. " +
      "At most what had reached you by then is charged.",
    remedy: "again",
  },
};

/** Other names under which the same reasons come. @type {Record<string, string>} */
const SAME = {
  FundsExhausted: "funds",
  "funds-exhausted": "funds",
  funds_exhausted: "funds",
  "payment-required": "funds",
  "unknown-session": "session-closed",
  "token-invalid": "token-ended",
  "token-expired": "token-ended",
  Order: "session-closed",
  order: "session-closed",
  Settled: "session-closed",
  settled: "session-closed",
  denied: "session-closed",
  vanished: "unreachable",
  shutdown: "unreachable",
  "connection-lost": "unreachable",
  "codec-unsupported": "no-video",
};

/** Of these the server's own words say more, such as which format the stream has. */
const SERVER_SAYS_MORE = ["no-video", "no-audio"];

/**
 * @param {string | null | undefined} code
 * @param {string} [detail] what the server itself said, for codes that are not known here
 * @param {boolean} [hadBegun] whether there was a connection
 * @returns {Explanation}
 */
export function explain(code, detail, hadBegun = true) {
  const name = SAME[code ?? ""] ?? code ?? "";
  const known = EXPLANATIONS[name];
  if (known && detail && SERVER_SAYS_MORE.includes(name)) {
    return { ...known, text: `${asSentence(detail)} ${known.text}` };
  }
  if (known) return known;
  const title = hadBegun ? "The stream has stopped" : "The stream could not be started";
  return { title, text: asSentence(detail ?? ""), remedy: "again" };
}

/**
 * Details of problems begin small and end without a stop, as parts of longer messages do.
 * @param {string} detail
 * @returns {string}
 */
export function asSentence(detail) {
  const text = detail.trim();
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

/**
 * Why the server holds back, as it says itself; the first that applies is shown. All but `path`
 * mean that nothing is forwarded or counted.
 * @type {Record<string, {title: string, text: string}>}
 */
const HELD_BACK = {
  "budget-money": {
    title: "Waiting for your payment",
    text: "Your balance pays no further. Add time to go on. Nothing is charged meanwhile.",
  },
  "budget-report": {
    title: "Waiting for your device's reports",
    text: "The picture goes on when they arrive. Nothing is charged meanwhile.",
  },
  "budget-refill": {
    title: "Waiting for a better connection",
    text:
      "Too much of what was sent to you got lost on its way. A second comes back each minute. " +
      "Nothing is charged meanwhile.",
  },
  "budget-block": {
    title: "Waiting for the chain",
    text: "The picture goes on with its next block. Nothing is charged meanwhile.",
  },
  budget: {
    title: "Waiting for the chain",
    text:
      "What the server lends is used up. It goes on with a block, a report of your device, or money. " +
      "Nothing is charged meanwhile.",
  },
  wait: {
    title: "Waiting for the chain",
    text: "The picture goes on when your payment is confirmed. Nothing is charged meanwhile.",
  },
  lease: {
    title: "Waiting for the payment service",
    text: "The server has lost touch with it, and sends nothing until it is back. Nothing is charged meanwhile.",
  },
  unconfirmed: {
    title: "Your connection reports nothing",
    text:
      "The server hears nothing of what reaches you, so it sends nothing. It goes on with the next " +
      "report, and ends after 10 s without. Nothing is charged meanwhile.",
  },
  untimed: {
    title: "The stream's clock stands still",
    text:
      "What its creator's program sends has timestamps by which no time passes, so the server sends nothing. " +
      "It is not your connection. Nothing is charged meanwhile.",
  },
  "picture-broken": {
    title: "The picture was damaged on its way",
    text: "It comes back with the next whole picture from the creator. Nothing is charged meanwhile.",
  },
  path: {
    title: "Your connection cannot carry the picture",
    text: "",
  },
};

/**
 * @param {string[]} reasons as the server names them; what follows a colon is a detail
 * @returns {{code: string, title: string, text: string} | null} `null` if none is known here
 */
export function whyHeldBack(reasons) {
  const names = reasons.map((reason) => reason.replace(":", "-"));
  const code = Object.keys(HELD_BACK).find((known) => names.includes(known));
  return code ? { code, ...HELD_BACK[code] } : null;
}

/** The viewer's own pause: what is known of it. @type {Record<string, {title: string, text: string}>} */
export const PAUSE_TEXTS = {
  pausing: { title: "Pausing…", text: "What is sent until the server answers still counts." },
  paused: { title: "Paused", text: "Nothing is charged while it is paused." },
  resuming: { title: "Going on…", text: "" },
  unknown: {
    title: "The server does not answer",
    text:
      "Whether it has paused is not known. This page has closed its end, and without reports the " +
      "server stops by itself: at most the 15 s before that count.",
  },
};

/** The server waits for the ledger's pace before it opens a session. */
export const OPENING_TEXT = {
  title: "Opening your session…",
  text: "The chain opens one every few seconds. Nothing is charged until the picture is here.",
};

/** What each step of a wallet's transaction is called. @type {Record<string, string>} */
export const STEP_TEXTS = {
  preparing: "Preparing…",
  signing: "Confirm in your wallet",
  sending: "Sending…",
  waiting: "Waiting for a block…",
  in_block: "In a block. Waiting until it is final…",
  finalized: "Final.",
};

/** The money is there, and still with a session that is being closed. */
export const RETURNING_TEXT = {
  title: "Your balance is coming back…",
  text: "What your last session did not use is back in your vault with the next blocks. There is nothing to sign.",
};

/** What is missing, in words. @type {Record<string, string>} */
export const MISSING_TEXTS = {
  funds: "Your vault holds too little.",
  grant: "You have not yet allowed this server to pay for you.",
  rate: "Your permission does not reach this stream's price.",
  cap: "The limit of your permission is nearly used up.",
  slot: "You are already watching as often as you allowed.",
  gap: "Your permission is too short for this stream's rules.",
};
