// A scatter of two columns, with the pictures themselves where there is room.

import { thumb } from "../lib/api.js";
import { make } from "../lib/dom.js";
import { number, words } from "../lib/format.js";
import { color } from "../lib/theme.js";
import { fit } from "./parallel.js";

const HEIGHT = 380, LEFT = 52, RIGHT = 16, TOP = 12, BOTTOM = 34, EDGE = 44, MOST_PICTURES = 90;

/** The chart. `x` and `y` are names of columns or axes. */
export class Scatter {
  constructor(store, desk) {
    Object.assign(this, { store, desk, x: null, y: null, pictures: new Map(), points: [] });
    this.canvas = make("canvas", { role: "img", "aria-label": "Scatter of two metrics" });
    this.hint = make("figure", { class: "hint", hidden: true }, make("img", { alt: "" }), make("figcaption"));
    this.element = make("div", { class: "scatter" }, this.canvas, this.hint);
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => { this.hint.hidden = true; });
    this.canvas.addEventListener("click", (event) => {
      const index = this.#nearest(event);
      if (index < 0) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey) desk.toggle(index);
      else { desk.go(index, { quiet: true }); desk.show("loupe"); }
    });
  }

  draw(mask) {
    const { canvas, store } = this, ratio = devicePixelRatio, width = this.element.clientWidth;
    if (!width) return;
    this.mask = mask;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [xs, ys] = [this.x, this.y].map((name) => this.#column(name));
    const bounds = (column) => {
      let low = Infinity, high = -Infinity;
      for (let i = 0; i < store.length; i++) if (mask[i] && column.at(i) === column.at(i)) { low = Math.min(low, column.at(i)); high = Math.max(high, column.at(i)); }
      return high > low ? [low, high] : [low - 1, high + 1];
    };
    const [x0, x1] = bounds(xs), [y0, y1] = bounds(ys);
    if (!Number.isFinite(x0) || !Number.isFinite(y0)) {
      context.fillStyle = color("muted");
      context.textAlign = "center";
      context.fillText("Nothing is measured yet.", width / 2, HEIGHT / 2);
      this.points = [];
      return;
    }
    const place = (i) => [LEFT + EDGE / 2 + (xs.at(i) - x0) / (x1 - x0) * (width - LEFT - RIGHT - EDGE), HEIGHT - BOTTOM - EDGE / 2 - (ys.at(i) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM - EDGE)];
    this.points = [];
    for (let i = 0; i < store.length; i++) {
      if (!mask[i] || Number.isNaN(xs.at(i)) || Number.isNaN(ys.at(i))) continue;
      const [x, y] = place(i);
      this.points.push([x, y, i]);
    }
    this.#frame(context, width, [xs, x0, x1], [ys, y0, y1]);
    this.#dots(context);
    this.#thumbs(context);
  }

  #column(name) {
    const { store } = this;
    const axis = store.axes.findIndex((one) => one.name === name);
    if (axis >= 0) return { at: (i) => (store.at[axis][i] < 0 ? NaN : store.at[axis][i]), label: (value) => store.axes[axis].labels[Math.round(value)] ?? "" };
    const column = store.column(name);
    return { at: (i) => column[i], label: number };
  }

  #frame(context, width, [xs, x0, x1], [ys, y0, y1]) {
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = color("rule");
    context.fillRect(LEFT, HEIGHT - BOTTOM, width - LEFT - RIGHT, 1);
    context.fillRect(LEFT, TOP, 1, HEIGHT - TOP - BOTTOM);
    context.fillStyle = color("muted");
    context.textAlign = "left";
    context.fillText(fit(context, xs.label(x0), 90), LEFT + EDGE / 2 - 8, HEIGHT - BOTTOM + 15);
    context.textAlign = "right";
    context.fillText(fit(context, xs.label(x1), 90), width - RIGHT - EDGE / 2 + 8, HEIGHT - BOTTOM + 15);
    context.fillText(fit(context, ys.label(y0), 44), LEFT - 6, HEIGHT - BOTTOM - EDGE / 2 + 4);
    context.fillText(fit(context, ys.label(y1), 44), LEFT - 6, TOP + EDGE / 2 + 4);
    context.fillStyle = color("text");
    context.textAlign = "center";
    context.fillText(words(this.x), (LEFT + width) / 2, HEIGHT - BOTTOM + 28);
    context.save();
    context.translate(13, HEIGHT / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(words(this.y), 0, 0);
    context.restore();
  }

  #dots(context) {
    context.fillStyle = color("accent");
    context.globalAlpha = Math.max(0.25, Math.min(1, 400 / this.points.length));
    for (const [x, y] of this.points) context.fillRect(x - 1.5, y - 1.5, 3, 3);
    context.globalAlpha = 1;
    context.strokeStyle = color("star");
    context.lineWidth = 2;
    for (const [x, y, index] of this.points) if (this.desk.selected.has(index)) context.strokeRect(x - 4, y - 4, 8, 8);
  }

  // A picture is drawn where none lies yet.
  #thumbs(context) {
    const taken = new Set();
    let drawn = 0;
    for (const [x, y, index] of this.points) {
      const hash = this.store.picture[index];
      const at = [Math.floor(x / (EDGE + 8)), Math.floor(y / (EDGE + 2))].join();
      if (!hash || taken.has(at) || drawn >= MOST_PICTURES) continue;
      taken.add(at);
      drawn += 1;
      const image = this.#picture(hash);
      if (!image.complete || !image.naturalWidth) continue;
      const scale = EDGE / Math.max(image.naturalWidth, image.naturalHeight);
      const width = image.naturalWidth * scale, height = image.naturalHeight * scale;
      context.drawImage(image, x - width / 2, y - height / 2, width, height);
      if (this.desk.selected.has(index)) context.strokeRect(x - width / 2, y - height / 2, width, height);
    }
  }

  #picture(hash) {
    if (!this.pictures.has(hash)) {
      if (this.pictures.size > 4 * MOST_PICTURES) this.pictures.clear();
      const image = new Image();
      image.onload = () => { clearTimeout(this.later); this.later = setTimeout(() => this.draw(this.mask), 60); };
      image.src = thumb(hash, 96);
      this.pictures.set(hash, image);
    }
    return this.pictures.get(hash);
  }

  #nearest({ offsetX, offsetY }) {
    let best = 24 ** 2, found = -1;
    for (const [x, y, index] of this.points) {
      const away = (x - offsetX) ** 2 + (y - offsetY) ** 2;
      if (away < best) { best = away; found = index; }
    }
    return found;
  }

  #hover(event) {
    const index = this.#nearest(event);
    const hash = index >= 0 ? this.store.picture[index] : null;
    this.hint.hidden = index < 0;
    if (index < 0) return;
    const [image, caption] = this.hint.children;
    image.hidden = !hash;
    if (hash) image.src = thumb(hash, 192);
    caption.textContent = this.store.nameOf(index);
    const right = event.offsetX > this.element.clientWidth / 2;
    this.hint.style.left = `${event.offsetX + (right ? -216 : 16)}px`;
    this.hint.style.top = `${Math.max(0, Math.min(HEIGHT - 180, event.offsetY - 80))}px`;
  }
}
