// Two pictures over each other: with a slider, in turn, or as their difference.

import { make } from "../lib/dom.js";
import { original } from "../lib/api.js";
import { complain } from "../lib/messages.js";
import { ZoomedPicture } from "./zoom.js";

const BLINK = 700;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** One box in which two pictures lie over each other. */
export class Overlay {
  constructor(zoom) {
    this.under = new ZoomedPicture(zoom);
    this.over = new ZoomedPicture(zoom);
    this.canvas = make("canvas", { class: "difference", role: "img", "aria-label": "Difference of the two pictures" });
    this.divider = make("input", { type: "range", min: 0, max: 1000, value: 500, class: "divider", "aria-label": "How much of the left picture", oninput: () => this.#divide() });
    this.line = make("span", { class: "divide-line" });
    this.label = make("p", { class: "overlay-label", "aria-live": "off" });
    this.element = make("div", { class: "overlay", hidden: true }, this.under.element, this.over.element, this.canvas, this.line, this.label, this.divider);
    this.under.onPlace = (box) => this.#placeCanvas(box);
    this.element.addEventListener("click", () => { if (this.mode === "blink" && calm.matches) this.#turn(); });
  }

  /** "slider", "blink", "difference", or "" for none of these. */
  setMode(mode) {
    if (mode === this.mode) return;
    this.stop();
    this.mode = mode;
    this.element.hidden = !mode;
    this.element.dataset.mode = mode;
    this.#divide();
    if (mode === "blink" && !calm.matches) this.timer = setInterval(() => this.#turn(), BLINK);
    if (mode === "difference") this.#difference();
    this.#tell();
  }

  stop() {
    clearInterval(this.timer);
    this.mode = null;
    this.element.classList.remove("turned");
  }

  show(left, right, leftName, rightName) {
    this.names = [leftName, rightName];
    const same = this.hashes?.[0] === left && this.hashes[1] === right;
    if (!same) this.hashes = [left, right];
    this.over.show(left, leftName);
    this.under.show(right, rightName);
    if (!same && this.mode === "difference") this.#difference();
    this.#tell();
  }

  #turn() {
    this.element.classList.toggle("turned");
    this.#tell();
  }

  #tell() {
    if (!this.names) return;
    const [left, right] = this.names;
    this.label.textContent = { blink: this.element.classList.contains("turned") ? right : left, slider: "", difference: "Black where both are the same; four times as bright as it is" }[this.mode] ?? "";
  }

  #divide() {
    const part = this.divider.value / 1000;
    this.over.element.style.clipPath = this.mode === "slider" ? `inset(0 ${100 * (1 - part)}% 0 0)` : "";
    this.line.style.left = `${100 * part}%`;
  }

  #difference() {
    this.#subtract(this.hashes).catch(complain);
  }

  async #subtract(asked) {
    this.canvas.width = 0;
    if (!asked || asked.includes(null)) return;
    const images = asked.map((hash) => Object.assign(new Image(), { src: original(hash) }));
    await Promise.all(images.map((image) => image.decode()));
    if (asked !== this.hashes) return;
    const [left, right] = images;
    this.canvas.width = left.naturalWidth;
    this.canvas.height = left.naturalHeight;
    const context = this.canvas.getContext("2d");
    context.drawImage(left, 0, 0);
    context.globalCompositeOperation = "difference";
    context.drawImage(right, 0, 0, left.naturalWidth, left.naturalHeight);
  }

  #placeCanvas({ left, top, width, height }) {
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${left}px, ${top}px)` });
  }
}
