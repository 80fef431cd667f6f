import { ChatLog, calledBy } from "../sdk/chat-log.js";
import {
  deleteMessage,
  forgetSession,
  keepProfile,
  mute,
  newMessageId,
  openLive,
  profile,
  signInToCommunity,
  storedSession,
} from "../community.js";
import { ANSWERS } from "../act-texts.js";
import { report } from "../moderation.js";
import { button, fill, h, setText } from "../dom.js";
import { LiveConnection } from "../sdk/live-connection.js";
import { sameAccount, shortAddress } from "../sdk/ss58.js";

/** @typedef {import("../community.js").Message} Message */
/** @typedef {import("../wallet.js").Account} Account */

const TEXT_CHARS_MAX = 500;
const NAME_CHARS_MAX = 50;
const TIME_OUT_S = 600;
/** So near to its end a log counts as read to it, in pixels. */
const NEAR_END_PX = 40;
const ROLES = { operator: "Operator", owner: "Creator", moderator: "Moderator" };
const REPORT_REASONS = ["spam", "harassment", "hate", "sexual", "violence", "danger", "other"];

/**
 * `<ps-chat>`: a stream's chat. `open` begins to listen; `account` says whose wallet may speak.
 */
export class ChatPanel extends HTMLElement {
  #stream = 0;
  /** @type {Account | null} */ #account = null;
  /** @type {string | null} */ #token = null;
  /** @type {"operator" | "owner" | "moderator" | null} */ #role = null;
  #log = new ChatLog();
  /** @type {Map<number, HTMLElement>} */ #rows = new Map();
  /** @type {Map<string, string>} texts that were said and not answered yet, by id */ #said = new Map();
  #live = new LiveConnection(openLive, {
    onMessage: (message) => this.#hear(message),
    onState: (isOpen) => this.#showState(isOpen),
  });
  #list = h("div", { class: "chat-log", role: "log", "aria-label": "Messages", tabindex: "0" });
  #newer = button("plain", "Newer messages", () => this.#toEnd(), { class: "button plain chat-newer", hidden: true });
  #state = h("p", { class: "small", role: "status" });
  #desk = h("a", { class: "small", hidden: true }, "Moderate this chat");
  #input = h("input", {
    id: "chat-text",
    type: "text",
    maxlength: TEXT_CHARS_MAX,
    autocomplete: "off",
    placeholder: "Say something",
  });
  /** @type {number | null} */ #replying = null;
  #reply = h("div", { class: "chat-report" });
  #report = h("div", { class: "chat-report" });
  #foot = h("div", { class: "chat-foot" });

  connectedCallback() {
    if (this.childElementCount > 0) return;
    this.#list.addEventListener("scroll", () => {
      if (this.#isAtEnd()) this.#newer.hidden = true;
    });
    this.append(
      h("h2", {}, "Chat"),
      h("div", { class: "chat-scroll" }, this.#list, this.#newer),
      this.#report,
      this.#reply,
      this.#state,
      this.#desk,
      this.#foot,
    );
  }

  disconnectedCallback() {
    this.#live.close();
  }

  /** @param {number} stream */
  open(stream) {
    this.#stream = stream;
    this.hidden = false;
    this.#setToken(storedSession(this.#account));
    this.#live.join(stream);
    this.#showEmpty();
  }

  /** @param {Account | null} account */
  set account(account) {
    if (account?.address === this.#account?.address) return;
    this.#account = account;
    this.#setToken(storedSession(account));
    // who was signed in speaks no more, and a connection has one session: this one joins again
    if (this.#stream !== 0 || !this.hidden) this.#showAll();
  }

  /** @param {string | null} token */
  #setToken(token) {
    this.#token = token;
    this.#live.signIn(token);
    this.#showFoot();
  }

  // --- what is heard -----------------------------------------------------------------------

  /** @param {Record<string, any>} message */
  #hear(message) {
    if (message.type === "refused") return this.#refused(message);
    if (message.type === "welcome") return this.#live.join(this.#stream);
    if (message.type === "signed_out") return this.#signedOut();
    if (message.stream !== this.#stream) return;
    if (message.type === "joined") {
      this.#log.joined(message.messages);
      this.#role = message.role;
      this.#showSettings(message.settings);
      this.#showAll();
    } else if (message.type === "message") {
      if (this.#log.add(message.message)) this.#showNew(message.message);
    } else if (message.type === "said") this.#said.delete(message.id);
    else if (message.type === "held") this.#held(message.id);
    else if (message.type === "rejected") this.#say("A moderator did not let through what you said.", true);
    else if (message.type === "report_answered") this.#say(`What you reported was answered: ${ANSWERS[message.answer]}.`);
    else if (message.type === "deleted") this.#forget(() => this.#log.remove(message.number));
    else if (message.type === "erased") this.#forget(() => this.#log.erase(message.account));
    else if (message.type === "settings") this.#showSettings(message.settings);
    else if (message.type === "role") {
      this.#role = message.role;
      this.#showAll();
    } else if (message.type === "muted") this.#say(mutedText(message.until_ms), true);
    else if (message.type === "unmuted") this.#say("You may speak again.");
  }

  /** @param {Record<string, any>} refused */
  #refused(refused) {
    const text = this.#said.get(refused.id);
    this.#said.delete(refused.id);
    if (text !== undefined && this.#input.value === "") this.#input.value = text; // nothing typed is lost
    if (refused.status === 401 && this.#token) return this.#signedOut();
    this.#say(refused.detail, true);
  }

  /** @param {string} id */
  #held(id) {
    this.#said.delete(id);
    this.#say("It waits for a moderator. You need not send it again.");
  }

  #signedOut() {
    forgetSession();
    this.#setToken(null);
    this.#say("You are signed out of the chat.", true);
  }

  /** @param {{slow_mode_s: number}} settings */
  #showSettings({ slow_mode_s }) {
    this.#say(slow_mode_s > 0 ? `Slow mode: one message in ${slow_mode_s} s.` : "");
  }

  /** @param {boolean} isOpen */
  #showState(isOpen) {
    this.#say(isOpen ? "" : "The chat is not connected; trying again…", !isOpen);
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.#state.classList.toggle("is-error", isError);
    setText(this.#state, text);
  }

  // --- what is shown -----------------------------------------------------------------------

  #showAll() {
    this.#desk.hidden = !this.#role || !this.#token;
    this.#desk.href = `/moderation?stream=${this.#stream}`;
    const atEnd = this.#isAtEnd() || this.#rows.size === 0;
    this.#rows.clear();
    for (const message of this.#log.messages) this.#rows.set(message.number, this.#row(message));
    fill(this.#list, ...this.#rows.values());
    this.#showEmpty();
    if (atEnd) this.#toEnd();
  }

  #showEmpty() {
    if (this.#rows.size === 0) fill(this.#list, h("p", { class: "chat-empty muted" }, "Nobody has said anything yet."));
  }

  /** @param {Message} message */
  #showNew(message) {
    const isOwn = this.#said.delete(message.id);
    const atEnd = this.#isAtEnd();
    if (this.#rows.size === 0) fill(this.#list);
    const row = this.#row(message);
    this.#rows.set(message.number, row);
    this.#list.append(row);
    while (this.#rows.size > this.#log.messages.length) this.#drop(this.#rows.keys().next().value ?? 0);
    if (atEnd || isOwn) this.#toEnd();
    else this.#newer.hidden = false;
  }

  /** @param {() => void} change */
  #forget(change) {
    change();
    const left = new Set(this.#log.messages.map(({ number }) => number));
    for (const number of [...this.#rows.keys()]) if (!left.has(number)) this.#drop(number);
    this.#showEmpty();
  }

  /** @param {number} number */
  #drop(number) {
    this.#rows.get(number)?.remove();
    this.#rows.delete(number);
  }

  /** @param {Message} message */
  #row({ number, author, role, text, sent_at_ms, reply_to, mentions }) {
    const name = calledBy(author, shortAddress);
    const isOwn = sameAccount(author.account, this.#account?.address) && this.#token !== null;
    const actions = [];
    if (this.#token && (isOwn || this.#role)) {
      actions.push(this.#action("Delete", `Delete what ${name} said`, (token) => deleteMessage(this.#stream, number, token)));
    }
    if (this.#token && this.#role && !isOwn && !role) {
      const until = () => this.#say(`${name} may not speak for ${TIME_OUT_S / 60} minutes.`);
      actions.push(
        this.#action("Time out", `Let ${name} not speak for ${TIME_OUT_S / 60} minutes`, async (token) => {
          await mute(this.#stream, author.account, TIME_OUT_S, token);
          until();
        }),
      );
    }
    if (this.#token && !isOwn) {
      actions.unshift(button("link", "Reply", () => this.#replyTo(number, name), { "aria-label": `Reply to ${name}` }));
    }
    if (this.#token && !isOwn && !this.#role) {
      actions.push(button("link", "Report", () => this.#askReason(number, name), { "aria-label": `Report what ${name} said` }));
    }
    const sent = new Date(sent_at_ms);
    return h(
      "div",
      { class: mentions?.some(({ account }) => sameAccount(account, this.#account?.address)) ? "chat-message is-to-you" : "chat-message" },
      reply_to ? this.#answered(reply_to) : null,
      h("span", { class: "chat-author", title: author.account }, name),
      role ? h("span", { class: "badge" }, ROLES[role]) : null,
      h("span", { class: "hidden-label" }, ": "),
      h("bdi", { class: "chat-text" }, text),
      h(
        "time",
        { class: "small", datetime: sent.toISOString() },
        sent.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
      ),
      actions.length > 0 ? h("span", { class: "chat-actions" }, actions) : null,
    );
  }

  /** @param {number} number of a message that another answers */
  #answered(number) {
    const message = this.#log.messages.find((one) => one.number === number);
    const text = message ? [`${calledBy(message.author, shortAddress)}: `, h("bdi", {}, message.text)] : "a message that is not here any more";
    return h("p", { class: "chat-answered small" }, "In reply to ", text);
  }

  /** @param {number | null} number @param {string} [name] */
  #replyTo(number, name = "") {
    this.#replying = number;
    const cancel = button("link", "Cancel", () => this.#replyTo(null), { "aria-label": "Cancel the reply" });
    fill(this.#reply, number === null ? null : h("p", { class: "small" }, `Replying to ${name}. `, cancel));
    this.#input.focus();
  }

  /** @param {number} number @param {string} name */
  #askReason(number, name) {
    const reason = h("select", { id: "report-reason" }, REPORT_REASONS.map((one) => h("option", { value: one }, one)));
    const form = h(
      "form",
      { class: "stack" },
      h("div", { class: "field" }, h("label", { class: "label", for: "report-reason" }, `Why do you report what ${name} said?`), reason),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "submit", class: "button plain" }, "Report"),
        button("quiet", "Cancel", () => this.#showReport(null)),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(async () => {
        await report(this.#stream, { message: number, reason: reason.value }, this.#token ?? "");
        this.#showReport(null);
        this.#say("Reported. You are told what comes of it.");
      });
    });
    this.#showReport(form);
    reason.focus();
  }

  /** @param {HTMLElement | null} form */
  #showReport(form) {
    fill(this.#report, form);
    if (!form) this.#list.focus();
  }

  /**
   * @param {string} label
   * @param {string} title
   * @param {(token: string) => Promise<unknown>} act
   */
  #action(label, title, act) {
    return button("link", label, () => this.#try(() => act(this.#token ?? "")), { "aria-label": title, title });
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newer.hidden = true;
  }

  // --- speaking ----------------------------------------------------------------------------

  #showFoot() {
    const account = this.#account;
    if (!account) return fill(this.#foot, h("p", { class: "small" }, "Connect a wallet to speak."));
    if (!this.#token) {
      const signIn = button("plain", "Sign in to chat", () =>
        this.#try(async () => {
          this.#say("Confirm in your wallet: it signs a text, and moves no money.");
          this.#setToken(await signInToCommunity(account));
          this.#say("");
          this.#input.focus();
        }),
      );
      return fill(this.#foot, signIn);
    }
    const form = h(
      "form",
      { class: "joined" },
      h("label", { class: "hidden-label", for: "chat-text" }, "Message"),
      this.#input,
      h("button", { type: "submit", class: "button primary" }, "Send"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    fill(this.#foot, form, this.#nameForm(account));
  }

  #send() {
    const text = this.#input.value.trim();
    if (!text) return;
    const id = newMessageId();
    this.#said.set(id, text);
    this.#input.value = "";
    this.#say("");
    this.#live.say(this.#stream, id, text, this.#replying);
    if (this.#replying !== null) this.#replyTo(null);
  }

  /** @param {Account} account */
  #nameForm(account) {
    const name = h("input", { id: "chat-name", type: "text", maxlength: NAME_CHARS_MAX, autocomplete: "nickname" });
    const handle = h("input", { id: "chat-handle", type: "text", maxlength: 24, autocomplete: "off", spellcheck: "false" });
    /** What the form does not show stays as it is. @type {Record<string, any>} */
    let kept = {};
    const details = h(
      "details",
      { class: "plain-details" },
      h("summary", {}, "Your name"),
      h(
        "form",
        { class: "stack" },
        h("div", { class: "field" }, h("label", { class: "label", for: "chat-name" }, "Name"), name),
        h("div", { class: "field" }, h("label", { class: "label", for: "chat-handle" }, "Handle, which nobody else has"), handle),
        h("button", { type: "submit", class: "button plain" }, "Save"),
      ),
    );
    details.addEventListener("toggle", () => {
      if (!details.open) return;
      this.#try(async () => {
        kept = await profile(account.address);
        name.value = kept.name;
        handle.value = kept.handle ?? "";
      });
    });
    details.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(async () => {
        const { about, links, languages } = kept;
        await keepProfile({ about, links, languages, name: name.value, handle: handle.value }, this.#token ?? "");
        details.open = false;
        this.#say("Your name is saved; what you say next has it.");
        this.#input.focus();
      });
    });
    return details;
  }

  /** @param {() => Promise<unknown>} work */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      const status = /** @type {{status?: number}} */ (error).status;
      if (status === 401 && this.#token) return this.#signedOut();
      this.#say(error instanceof Error ? error.message : String(error), true);
    }
  }
}

/** @param {number | null} untilMs @returns {string} */
function mutedText(untilMs) {
  if (untilMs === null) return "You may no longer speak in this chat.";
  const until = new Date(untilMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return `You may not speak in this chat until ${until}.`;
}

customElements.define("ps-chat", ChatPanel);
