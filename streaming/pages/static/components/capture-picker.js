import { button, fill, h, icon, notice } from "../dom.js";

const CHOICE_KEY = "paystream.devices";
const NONE = "none";

/**
 * The choice of camera and microphone.
 * Dispatches `change` when `media` has changed.
 */
export class CapturePicker extends EventTarget {
  /** @type {MediaStream | null} */
  media = null;
  #root;
  #camera = h("select", { id: "camera", onchange: () => this.#open() });
  #microphone = h("select", { id: "microphone", onchange: () => this.#open() });
  #trouble = h("div");

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.#root = root;
    if (!navigator.mediaDevices?.getUserMedia) {
      fill(root, notice("error", "No camera here", "Browsers give the camera only to pages of a secure (https) address."));
      return;
    }
    this.#ask();
    navigator.mediaDevices.addEventListener("devicechange", () => this.#list());
  }

  #ask() {
    fill(
      this.#root,
      h("p", { class: "quiet-line" }, "Choose what viewers see and hear. Nothing is sent before you go live."),
      button("plain", [icon("camera"), "Turn on the camera"], () => this.#open(), {
        id: "devices",
        class: "button plain wide",
      }),
      this.#trouble,
    );
  }

  async #open() {
    const [camera, microphone] = this.#choice();
    for (const track of this.media?.getTracks() ?? []) track.stop();
    fill(this.#trouble);
    try {
      this.media = await capture(camera, microphone);
    } catch (error) {
      this.media = null;
      fill(this.#trouble, refusal(error));
      this.dispatchEvent(new Event("change"));
      return;
    }
    for (const track of this.media.getTracks()) track.addEventListener("ended", () => this.#gone());
    await this.#list();
    localStorage.setItem(CHOICE_KEY, JSON.stringify(this.#choice()));
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {[string, string]} ids of camera and microphone; empty for any */
  #choice() {
    if (this.#camera.value || this.#microphone.value) return [this.#camera.value, this.#microphone.value];
    try {
      const [camera, microphone] = JSON.parse(localStorage.getItem(CHOICE_KEY) ?? "[]");
      return [String(camera ?? ""), String(microphone ?? "")];
    } catch {
      return ["", ""];
    }
  }

  async #list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.#options(this.#camera, devices, "videoinput", "Camera");
    this.#options(this.#microphone, devices, "audioinput", "Microphone");
    if (this.#camera.isConnected || !this.media) return;
    fill(
      this.#root,
      h("div", { class: "field" }, h("label", { class: "label", for: "camera" }, "Camera"), this.#camera),
      h("div", { class: "field" }, h("label", { class: "label", for: "microphone" }, "Microphone"), this.#microphone),
      this.#trouble,
    );
  }

  /**
   * @param {HTMLSelectElement} select
   * @param {MediaDeviceInfo[]} devices
   * @param {MediaDeviceKind} kind
   * @param {string} name
   */
  #options(select, devices, kind, name) {
    const track = this.media?.getTracks().find((one) => `${one.kind}input` === kind);
    const current = track?.getSettings().deviceId ?? NONE;
    const found = devices.filter((device) => device.kind === kind && device.deviceId);
    fill(
      select,
      found.map((device, position) =>
        h(
          "option",
          { value: device.deviceId, selected: device.deviceId === current },
          device.label || `${name} ${position + 1}`,
        ),
      ),
      h("option", { value: NONE, selected: current === NONE }, `No ${name.toLowerCase()}`),
    );
  }

  #gone() {
    fill(this.#trouble, notice("warning", "A device was unplugged", "Choose another, or plug it in and choose it again."));
  }
}

/**
 * @param {string} camera id, empty for any, `none` for none
 * @param {string} microphone
 */
async function capture(camera, microphone) {
  const wants = (/** @type {string} */ id, /** @type {MediaTrackConstraints} */ more) =>
    id === NONE ? false : { ...more, ...(id ? { deviceId: { ideal: id } } : {}) };
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const video = wants(camera, size);
  const audio = wants(microphone, { channelCount: { ideal: 2 } });
  if (!video && !audio) throw new DOMException("", "NothingChosen");
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch (error) {
    // A machine may have one of the two only.
    const lacks = error instanceof DOMException && error.name === "NotFoundError";
    if (!lacks || !video || !audio) throw error;
    return navigator.mediaDevices
      .getUserMedia({ video })
      .catch(() => navigator.mediaDevices.getUserMedia({ audio }));
  }
}

/** @param {unknown} error */
function refusal(error) {
  const name = error instanceof DOMException ? error.name : "";
  /** @type {Record<string, [string, string]>} */
  const texts = {
    NothingChosen: ["Nothing to send", "Choose a camera or a microphone."],
    NotAllowedError: [
      "No access to camera and microphone",
      "You or the browser declined. Allow them for this site in the address bar, and try again.",
    ],
    NotFoundError: ["No camera and no microphone found", "Connect one, and try again."],
    NotReadableError: ["The device is in use", "Another program holds it. Close that, and try again."],
  };
  const [title, text] = texts[name] ?? ["The device could not be opened", String(error)];
  return notice("error", title, text);
}
