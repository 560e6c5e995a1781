// Pictures that are zoomed and moved; several share one zoom, and it stays from picture to picture.

import { original, thumb } from "../lib/api.js";
import { make } from "../lib/dom.js";
import { oncePerFrame } from "../lib/timing.js";

const LARGEST = 16;
const sizes = new Map();

/** How closely pictures are looked at: `scale` in CSS pixels per pixel of the picture, null to fit; `x`, `y` is the middle, as fractions. */
export class Zoom {
  constructor() {
    Object.assign(this, { scale: null, x: 0.5, y: 0.5 });
    this.listeners = new Set();
  }

  set(change) {
    Object.assign(this, change);
    this.x = Math.max(0, Math.min(1, this.x));
    this.y = Math.max(0, Math.min(1, this.y));
    for (const listener of this.listeners) listener();
  }

  /** Between the whole picture and one pixel for one. */
  toggle(at = {}) {
    this.set(this.scale === null ? { scale: 1 / devicePixelRatio, ...at } : { scale: null, x: 0.5, y: 0.5 });
  }
}

/** A picture in a box that follows a zoom. */
export class ZoomedPicture {
  /**
   * @param {Zoom} zoom
   * @param {{onSwipe?: function(number)}} [options] told -1 or 1 when a finger wipes the whole picture aside
   */
  constructor(zoom, { onSwipe = null } = {}) {
    Object.assign(this, { zoom, onSwipe, hash: null, natural: null });
    this.small = make("img", { alt: "", decoding: "async", draggable: "false" });
    this.full = make("img", { alt: "", decoding: "async", draggable: "false" });
    this.element = make("div", { class: "zoomed" }, this.small, this.full);
    this.place = oncePerFrame(() => this.#place());
    zoom.listeners.add(this.place);
    new ResizeObserver(this.place).observe(this.element);
    this.small.addEventListener("load", () => this.#size(this.small, false));
    this.full.addEventListener("load", () => { this.#size(this.full, true); this.element.classList.add("sharp"); });
    this.full.addEventListener("error", () => this.element.classList.remove("sharp"));
    gestures(this);
  }

  /** Stop following the zoom. */
  end() { this.zoom.listeners.delete(this.place); }

  /**
   * Show a picture by its hash: the small one at once, the full one when it is there.
   * @param {boolean} [same] whether it is a newer or older state of the one that is shown, which then stays until this one is loaded
   */
  show(hash, alt = "", same = false) {
    this.full.alt = alt;
    if (hash === this.hash) return;
    this.hash = hash;
    if (!same || !hash) {
      this.element.classList.remove("sharp");
      for (const image of [this.small, this.full]) image.removeAttribute("src");
    }
    if (!hash) return;
    this.natural = sizes.get(hash) ?? this.natural;
    this.small.src = thumb(hash, 384);
    this.full.src = original(hash);
    this.place();
  }

  /** Return where on the picture a pointer is, as fractions. */
  at({ clientX, clientY }) {
    const box = this.full.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  /** Whether there is a picture, whose size is known. */
  get there() { return Boolean(this.hash && this.natural); }

  get fit() {
    const { clientWidth, clientHeight } = this.element;
    if (!this.natural) return 1;
    return Math.min(clientWidth / this.natural[0], clientHeight / this.natural[1], 4);
  }

  /** Zoom by a factor, so that what is below the pointer stays there. */
  by(factor, pointer) {
    if (!this.there) return;
    const now = this.zoom.scale ?? this.fit;
    const next = Math.min(LARGEST, now * factor);
    if (next <= this.fit * 1.001) { this.zoom.set({ scale: null, x: 0.5, y: 0.5 }); return; }
    const box = this.element.getBoundingClientRect();
    const at = pointer ? this.at(pointer) : { x: this.zoom.x, y: this.zoom.y };
    const away = pointer ? [pointer.clientX - box.left - box.width / 2, pointer.clientY - box.top - box.height / 2] : [0, 0];
    this.zoom.set({ scale: next, x: at.x - away[0] / (next * this.natural[0]), y: at.y - away[1] / (next * this.natural[1]) });
  }

  /** Move the picture by so many CSS pixels. */
  move(right, down) {
    if (this.zoom.scale === null || !this.natural) return;
    this.zoom.set({ x: this.zoom.x - right / (this.zoom.scale * this.natural[0]), y: this.zoom.y - down / (this.zoom.scale * this.natural[1]) });
  }

  #size(image, exact) {
    const size = [image.naturalWidth, image.naturalHeight];
    const shape = this.natural && Math.abs(this.natural[0] / this.natural[1] - size[0] / size[1]) < 0.02;
    if (exact) sizes.set(this.hash, size);
    if (exact || !shape) this.natural = size;
    this.place();
  }

  #place() {
    const { element, natural, zoom } = this;
    if (!natural || !element.clientWidth) return;
    const scale = zoom.scale === null ? this.fit : Math.max(zoom.scale, Math.min(this.fit, 1));
    const width = natural[0] * scale, height = natural[1] * scale;
    const along = (box, length, middle) => (length <= box ? (box - length) / 2 : Math.max(box - length, Math.min(0, box / 2 - middle * length)));
    const left = along(element.clientWidth, width, zoom.x), top = along(element.clientHeight, height, zoom.y);
    for (const { style } of [this.small, this.full]) {
      style.width = `${width}px`;
      style.height = `${height}px`;
      style.transform = `translate(${left}px, ${top}px)`;
    }
    element.classList.toggle("pixels", scale * devicePixelRatio >= 3);
    element.classList.toggle("whole", zoom.scale === null);
    this.onPlace?.({ left, top, width, height });
  }
}

// Wheel, drag, pinch, double click, and a swipe when the whole picture is seen.
function gestures(picture) {
  const { element, zoom } = picture;
  const pointers = new Map();
  let start = null;
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    picture.by(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 240), event);
  }, { passive: false });
  element.addEventListener("dblclick", (event) => { if (picture.there) zoom.toggle(picture.at(event)); });
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, event);
    element.setPointerCapture(event.pointerId);
    start = pointers.size === 1 ? event : null;
  });
  element.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    if (pointers.size === 1) picture.move(event.clientX - before.clientX, event.clientY - before.clientY);
    else {
      const [other] = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      picture.by(apart(event) / Math.max(1, apart(before)), middle);
    }
    pointers.set(event.pointerId, event);
  });
  const end = (event) => {
    pointers.delete(event.pointerId);
    const right = start ? event.clientX - start.clientX : 0;
    if (picture.onSwipe && event.type === "pointerup" && event.pointerType === "touch" && zoom.scale === null && Math.abs(right) > 48) picture.onSwipe(right > 0 ? -1 : 1);
    start = null;
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
}

/** Fetch pictures that are likely to be looked at next. */
export function fetchAhead(hashes) {
  for (const hash of hashes) {
    if (!hash || sizes.has(hash)) continue;
    const image = new Image();
    image.decoding = "async";
    image.src = original(hash);
  }
}
