/**
 * What a chat shows: each message once, in the order of their numbers.
 * @module
 */

/** @typedef {import("./types.js").Message} Message */

/** More than these are not kept on a page. */
export const SHOWN_MAX = 500;

export class ChatLog {
  /** @type {Message[]} */
  messages = [];

  /** @param {Message[]} messages the latest, as who joins is shown them: they are all there is */
  joined(messages) {
    this.messages = messages.filter(({ deleted }) => !deleted);
  }

  /**
   * @param {Message} message
   * @returns {boolean} whether it is new
   */
  add(message) {
    const at = this.messages.findLastIndex(({ number }) => number <= message.number);
    if (this.messages[at]?.number === message.number) return false;
    this.messages.splice(at + 1, 0, message);
    if (this.messages.length > SHOWN_MAX) this.messages.shift();
    return true;
  }

  /** @param {number} number */
  remove(number) {
    this.messages = this.messages.filter((message) => message.number !== number);
  }

  /** @param {string} account of whoever is gone, with all that they said */
  erase(account) {
    this.messages = this.messages.filter(({ author }) => author.account !== account);
  }
}

/**
 * What to call somebody: their name, else their handle, else the beginning of their address.
 * @param {import("./types.js").Name} author
 * @param {(address: string) => string} short
 * @returns {string}
 */
export function calledBy({ name, handle, account }, short) {
  if (name) return name;
  return handle ? `@${handle}` : short(account);
}
