import { h } from "../dom.js";
import { setSettings, settings } from "../moderation.js";
import { LoadedPanel, formOf, labelled, ticked } from "./loaded-panel.js";

/** @typedef {import("../moderation.js").ChatSettings} Settings */

/**
 * `<ps-chat-settings>`: how the chat is set.
 * @extends {LoadedPanel<Settings>}
 */
export class ChatSettings extends LoadedPanel {
  constructor() {
    super("How the chat is");
  }

  load() {
    return settings(this.stream ?? 0);
  }

  /** @param {Settings} kept */
  rows(kept) {
    const slow = h("input", { id: "slow", type: "number", min: 0, max: 3_600, required: true, value: kept.slow_mode_s });
    const speakers = h(
      "select",
      { id: "speakers" },
      [["everybody", "Everybody"], ["followers", "Who follows the stream's owner"]].map(([value, text]) =>
        h("option", { value, selected: value === kept.speakers }, text),
      ),
    );
    const links = h("input", { type: "checkbox", checked: kept.links_held });
    const days = h("input", { id: "links-days", type: "number", min: 0, max: 365, required: true, value: kept.links_days });
    const save = () => {
      const body = {
        slow_mode_s: Number(slow.value),
        speakers: /** @type {Settings["speakers"]} */ (speakers.value),
        links_held: links.checked,
        links_days: Number(days.value),
      };
      return this.act(() => setSettings(this.stream ?? 0, body, this.token), "Saved. It counts at once.");
    };
    return [
      formOf(
        save,
        labelled("Seconds between two messages of an account", slow),
        labelled("Who speaks", speakers),
        ticked("Links wait for a moderator", links),
        labelled("But not of accounts that are here for so many days (0: of all)", days),
        h("button", { type: "submit", class: "button plain" }, "Save"),
      ),
    ];
  }
}

customElements.define("ps-chat-settings", ChatSettings);
