/**
 * Building elements without markup in strings, so that no text can ever become markup.
 * @module
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] `on…` are listeners, `true` an empty attribute,
 *   `null`, `undefined` and `false` leave the attribute out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children));
  return element;
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children));
}

/**
 * Changes a text only where it differs, so that screen readers stay quiet.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Outlines on a grid of 24. */
const ICONS = {
  play: "M8 5.5v13l11-6.5z",
  pause: "M8 5v14M16 5v14",
  stop: "M6.5 6.5h11v11h-11z",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  muted: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5",
  pip: "M3.5 5.5h17v13h-17zM12 12h6v4h-6z",
  full: "M4 9V4.5h5M20 9V4.5h-5M4 15v4.5h5M20 15v4.5h-5",
  camera: "M3.5 7h11v10h-11zM14.5 11l6-3.5v9l-6-3.5z",
  wallet: "M4 7.5h15.5v11H4zM4 7.5l11.5-3v3M15.5 13h.5",
  copy: "M8.5 8.5h11v11h-11zM5 15.5H4.5v-11h11V5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warn: "M12 4l9 16H3zM12 10v4.5M12 17.2v.3",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5.5M12 7.7v.3",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
};

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGSVGElement} decorative: the text beside it, or its button's label, says the rest
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * @param {"primary" | "plain" | "quiet" | "link"} look
 * @param {Child | Child[]} label
 * @param {(event: Event) => void} onclick
 * @param {Record<string, any>} [more]
 */
export function button(look, label, onclick, more = {}) {
  return h("button", { type: "button", class: `button ${look}`, onclick, ...more }, label);
}

/**
 * Something to say, with what can be done about it.
 * @param {"info" | "warning" | "error" | "good"} kind
 * @param {string} title
 * @param {Child | Child[]} [text]
 * @param {Child[]} [actions]
 */
export function notice(kind, title, text, actions = []) {
  const symbol = kind === "good" ? "check" : kind === "info" ? "info" : "warn";
  return h(
    "div",
    { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" },
    icon(symbol),
    h(
      "div",
      { class: "notice-body" },
      h("p", { class: "notice-title" }, title),
      text ? h("p", {}, text) : null,
      actions.length > 0 ? h("div", { class: "actions" }, actions) : null,
    ),
  );
}

/**
 * A row of a list of figures.
 * @param {string} label
 * @returns {{row: HTMLElement, value: HTMLElement}}
 */
export function figure(label) {
  const value = h("dd", {}, "–");
  return { row: h("div", { class: "figure" }, h("dt", {}, label), value), value };
}
