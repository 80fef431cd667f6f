/**
 * The page from which a creator sends: account, stream, camera, and then the figures.
 * @module
 */

import { costOf, formatAmount, formatClock, fromWire } from "./amounts.js";
import * as api from "./api.js";
import { CardForm } from "./components/card-form.js";
import { StreamPicker } from "./components/stream-picker.js";
import { CapturePicker } from "./components/capture-picker.js";
import "./components/wallet-chooser.js";
import { button, figure, fill, h, icon, notice, setText } from "./dom.js";
import "./header.js";
import { STEP_TEXTS } from "./reasons.js";
import { WalletError, forgetToken, send, signIn } from "./wallet.js";
import { Publisher } from "./sdk/whip.js";

const POLL_MS = 2_000;
/** The server may take this long to count a new publisher as live. */
const LIVE_WITHIN_MS = 10_000;

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Record<string, {text: string, live: boolean}>} */
const STATES = {
  idle: { text: "Not live", live: false },
  connecting: { text: "Connecting…", live: false },
  live: { text: "Live", live: true },
  held: { text: "Paused", live: false },
  reconnecting: { text: "Connecting again…", live: false },
  ended: { text: "Not live", live: false },
};

class BroadcastPage {
  #wallet = /** @type {import("./components/wallet-chooser.js").WalletChooser} */ (find("wallet"));
  #streams = new StreamPicker(find("stream"));
  #card = new CardForm(find("card"));
  #capture = new CapturePicker(find("capture"));
  #preview = /** @type {HTMLVideoElement} */ (find("preview"));
  #controls = find("controls");
  #message = find("message");
  #viewers = figure("Watching now");
  #earned = figure("Earned, not yet claimed");
  #total = figure("Earned in all");
  #tips = figure("Of that, tips");
  #bitrate = figure("Sending");
  #since = figure("Live for");
  #price = figure("Price");

  /** @type {api.ChainInfo} */ #info = { genesis_hash: "", chain: "", symbol: "", decimals: 0 };
  /** @type {Publisher | null} */ #publisher = null;
  /** @type {api.Stream | null} */ #stream = null;
  #liveSince = 0;
  #lastBytes = { at: 0, bytes: 0 };
  #busy = false;

  async start() {
    /** @type {any} */ (window).paystream = {
      state: () => this.#publisher?.state ?? "idle",
      publishing: () => ({
        stream: this.#publisher?.stream ?? null,
        reconnects: this.#publisher?.reconnects ?? 0,
      }),
    };
    find("figures").append(
      ...[this.#viewers, this.#earned, this.#total, this.#tips, this.#price, this.#bitrate, this.#since].map(
        ({ row }) => row,
      ),
    );
    this.#wallet.addEventListener("account", () => this.#accountChanged());
    this.#streams.addEventListener("change", () => this.#streamChanged());
    this.#streams.addEventListener("create", (event) =>
      this.#create(/** @type {CustomEvent<bigint>} */ (event).detail),
    );
    this.#card.addEventListener("saved", () => void (this.#publisher ?? this.#accountChanged()));
    this.#capture.addEventListener("change", () => this.#captureChanged());
    window.addEventListener("beforeunload", (event) => {
      if (this.#publisher) event.preventDefault();
    });
    try {
      this.#info = await api.info();
    } catch (error) {
      return this.#fail(error, () => window.location.reload());
    }
    this.#streams.info = this.#info;
    find("panel").hidden = false;
    await this.#accountChanged();
    this.#showControls();
    setInterval(() => this.#poll(), POLL_MS);
  }

  // --- account, stream, devices ----------------------------------------------------------

  async #accountChanged() {
    if (this.#publisher || this.#info.symbol === "") return;
    fill(this.#message);
    await this.#streams.load(this.#wallet.account?.address ?? null);
  }

  #streamChanged() {
    this.#stream = this.#streams.chosen;
    void this.#card.show(this.#stream, this.#wallet.account);
    this.#showFigures();
    this.#showControls();
  }

  async #captureChanged() {
    const { media } = this.#capture;
    this.#preview.srcObject = media;
    find("preview-empty").hidden = media !== null;
    if (media) await this.#preview.play().catch(() => null);
    if (media && this.#publisher) await this.#publisher.replaceMedia(media);
    this.#showControls();
  }

  /** @param {bigint} rate */
  #create(rate) {
    return this.#run(async () => {
      const call = { kind: "create_stream", rate_per_second: String(rate) };
      const result = await send(this.#account(), call, {
        onStep: (step, summary) => this.#showProgress(STEP_TEXTS[step], summary),
      });
      fill(this.#message);
      await this.#streams.load(this.#account().address, Number(result.stream));
    });
  }

  #account() {
    if (!this.#wallet.account) throw new WalletError("Choose an account first.");
    return this.#wallet.account;
  }

  // --- sending ---------------------------------------------------------------------------

  #start() {
    return this.#run(async () => {
      const stream = this.#streams.chosen;
      const { media } = this.#capture;
      if (!stream || !media) return;
      this.#showProgress("Confirm in your wallet", "One signature over a text shows that the stream is yours.");
      const token = await signIn(this.#account(), "publish", stream.id);
      fill(this.#message);
      const publisher = new Publisher(api.client, stream.id, media);
      this.#publisher = publisher;
      this.#liveSince = 0;
      publisher.addEventListener("change", () => this.#publisherChanged(publisher));
      await publisher.start(token);
    });
  }

  /** @param {Publisher} publisher */
  #publisherChanged(publisher) {
    if (publisher !== this.#publisher) return;
    const { state, problem } = publisher;
    if (state === "live" && this.#liveSince === 0) this.#liveSince = performance.now();
    if (state === "live") this.#lastBytes = { at: 0, bytes: 0 };
    if (state === "ended") {
      this.#publisher = null;
      if (problem?.isTokenGone) forgetToken("publish", publisher.stream);
      if (problem) this.#fail(problem, () => this.#start());
      else fill(this.#message);
    } else if (state === "reconnecting" && problem) {
      fill(this.#message, notice("warning", "Connecting again…", problem.message));
    } else fill(this.#message);
    this.#showControls();
    this.#showFigures();
  }

  async #stop() {
    await this.#publisher?.stop();
    setText(this.#bitrate.value, "–");
  }

  #claim() {
    return this.#run(async () => {
      const stream = this.#stream;
      if (!stream) return;
      await send(this.#account(), { kind: "claim", stream: stream.id }, {
        onStep: (step, summary) => this.#showProgress(STEP_TEXTS[step], summary),
      });
      await this.#poll();
      fill(this.#message, notice("good", "Claimed", "The earnings are in the payees' accounts, and final."));
    });
  }

  // --- what the page shows ---------------------------------------------------------------

  #showControls() {
    const had = this.#controls.contains(document.activeElement);
    this.#fillControls();
    if (had) /** @type {HTMLElement | null} */ (this.#controls.querySelector("button"))?.focus();
  }

  #fillControls() {
    const publisher = this.#publisher;
    const state = STATES[publisher?.state ?? "idle"];
    const badge = find("badge");
    badge.className = state.live ? "badge live" : "badge";
    setText(badge, state.text);
    this.#wallet.inert = this.#streams.inert = publisher !== null;
    if (publisher) {
      const held = publisher.state === "held";
      fill(
        this.#controls,
        button("primary", [icon("stop"), "Stop"], () => this.#stop(), { id: "stop" }),
        button("plain", [icon(held ? "play" : "pause"), held ? "Go on" : "Pause"], () => publisher.hold(!held), {
          id: "hold",
          disabled: publisher.state !== "live" && !held,
        }),
      );
      return;
    }
    const missing = !this.#wallet.account
      ? "Connect a wallet to begin."
      : !this.#streams.chosen
        ? "Choose a stream, or make one."
        : this.#streams.chosen.status !== "active"
          ? "This stream is not active."
          : !this.#capture.media
            ? "Allow the camera or the microphone."
            : "";
    fill(
      this.#controls,
      button("primary", [icon("camera"), "Go live"], () => this.#start(), { id: "start", disabled: missing !== "" }),
      missing ? h("span", { class: "muted" }, missing) : null,
    );
  }

  async #poll() {
    if (!this.#stream) return;
    try {
      this.#stream = await api.stream(this.#stream.id);
      this.#streams.update(this.#stream);
    } catch {
      return; // The publisher notices by itself when the server has gone.
    }
    const publisher = this.#publisher;
    if (publisher?.state === "live") {
      await this.#showBitrate(publisher);
      const should = performance.now() - this.#liveSince > LIVE_WITHIN_MS;
      // A server that was started again knows nothing of us, and the media path may say so late.
      if (should && this.#stream.live === false) publisher.reconnect();
    }
    this.#showFigures();
  }

  /** @param {Publisher} publisher */
  async #showBitrate(publisher) {
    const now = { at: performance.now(), bytes: await publisher.bytesSent() };
    const { at, bytes } = this.#lastBytes;
    this.#lastBytes = now;
    if (at === 0 || now.bytes < bytes) return;
    const kbits = Math.round(((now.bytes - bytes) * 8) / (now.at - at));
    setText(this.#bitrate.value, kbits >= 1000 ? `${(kbits / 1000).toFixed(1)} Mbit/s` : `${kbits} kbit/s`);
  }

  #showFigures() {
    const stream = this.#stream;
    find("earnings").hidden = stream === null;
    if (!stream) return;
    const { decimals, symbol } = api.inUnitOf(this.#info, stream);
    const money = (/** @type {string} */ value) => formatAmount(fromWire(value), decimals, symbol);
    setText(this.#viewers.value, String(stream.viewers ?? 0));
    setText(this.#earned.value, money(stream.earned));
    setText(this.#total.value, money(stream.earned_total));
    this.#tips.row.hidden = fromWire(stream.tips_total ?? "0") === 0n;
    setText(this.#tips.value, money(stream.tips_total ?? "0"));
    setText(this.#price.value, `${formatAmount(costOf(fromWire(stream.rate_per_second), 60), decimals, symbol)} / min`);
    setText(
      this.#since.value,
      this.#publisher && this.#liveSince > 0 ? formatClock((performance.now() - this.#liveSince) / 1000) : "–",
    );
    if (!this.#publisher) setText(this.#bitrate.value, "–");
    this.#showClaim(fromWire(stream.earned) > 0n);
    this.#showLink(stream.id);
  }

  /** @param {boolean} some */
  #showClaim(some) {
    const place = find("claim");
    if (place.childElementCount === 0) {
      fill(place, button("plain", "Claim", () => this.#claim(), { id: "claim-button" }));
    }
    /** @type {HTMLButtonElement} */ (place.firstElementChild).disabled = !some;
  }

  /** @param {number} id */
  #showLink(id) {
    const link = /** @type {HTMLAnchorElement} */ (find("link"));
    const address = new URL(`/watch?stream=${id}`, window.location.href).href;
    if (link.href === address) return;
    link.href = address;
    link.textContent = address;
    const copy = button("quiet", [icon("copy"), "Copy"], async () => {
      await navigator.clipboard.writeText(address).catch(() => null);
      fill(copy, icon("check"), "Copied");
      setTimeout(() => fill(copy, icon("copy"), "Copy"), 2_000);
    });
    fill(find("copy"), copy);
  }

  /** @param {string} title @param {string} [text] */
  #showProgress(title, text = "") {
    fill(
      this.#message,
      h(
        "div",
        { class: "progress", role: "status" },
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("div", {}, h("p", { class: "notice-title" }, title), text ? h("p", { class: "small" }, text) : null),
      ),
    );
  }

  /** @param {() => Promise<void>} action */
  async #run(action) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await action();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  /** @param {unknown} error @param {(() => void) | null} [again] */
  #fail(error, again = null) {
    const cancelled = error instanceof WalletError && error.cancelled;
    const text = error instanceof Error ? error.message : String(error);
    fill(
      this.#message,
      notice(
        cancelled ? "info" : "error",
        cancelled ? "Declined" : "That did not work",
        text,
        again ? [button("plain", "Try again", () => again())] : [],
      ),
    );
  }
}

new BroadcastPage().start();
