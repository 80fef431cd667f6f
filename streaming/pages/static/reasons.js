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
  "session-closed": {
    title: "Your session was closed",
    text: "You paid for what was delivered. The rest is in your vault.",
    remedy: "again",
  },
  unconfirmed: {
    title: "Your connection was too bad",
    text: "Your device no longer confirmed what it received, so the stream was stopped.",
    remedy: "again",
  },
  unreachable: {
    title: "The server cannot be reached",
    text: "Nothing is charged meanwhile. Check your connection and try again.",
    remedy: "again",
  },
  left: { title: "You stopped watching", text: "", remedy: "again" },
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
};

/**
 * @param {string | null | undefined} code
 * @param {string} [detail] what the server itself said, for codes that are not known here
 * @returns {Explanation}
 */
export function explain(code, detail) {
  const known = EXPLANATIONS[SAME[code ?? ""] ?? code ?? ""];
  if (known) return known;
  return { title: "The stream has stopped", text: detail ?? "", remedy: "again" };
}

/** What each step of a wallet's transaction is called. @type {Record<string, string>} */
export const STEP_TEXTS = {
  preparing: "Preparing…",
  signing: "Confirm in your wallet",
  sending: "Sending…",
  waiting: "Waiting for a block…",
  in_block: "In a block. Waiting until it is final…",
  finalized: "Final.",
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
