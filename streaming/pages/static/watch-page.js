/**
 * The page on which one stream is watched: it leads from the price over the wallet to the
 * picture, and says at every step what it costs and what has gone wrong.
 * @module
 */

import { formatAmount, formatBrief, formatTime, fromWire, secondsFor } from "./amounts.js";
import * as api from "./api.js";
import "./components/chat-panel.js";
import "./components/cost-panel.js";
import { PathChoice } from "./components/path-choice.js";
import "./components/player.js";
import { TimeChoice } from "./components/time-choice.js";
import { VaultPanel } from "./components/vault-panel.js";
import "./components/wallet-chooser.js";
import { button, fill, h, notice, setText } from "./dom.js";
import "./header.js";
import { partsOf, planFor, shortText, whatIsSigned } from "./payment-plan.js";
import { MISSING_TEXTS, OPENING_TEXT, PAUSE_TEXTS, RETURNING_TEXT, STEP_TEXTS, asSentence, explain, whyHeldBack } from "./reasons.js";
import { sameAccount } from "./sdk/ss58.js";
import { StreamAbout } from "./components/stream-about.js";
import { idleText, showStream } from "./stream-facts.js";
import { PictureMeter } from "./picture-meter.js";
import { Viewing, remembered } from "./viewing.js";
import { WalletError, forgetToken, send, signIn, storedToken } from "./wallet.js";

const STREAM_POLL_MS = 5_000;
/** Where the server asks to wait and does not say how long. */
const WAIT_FOR_TURN_MS = 5_000;
/** No frame for this long, and the page says that it waits for the picture. */
const PICTURE_LATE_MS = 2_500;
/** How often to look whether a session has given its money back, and for how long to await it. */
const RETURN_LOOK_MS = 1_000;
const RETURN_WITHIN_MS = 30_000;
/** What is seen again after so long is another session's. */
const RETURN_FORGOTTEN_MS = 10_000;

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class WatchPage {
  #id = Number(new URLSearchParams(window.location.search).get("stream") ?? NaN);
  #player = /** @type {import("./components/player.js").Player} */ (find("player"));
  #wallet = /** @type {import("./components/wallet-chooser.js").WalletChooser} */ (find("wallet"));
  #cost = /** @type {import("./components/cost-panel.js").CostPanel} */ (find("cost"));
  #chat = /** @type {import("./components/chat-panel.js").ChatPanel} */ (find("chat"));
  #about = new StreamAbout(find("description"));
  #step = find("step");
  #time = new TimeChoice();
  #vault = new VaultPanel(find("vault"));
  #meter = new PictureMeter(this.#player.video);

  /** @type {api.ChainInfo} */ #info = { genesis_hash: "", chain: "", symbol: "", decimals: 0 };
  /** The chain's own token, where the stream may be priced in another. */
  #chain = this.#info;
  /** @type {api.Stream | null} */ #stream = null;
  /** @type {api.Terms | null} */ #terms = null;
  /** @type {string | null} */ #token = null;
  /** @type {Viewing | null} */ #viewing = null;
  /** What was measured before this viewing began, and on earlier loads of the page. */
  #base = { watched_ms: 0, frames_decoded: 0, freezes_ms: 0 };
  /** The measure of the viewing that ended last. @type {Record<string, unknown> | null} */
  #last = null;
  #startedAt = 0;
  #toppedUp = false;
  #busy = false;
  #choice = new PathChoice();
  #wasHidden = document.hidden;
  /** When the page last saw, and since when it awaits, what a closing session gives back. */
  #returnSeenAt = -Infinity;
  #returnAwaitedSince = 0;
  #returnTimer = 0;

  async start() {
    /** @type {any} */ (window).paystream = {
      measure: () => this.measure(),
      state: () => this.#viewing?.state ?? "idle",
      delegate: () => this.#terms?.delegate ?? null,
    };
    this.#wallet.addEventListener("account", () => this.#accountChanged());
    this.#vault.addEventListener("changed", () => this.#vaultChanged());
    this.#player.addEventListener("attention", () => this.#attentionChanged());
    this.#choice.addEventListener("choose", (event) =>
      this.#viewing?.chooseSound(/** @type {CustomEvent<boolean>} */ (event).detail),
    );
    window.addEventListener("pagehide", () => this.#viewing?.pageHides());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#attentionChanged());
    setInterval(() => this.#showPictureState(), 500);
    setInterval(() => this.#measureFreezes(), 1_000);
    await this.#load();
  }

  #attentionChanged() {
    // Frames that nobody can see are presented by no browser: that is no freeze.
    if (document.hidden || this.#wasHidden) this.#meter.interrupt();
    this.#wasHidden = document.hidden;
    this.#viewing?.setPaused(this.#player.isUnattended);
  }

  async #measureFreezes() {
    const viewing = this.#viewing;
    if (!viewing || viewing.state !== "playing") return;
    if (this.#player.isUnattended || viewing.pause !== "none") this.#meter.interrupt();
    const totalMs = await viewing.freezesMs();
    if (viewing === this.#viewing) this.#meter.addStats(totalMs);
  }

  // --- the stream ------------------------------------------------------------------------

  async #load() {
    if (!Number.isSafeInteger(this.#id) || this.#id < 0) {
      return this.#fail("No stream is named in this address", "Choose one from the list.", false);
    }
    this.#player.say("Loading…", "", { busy: true, solid: true });
    try {
      const [info, stream] = await Promise.all([api.info(), api.stream(this.#id)]);
      this.#chain = info;
      this.#info = api.inUnitOf(info, stream);
      this.#stream = stream;
    } catch (error) {
      const problem = /** @type {api.Problem} */ (error);
      if (problem.status === 404) {
        return this.#fail(`There is no stream ${this.#id}`, "Choose another from the list.", false);
      }
      return this.#fail("The stream could not be loaded", problem.message, true);
    }
    find("panel").hidden = find("about").hidden = false;
    this.#showStream();
    this.#showIdle();
    // a server without a community says nothing of the owner's name, and has no chat
    if (this.#stream?.owner_name) this.#chat.open(this.#id);
    setInterval(() => this.#pollStream(), STREAM_POLL_MS);
    await this.#accountChanged();
  }

  /** @param {string} title @param {string} text @param {boolean} again */
  #fail(title, text, again) {
    this.#player.say(title, text, {
      solid: true,
      action: h(
        "div",
        { class: "actions" },
        again ? button("primary", "Try again", () => this.#load()) : null,
        h("a", { class: "button plain", href: "/" }, "All streams"),
      ),
    });
    find("panel").hidden = find("about").hidden = true;
  }

  async #pollStream() {
    try {
      this.#stream = await api.stream(this.#id);
      this.#showStream();
      if (!this.#viewing && !this.#last) this.#showIdle();
    } catch {
      // The next poll will do; while watching, the viewing itself says when the server is gone.
    }
  }

  #showStream() {
    const stream = /** @type {api.Stream} */ (this.#stream);
    showStream(stream, this.#info);
    this.#about.show(stream);
  }

  #showIdle() {
    const { title, text } = idleText(this.#stream);
    this.#player.say(title, text, { solid: true });
  }

  // --- the account -----------------------------------------------------------------------

  async #accountChanged() {
    this.#chat.account = this.#wallet.account;
    if (!this.#stream || this.#viewing) return;
    const account = this.#wallet.account;
    this.#terms = null;
    this.#token = storedToken(account, "watch");
    this.#vault.hide();
    if (!account) return this.#put();
    if (!this.#token) return this.#showSignIn();
    const memory = remembered(this.#id);
    if (memory && sameAccount(memory.account, account.address)) return this.#watch(memory);
    await this.#refreshTerms();
  }

  #showSignIn() {
    this.#put(
      h("p", {}, "Show that this account is yours: one signature over a text. It costs nothing and moves nothing."),
      this.#action("sign-in", "Sign in", async () => {
        this.#showProgress("Confirm in your wallet", "The text names this site and your account.");
        this.#token = await signIn(this.#account(), "watch");
        await this.#refreshTerms();
      }),
    );
  }

  #account() {
    if (!this.#wallet.account) throw new WalletError("Choose an account first.");
    return this.#wallet.account;
  }

  /** @returns {Promise<void>} */
  async #refreshTerms() {
    if (!this.#token) return;
    if (!this.#viewing && !this.#terms) this.#showProgress("Looking up your balance…");
    try {
      await this.#askTerms();
    } catch (error) {
      return this.#showProblem(error, () => this.#refreshTerms());
    }
    if (!this.#viewing) this.#showTerms();
  }

  /** @returns {Promise<api.Terms>} what the vault and the permission allow at this moment */
  async #askTerms() {
    const token = this.#token ?? "";
    this.#terms = await api.terms(this.#id, token);
    this.#vault.show(this.#account(), token, this.#terms, this.#info);
    return this.#terms;
  }

  /** New figures for the vault; what the page says above it stays, unless it is no longer true. */
  async #vaultChanged() {
    const before = this.#terms;
    if (!this.#token || !before) return;
    const now = await this.#askTerms().catch(() => before);
    const same = now.payable === before.payable && now.vault === before.vault;
    const said = this.#step.querySelector(".notice");
    if (!this.#viewing && !this.#busy && !same) this.#showTerms(/** @type {HTMLElement | null} */ (said));
  }

  // --- the terms -------------------------------------------------------------------------

  /** @param {HTMLElement | null} [before] */
  #showTerms(before = null) {
    const terms = /** @type {api.Terms} */ (this.#terms);
    if (this.#stream?.status === "ended") return this.#put(before);
    if (terms.payable) return this.#showReady(before);
    if (terms.returning_soon?.suffices && this.#awaitsReturn()) {
      const { title, text } = RETURNING_TEXT;
      return this.#showProgress(title, text);
    }
    const reasons = terms.missing.map((word) => MISSING_TEXTS[word] ?? word).join(" ");
    this.#put(before, before ? null : h("p", {}, reasons), this.#allowance("and watch", () => this.#watch()));
  }

  /**
   * Look again soon, for as long as a session usually takes to give its money back.
   * @returns {boolean} whether that is worth waiting for
   */
  #awaitsReturn() {
    const now = performance.now();
    if (now - this.#returnSeenAt > RETURN_FORGOTTEN_MS) this.#returnAwaitedSince = now;
    this.#returnSeenAt = now;
    if (now - this.#returnAwaitedSince > RETURN_WITHIN_MS) return false;
    clearTimeout(this.#returnTimer);
    this.#returnTimer = setTimeout(() => {
      if (!this.#viewing && !this.#busy) void this.#refreshTerms();
    }, RETURN_LOOK_MS);
    return true;
  }

  /** @param {HTMLElement | null} before */
  #showReady(before) {
    const terms = /** @type {api.Terms} */ (this.#terms);
    const rate = fromWire(terms.rate_per_second);
    const vault = fromWire(terms.vault);
    const cap = terms.grant ? fromWire(terms.grant.cap_left) : vault;
    const lasts = secondsFor(vault < cap ? vault : cap, rate);
    this.#put(
      before,
      h(
        "p",
        {},
        "Your balance of ",
        h("strong", {}, formatBrief(vault, this.#info.decimals, this.#info.symbol)),
        lasts === null ? "." : ` lasts for ${formatTime(lasts)} of this stream.`,
      ),
      this.#action("watch", "Watch", () => this.#watch()),
    );
  }

  /**
   * The choice of a time, and the button that has the wallet deposit and grant for it.
   * @param {string} then what follows, for the button's text
   * @param {() => Promise<void>} onDone
   */
  #allowance(then, onDone) {
    const rate = fromWire(/** @type {api.Terms} */ (this.#terms).rate_per_second);
    const { decimals, symbol } = this.#info;
    const { seconds } = this.#time;
    this.#time = new TimeChoice();
    this.#time.seconds = seconds;
    if (this.#viewing) this.#time.question = "How much longer do you want to be able to watch?";
    this.#time.show(rate, decimals, symbol);
    const note = h("p", { class: "small" });
    const parts = h("dl", { class: "figures sum" });
    const label = h("span");
    const action = this.#action("allow", label, async () => {
      await this.#allow();
      await onDone();
    });
    const update = () => {
      const plan = this.#plan();
      const short = shortText(plan, /** @type {api.Terms} */ (this.#terms), this.#info, this.#chain);
      action.disabled = short !== "";
      fill(parts, ...partsOf(plan, this.#info, this.#chain));
      setText(
        label,
        plan.deposit > 0n
          ? `Deposit ${formatAmount(plan.deposit, decimals, symbol)} ${then}`
          : `Allow ${formatTime(this.#time.seconds)} ${then}`,
      );
      note.classList.toggle("is-error", short !== "");
      setText(note, short || whatIsSigned(plan, this.#info));
    };
    this.#time.addEventListener("change", update);
    update();
    return h("div", { class: "stack" }, this.#time, parts, action, note);
  }

  /** What has to be signed for the chosen time. */
  #plan() {
    const terms = /** @type {api.Terms} */ (this.#terms);
    const fundsMin = fromWire(this.#stream?.funds_min ?? "0");
    // What a running session has reserved is no longer in the vault.
    return planFor(terms, fundsMin, this.#time.seconds, this.#viewing !== null);
  }

  async #allow() {
    await send(this.#account(), this.#plan().call, {
      token: this.#token,
      onStep: (step, summary) => this.#showProgress(STEP_TEXTS[step], summary),
      isEnough: async () => (await this.#askTerms()).payable,
    });
    await this.#askTerms();
  }

  // --- watching --------------------------------------------------------------------------

  /** @param {import("./viewing.js").Remembered | null} [memory] */
  async #watch(memory = null) {
    const token = this.#token;
    if (!token) return this.#showSignIn();
    const viewing = new Viewing(this.#id, this.#account().address, token, () => this.#measured());
    this.#viewing = viewing;
    this.#toppedUp = false;
    this.#startedAt = performance.now();
    this.#meter.firstFrameAt = null;
    this.#base = {
      watched_ms: (memory?.measure.watched_ms ?? 0) - this.#meter.watchedMs,
      frames_decoded: (memory?.measure.frames_decoded ?? 0) - this.#meter.frames,
      freezes_ms: (memory?.measure.freezes_ms ?? 0) - this.#meter.freezesMs,
    };
    viewing.addEventListener("change", () => this.#viewingChanged(viewing));
    viewing.addEventListener("media", () => {
      this.#meter.restart();
      if (viewing.media) this.#player.attach(viewing.media);
    });
    viewing.addEventListener("figures", () => this.#showFigures(viewing));
    this.#cost.reset();
    this.#wallet.hidden = true;
    this.#cost.hidden = false;
    this.#showStop();
    this.#showPictureState();
    await viewing.start(memory);
  }

  #showStop() {
    const more = h("div");
    const add = button("plain", "Add time", async () => {
      await this.#refreshTerms();
      if (!this.#terms || !this.#viewing) return;
      fill(more, this.#allowance("and go on", async () => {
        this.#toppedUp = true;
        this.#showStop();
        await this.#refreshTerms();
      }));
      this.#time.querySelector("input")?.focus();
    });
    const stop = button("primary", "Stop", () => this.#viewing?.leave(), { id: "stop" });
    this.#put(h("div", { class: "actions even" }, stop, add), more);
  }

  /** @param {Viewing} viewing */
  #showFigures(viewing) {
    if (viewing !== this.#viewing || !viewing.session) return;
    this.#cost.show(viewing.session, this.#info);
  }

  /** @param {Viewing} viewing */
  #viewingChanged(viewing) {
    if (viewing !== this.#viewing) return;
    if (viewing.state === "leaving") {
      this.#showProgress("Stopping…", "The last seconds are confirmed and the session is closed.");
      this.#player.say("Stopping…", "", { busy: true });
    } else if (viewing.state === "ended") this.#ended(viewing);
    else this.#showPictureState();
  }

  #showPictureState() {
    const viewing = this.#viewing;
    if (!viewing || viewing.state === "ended" || viewing.state === "leaving") return;
    if (this.#showWaiting(viewing) || this.#showPause(viewing)) return;
    const seen = this.#meter.lastFrameAt;
    const late = seen === null || performance.now() - Math.max(seen, this.#startedAt) > PICTURE_LATE_MS;
    viewing.isUneasy = late;
    const held = whyHeldBack(viewing.reasons);
    if (held?.code === "path") return this.#showPathChoice(viewing, held.title);
    if (late && held) return this.#player.say(held.title, held.text, { busy: true });
    if (this.#meter.firstFrameAt === null || seen === null) {
      return this.#player.say("Connecting…", "", { busy: true, solid: true });
    }
    if (!late) return this.#player.say();
    const free = viewing.standsStill ? "Nothing is charged meanwhile." : "";
    this.#player.say("Waiting for the picture…", free, { busy: true });
  }

  /**
   * @param {Viewing} viewing
   * @returns {boolean} whether there is no connection, and that was said
   */
  #showWaiting(viewing) {
    if (viewing.isOpening) {
      const { title, text } = OPENING_TEXT;
      this.#player.say(title, text, { busy: true, solid: true });
      return true;
    }
    const seconds = Math.max(1, Math.ceil((viewing.retryAt - performance.now()) / 1000));
    if (viewing.state === "waiting-live") {
      this.#player.say("Waiting for the creator", "Nothing is charged until the picture is here.", { busy: true });
    } else if (viewing.state === "waiting-turn") {
      const isReturning = viewing.problem?.terms?.returning_soon?.suffices;
      const { title, text } = isReturning
        ? RETURNING_TEXT
        : explain(viewing.problem?.code, viewing.problem?.message, false);
      this.#player.say(title, `${text} It is tried again in ${formatTime(seconds)}.`, { busy: true, solid: true });
    } else if (viewing.state === "reconnecting") {
      this.#player.say("Connecting again…", "You pay only for what reaches you.", { busy: true });
    } else return false;
    return true;
  }

  /**
   * @param {Viewing} viewing
   * @returns {boolean} whether the viewer's own pause is what there is to say
   */
  #showPause(viewing) {
    const { pause } = viewing;
    if (pause === "none") return false;
    const { title, text } = PAUSE_TEXTS[pause];
    this.#player.say(title, text, { busy: pause !== "paused" });
    return true;
  }

  /** @param {Viewing} viewing @param {string} title */
  #showPathChoice(viewing, title) {
    this.#choice.show(viewing.soundChoice, viewing.soundFreeMs);
    this.#player.say(title, "", { action: this.#choice });
  }

  /** @param {Viewing} viewing */
  async #ended(viewing) {
    this.#viewing = null;
    this.#last = { ...this.#measured(), ...this.#reference(viewing) };
    this.#player.detach();
    this.#wallet.hidden = false;
    this.#cost.hidden = true;
    const stopped = viewing.reason === "left" && viewing.isStopAnswered !== false;
    const reason = viewing.reason === "left" && !stopped ? "left-unanswered" : viewing.reason;
    const explained = explain(reason, viewing.problem?.message, viewing.reference !== "");
    this.#player.say(stopped ? "Stopped" : explained.title, explained.text, { solid: true });
    this.#pollStream();
    if (explained.remedy === "sign-in") {
      forgetToken("watch");
      this.#token = null;
    }
    const summary = this.#summary(viewing, explained);
    if (!this.#token) {
      this.#showSignIn();
      return this.#step.prepend(summary);
    }
    try {
      const { payable } = await this.#askTerms();
      if (this.#toppedUp && payable && explained.remedy === "top-up") return void this.#watch();
      this.#showTerms(summary);
    } catch (error) {
      this.#showProblem(error, () => this.#refreshTerms());
      this.#step.prepend(summary);
    }
  }

  /**
   * What it came to, kept true until the session is closed on the ledger.
   * @param {Viewing} viewing
   * @param {import("./reasons.js").Explanation} explained
   */
  #summary(viewing, explained) {
    const { decimals, symbol } = this.#info;
    const left = viewing.reason === "left" && viewing.isStopAnswered !== false;
    const figures = h("span");
    const show = () => {
      const { session } = viewing;
      const paid = session && `${formatTime(session.paid_seconds)} paid, ${formatAmount(fromWire(session.paid), decimals, symbol)} in all.`;
      const rest = session?.status === "closed" ? "The rest is back in your vault." : "The session is being closed on the chain.";
      const none = viewing.reference ? "What was charged is not known yet." : "Nothing was charged.";
      setText(figures, paid ? `${paid} ${rest}` : none);
    };
    show();
    viewing.addEventListener("figures", () => {
      show();
      if (viewing.session?.status === "closed") this.#vaultChanged();
    });
    return notice(left ? "good" : "warning", explained.title, [left ? "" : `${explained.text} `, figures]);
  }

  // --- what the page says ----------------------------------------------------------------

  /**
   * A button whose action runs once at a time and whose failure is shown.
   * @param {string} id
   * @param {string | HTMLElement} label
   * @param {() => Promise<void>} run
   */
  #action(id, label, run) {
    const act = async () => {
      if (this.#busy) return;
      this.#busy = true;
      try {
        await run();
      } catch (error) {
        this.#showProblem(error, () => this.#afterProblem());
      } finally {
        this.#busy = false;
      }
    };
    return button("primary", label, act, { id, class: "button primary wide" });
  }

  async #afterProblem() {
    if (this.#viewing) return this.#showStop();
    if (!this.#token) return this.#showSignIn();
    await this.#refreshTerms();
  }

  /**
   * Shows the present step; whoever was there with the keyboard stays there.
   * @param {...import("./dom.js").Child} children
   */
  #put(...children) {
    const had = this.#step.contains(document.activeElement);
    fill(this.#step, ...children);
    if (!had) return;
    const next = this.#step.querySelector("input:checked, button:enabled") ?? this.#step;
    /** @type {HTMLElement} */ (next).focus({ preventScroll: true });
  }

  /** @param {string} title @param {string} [text] */
  #showProgress(title, text = "") {
    this.#put(
      h(
        "div",
        { class: "progress", role: "status" },
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("div", {}, h("p", { class: "notice-title" }, title), text ? h("p", { class: "small" }, text) : null),
      ),
    );
  }

  /** @param {unknown} error @param {() => void | Promise<void>} again */
  #showProblem(error, again) {
    if (error instanceof api.Problem && error.isTokenGone) {
      forgetToken("watch");
      this.#token = null;
      this.#showSignIn();
      return this.#step.prepend(notice("warning", "Your sign-in has ended", error.message));
    }
    if (error instanceof api.Problem && error.status === 429) return this.#waitForTurn(error, again);
    const text = error instanceof Error ? error.message : String(error);
    const cancelled = error instanceof WalletError && error.cancelled;
    this.#put(
      notice(cancelled ? "info" : "error", cancelled ? "Declined" : "That did not work", text, [
        button("plain", cancelled ? "Back" : "Try again", () => again()),
      ]),
    );
  }

  /**
   * The server asks to wait: the page does, and says for how long.
   * @param {api.Problem} problem
   * @param {() => void | Promise<void>} again
   */
  #waitForTurn(problem, again) {
    const at = performance.now() + (problem.retryAfterMs ?? WAIT_FOR_TURN_MS);
    const left = h("span");
    const said = notice("warning", "The server asks to wait", [`${asSentence(problem.message)} `, left]);
    const tick = () => {
      const ms = at - performance.now();
      if (ms <= 0) return void again();
      setText(left, `It goes on in ${formatTime(Math.ceil(ms / 1000))}.`);
      // Whatever else is shown by then has taken its place.
      setTimeout(() => said.isConnected && tick(), Math.min(ms, 1_000));
    };
    this.#put(said);
    tick();
  }

  // --- the viewer's own measure ----------------------------------------------------------

  #measured() {
    return {
      watched_ms: Math.round(this.#base.watched_ms + this.#meter.watchedMs),
      frames_decoded: this.#base.frames_decoded + this.#meter.frames,
      freezes_ms: this.#base.freezes_ms + this.#meter.freezesMs,
    };
  }

  /** @param {Viewing} viewing */
  #reference(viewing) {
    const first = this.#meter.firstFrameAt;
    return {
      session: viewing.reference,
      first_frame_ms: first === null ? null : Math.round(first - this.#startedAt),
      reconnects: viewing.reconnects,
      end_reason: viewing.state === "ended" ? viewing.reason : null,
    };
  }

  /**
   * What this device saw: the sum of the gaps between frames, how many there were and how long
   * the picture stood still, of the present session or of the last one. Nothing that the server
   * counted goes into it.
   */
  measure() {
    if (this.#viewing) return { ...this.#measured(), ...this.#reference(this.#viewing) };
    return this.#last ?? { ...this.#measured(), session: "", end_reason: null };
  }
}

new WatchPage().start();
