/**
 * What the log of moderators' acts says, in words.
 * @module
 */

import { calledBy } from "./sdk/chat-log.js";
import { shortAddress } from "./sdk/ss58.js";

/** @typedef {import("./moderation.js").Act} Act */
/** @typedef {import("./moderation.js").Person} Person */

/** @type {Record<string, string>} what was done; `@` stands for whom */
const ACTS = {
  "time-out": "timed @ out",
  ban: "banned @",
  "let-speak": "let @ speak again",
  "delete-message": "deleted a message of @",
  "name-moderator": "made @ a moderator",
  "dismiss-moderator": "dismissed @ as a moderator",
  settings: "changed how the chat is set",
  "add-filter": "added a filter",
  "remove-filter": "removed a filter",
  release: "released a message of @",
  reject: "rejected a message of @",
  "answer-report": "answered a report about @",
};

/** @type {Record<string, string>} */
export const ANSWERS = {
  dismiss: "dismissed",
  delete: "message deleted",
  "time-out": "timed out",
  ban: "banned",
};

/** @param {Person | null} person @returns {string} */
export function personText(person) {
  if (!person) return "somebody";
  const { account, handle, name } = person;
  return account === null ? `somebody who has left (${person.pseudonym})` : calledBy({ account, handle, name }, shortAddress);
}

/** @param {Act} act @returns {string} one sentence without its full stop */
export function actText({ act, actor, subject, detail }) {
  const done = (ACTS[act] ?? act).replace("@", () => personText(subject));
  return `${personText(actor)} ${done}${more(act, detail)}`;
}

/** @param {string} act @param {Record<string, any>} detail */
function more(act, detail) {
  if (act === "time-out") return ` for ${durationText(detail.seconds)}`;
  if (act === "answer-report") return `: ${ANSWERS[detail.answer] ?? detail.answer}`;
  if (act === "add-filter") return detail.action === "refuse" ? " that refuses" : " that holds back";
  return "";
}

/** @param {number} seconds @returns {string} */
export function durationText(seconds) {
  for (const [length, name] of /** @type {[number, string][]} */ ([
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
  ])) {
    if (seconds >= length && seconds % length === 0) {
      return `${seconds / length} ${name}${seconds === length ? "" : "s"}`;
    }
  }
  return `${seconds} s`;
}
