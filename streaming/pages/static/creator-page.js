/**
 * The page of a creator, named in the address by handle or address; `/me` is one's own.
 * @module
 */

import * as api from "./api.js";
import { currentSession, forgetSession, profile, setFollow, signOut } from "./community.js";
import { ProfileForm } from "./components/profile-form.js";
import "./components/sign-in.js";
import { byInterest, fillInPlace, startList, streamList, waitingList } from "./components/stream-list.js";
import { button, fill, h, notice, setText } from "./dom.js";
import "./header.js";
import { calledBy } from "./sdk/chat-log.js";
import { publicKeyOf, sameAccount, shortAddress } from "./sdk/ss58.js";
import { languageName, startsOf } from "./times.js";

/** @typedef {import("./community.js").Profile} Profile */

const POLL_MS = 10_000;
const STARTS_SHOWN_MAX = 20;

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const [trouble, head, edit, streamsRoot, scheduleRoot] = ["problem", "profile", "edit", "streams", "schedule"].map(find);

/** Who is named in the address; null for oneself. */
const named = /^\/creator\/([^/]+)$/.exec(window.location.pathname)?.[1] ?? null;
const isOwnPage = named === null;

class CreatorPage {
  /** Where there is none, the account has not signed in here. @type {Profile | null} */
  #profile = null;
  /** @type {api.ChainInfo | null} */
  #info = null;
  #account = "";
  #shown = "";
  #state = h("p", { class: "small", role: "status" });
  #signInPlace = h("div", { class: "stack" });

  async start() {
    fill(trouble);
    fill(edit);
    const who = isOwnPage ? (currentSession()?.account ?? null) : decoded(named ?? "");
    if (who === null) return this.#askToSignIn();
    try {
      await this.#load(who);
    } catch (error) {
      this.#failed(error);
    }
    head.removeAttribute("aria-busy");
  }

  /** @param {string} who */
  async #load(who) {
    const isAddress = !who.startsWith("0x") && publicKeyOf(who) !== null;
    this.#profile = await this.#profileOf(who, isAddress);
    if (this.#profile === null && !isAddress) return nobody(who);
    this.#account = this.#profile?.account ?? who;
    const [info, streams] = await Promise.all([api.info(), this.#streams()]);
    this.#info = info;
    if (this.#profile === null && streams.length === 0) return nobody(shortAddress(who));
    this.#showHead();
    this.#showStreams(streams);
  }

  /** @param {string} who @param {boolean} isAddress @returns {Promise<Profile | null>} */
  async #profileOf(who, isAddress) {
    try {
      return await profile(who, currentSession()?.token);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.isTokenGone && currentSession()) {
        forgetSession();
        return this.#profileOf(who, isAddress);
      }
      // where nobody has a profile, an address still has streams
      if (error.status === 404 && (isAddress || error.code === "profile-not-found")) return null;
      throw error;
    }
  }

  async #streams() {
    const all = await api.streams({ owner: this.#account });
    return all.filter(({ status }) => status !== "ended");
  }

  /** @param {unknown} error */
  #failed(error) {
    const text = error instanceof Error ? error.message : String(error);
    const isElsewhere = error instanceof api.Problem && error.status === 404;
    fill(streamsRoot);
    fill(scheduleRoot);
    if (isElsewhere) {
      fill(head, h("h1", {}, "There are no creators' pages by name here"));
      return fill(trouble, notice("info", "This server has no community", "A page can be opened by an account's address, which shows its streams.", [homeLink()]));
    }
    fill(head, h("h1", {}, "This page could not be loaded"));
    fill(trouble, notice("error", "The server did not answer as it should", text, [button("plain", "Try again", () => this.start())]));
  }

  // --- who it is -------------------------------------------------------------------------

  get #isOwn() {
    return sameAccount(currentSession()?.account, this.#account);
  }

  #showHead() {
    const found = this.#profile;
    const name = found ? calledBy(found, shortAddress) : shortAddress(this.#account);
    document.title = `${name} · PayStream`;
    markOwn(this.#isOwn);
    fill(
      head,
      h("div", { class: "creator-head" }, h("h1", {}, h("bdi", {}, name)), this.#actions()),
      h(
        "p",
        { class: "muted creator-facts" },
        found?.handle && found.name ? h("bdi", {}, `@${found.handle}`) : null,
        found ? h("span", { id: "followers" }, followersText(found.followers)) : null,
        found && found.languages.length > 0 ? h("span", {}, `Speaks ${found.languages.map(languageName).join(", ")}`) : null,
      ),
      h("p", { class: "small creator-account" }, "Account ", h("code", {}, this.#account)),
      found?.about ? h("p", { class: "creator-about" }, h("bdi", {}, found.about)) : null,
      found && found.links.length > 0 ? linkList(found.links) : null,
      found ? null : h("p", { class: "small" }, "This account has not signed in here, so it has no name."),
      this.#signInPlace,
      this.#state,
    );
  }

  #actions() {
    if (!this.#profile) return null;
    if (this.#isOwn) {
      return h(
        "div",
        { class: "actions" },
        button("plain", "Edit profile", () => this.#edit(), { id: "edit-profile" }),
        button("quiet", "Sign out", () => this.#signOut()),
      );
    }
    const follows = this.#profile.you_follow === true;
    return h(
      "div",
      { class: "actions" },
      button(follows ? "plain" : "primary", follows ? "Unfollow" : "Follow", () => this.#follow(!follows), { id: "follow" }),
    );
  }

  /** @param {boolean} wanted */
  async #follow(wanted) {
    const found = /** @type {Profile} */ (this.#profile);
    const session = currentSession();
    if (!session) return this.#signInToFollow();
    if (this.#isOwn) return this.#showHead();
    try {
      const { you_follow, followers } = await setFollow(this.#account, wanted, session.token);
      this.#profile = { ...found, you_follow, followers };
      this.#say(you_follow ? "You follow. Your home shows when they are live." : "You follow no more.");
    } catch (error) {
      if (error instanceof api.Problem && error.isTokenGone) {
        forgetSession();
        return this.#signInToFollow();
      }
      return this.#say(error instanceof Error ? error.message : String(error), true);
    }
    const hadFocus = document.activeElement?.id === "follow" || document.activeElement === document.body;
    this.#showHead();
    if (hadFocus) find("follow").focus();
  }

  #signInToFollow() {
    this.#say("Sign in with your wallet to follow.");
    const signIn = document.createElement("ps-sign-in");
    signIn.addEventListener("session", () => {
      fill(this.#signInPlace);
      void this.#follow(true);
    });
    fill(this.#signInPlace, h("div", { class: "panel" }, signIn));
  }

  async #signOut() {
    const session = currentSession();
    try {
      if (session) await signOut(session.token);
    } catch {
      forgetSession(); // this tab is signed out, whatever the server says
    }
    window.location.assign("/");
  }

  #edit() {
    const session = currentSession();
    if (!session || !this.#profile) return;
    const form = new ProfileForm(this.#profile, session.token);
    const close = () => {
      fill(edit);
      find("edit-profile").focus();
    };
    form.addEventListener("cancel", close);
    form.addEventListener("saved", (event) => {
      this.#profile = /** @type {CustomEvent<Profile>} */ (event).detail;
      this.#shown = ""; // streams say whose they are
      this.#say("Your profile is saved.");
      this.#showHead();
      close();
      this.#moveTo(this.#profile);
    });
    fill(edit, form.root);
    form.focus();
  }

  /** The address follows the handle. @param {Profile} kept */
  #moveTo({ handle, account }) {
    if (!isOwnPage) history.replaceState(null, "", `/creator/${encodeURIComponent(handle ?? account)}`);
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.#state.classList.toggle("is-error", isError);
    setText(this.#state, text);
  }

  // --- what they show --------------------------------------------------------------------

  /** @param {api.Stream[]} streams */
  #showStreams(streams) {
    const info = this.#info;
    const present = JSON.stringify(streams);
    if (!info || present === this.#shown) return;
    this.#shown = present;
    fillInPlace(
      streamsRoot,
      h("h2", {}, "Streams"),
      streams.length > 0 ? streamList(byInterest(streams), info, { creator: false }) : this.#noStreams(),
    );
    const starts = startsOf(streams.map((stream) => ({ ...stream, stream: stream.id })), Date.now());
    fillInPlace(
      scheduleRoot,
      h("h2", {}, "Schedule"),
      starts.length > 0
        ? startList(starts.slice(0, STARTS_SHOWN_MAX))
        : h("p", { class: "muted" }, this.#isOwn ? "Nothing is planned. Say on the broadcast page when you begin." : "Nothing is planned."),
    );
  }

  #noStreams() {
    return h(
      "div",
      { class: "empty" },
      h("p", { class: "empty-title" }, "No streams yet"),
      h("p", { class: "muted" }, this.#isOwn ? "Make the first one: a camera and a price are enough." : "Follow, and your home shows when there is one."),
      this.#isOwn ? h("a", { class: "button primary", href: "/broadcast" }, "Broadcast") : null,
    );
  }

  async refresh() {
    if (!this.#account || !this.#info) return;
    try {
      this.#showStreams(await this.#streams());
    } catch {
      // the next look will do
    }
  }

  // --- one's own page, signed out ----------------------------------------------------------

  #askToSignIn() {
    markOwn(true);
    document.title = "My page · PayStream";
    const signIn = document.createElement("ps-sign-in");
    signIn.addEventListener("session", async () => {
      showWaiting();
      await this.start();
      // what was pressed is gone: the keyboard goes on from the heading
      const heading = head.querySelector("h1");
      heading?.setAttribute("tabindex", "-1");
      heading?.focus();
    });
    fill(
      head,
      h("h1", {}, "My page"),
      h("p", { class: "muted" }, "Sign in with your wallet: one signature over a text. It costs nothing, and moves nothing."),
      h("div", { class: "panel" }, signIn),
    );
    fill(streamsRoot);
    fill(scheduleRoot);
    head.removeAttribute("aria-busy");
  }
}

/** @param {string} text of an address */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {boolean} isOwn */
function markOwn(isOwn) {
  if (isOwn) find("mine").setAttribute("aria-current", "page");
}

/** @param {number} followers */
const followersText = (followers) => (followers === 1 ? "1 follower" : `${followers} followers`);

/** @param {{label: string, url: string}[]} links */
const linkList = (links) =>
  h(
    "ul",
    { class: "creator-links", "aria-label": "Links" },
    links.map(({ label, url }) =>
      h("li", {}, h("a", { href: url, rel: "nofollow noopener noreferrer ugc", title: url }, h("bdi", {}, label))),
    ),
  );

const homeLink = () => h("a", { class: "button plain", href: "/" }, "Home");

/** @param {string} who */
function nobody(who) {
  document.title = "Not found · PayStream";
  fill(
    head,
    h("h1", {}, "There is nobody of this name here"),
    h("p", { class: "muted" }, "Nobody who has signed in here is called ", h("bdi", {}, `“${who.slice(0, 60)}”`), ". A handle may have been changed: look how it is written, or look for the creator's streams."),
    h("div", { class: "actions" }, h("a", { class: "button primary", href: "/browse" }, "Browse all streams"), homeLink()),
  );
  fill(streamsRoot);
  fill(scheduleRoot);
}

function showWaiting() {
  fill(head, h("h1", { class: "creator-waiting" }, "Loading…"));
  fill(streamsRoot, waitingList());
}

const page = new CreatorPage();
await page.start();
setInterval(() => {
  if (!document.hidden) void page.refresh();
}, POLL_MS);
