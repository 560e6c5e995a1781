// Parallel coordinates on a canvas: one line per cell, one axis per parameter or metric.

import { make } from "../lib/dom.js";
import { number, words } from "../lib/format.js";
import { color } from "../lib/theme.js";
import { oncePerFrame } from "../lib/timing.js";
import { LineLayer } from "./line_layer.js";

const TOP = 34, BOTTOM = 22, SIDE = 56, HEIGHT = 320, LEAST_STEP = 92;

/** The chart, and its brushes: a metric's brush is a range of the filter, an axis's brush is a set of its values. */
export class Parallel {
  constructor(store, desk) {
    Object.assign(this, { store, desk, from: null });
    this.canvas = make("canvas", { role: "img", "aria-label": "Parallel coordinates: each line is a cell, each upright a parameter or metric" });
    this.all = new LineLayer();
    this.passing = new LineLayer();
    this.trace = (context, i) => this.#trace(context, i);
    this.element = make("div", { class: "parallel", tabindex: "0", role: "group", "aria-label": "Parallel coordinates" }, make("div", { class: "layers" }, this.all.canvas, this.passing.canvas, this.canvas));
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    const put = () => { if (this.from) this.#put(this.from.scale, this.to === null ? null : [this.from.at, this.to]); };
    // A pointer is faster than frames are.
    this.canvas.addEventListener("pointerup", () => { put(); this.from = null; });
    this.brush = oncePerFrame(() => { if (this.to !== null) put(); });
  }

  draw(mask) {
    const { canvas, store } = this, ratio = devicePixelRatio;
    this.scales = this.#scales();
    const width = Math.max(this.element.clientWidth, 2 * SIDE + LEAST_STEP * (this.scales.length - 1));
    if (!this.element.clientWidth || !this.scales.length) return;
    this.scales.forEach((scale, at) => { scale.x = this.scales.length === 1 ? width / 2 : SIDE + at * (width - 2 * SIDE) / (this.scales.length - 1); });
    const shown = [...mask.keys()].filter((i) => mask[i]);
    this.#drawLeftOut(width, shown.length < store.length);
    this.passing.draw({ width, height: HEIGHT, stroke: color("accent"), alpha: Math.max(0.1, Math.min(0.8, 60 / shown.length)) }, shown, this.trace);
    canvas.style.width = `${width}px`;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.strokeStyle = color("star");
    context.beginPath();
    for (const i of this.desk.selected) this.trace(context, i);
    context.stroke();
    for (const scale of this.scales) this.#axis(context, scale);
    Object.assign(this.element.dataset, { cells: store.length, axes: this.scales.length });
  }

  // All lines in gray, below those that pass: drawn again only when they have changed.
  #drawLeftOut(width, wanted) {
    this.all.canvas.hidden = !wanted;
    const drawn = [this.store.version, width, devicePixelRatio, color("rule")].join();
    if (!wanted || this.drawn === drawn) return;
    this.drawn = drawn;
    this.all.draw({ width, height: HEIGHT, stroke: color("rule"), alpha: 0.35 }, [...Array(this.store.length).keys()], this.trace);
  }

  #scales() {
    const { store } = this;
    const axes = store.axes.flatMap((axis, at) => (axis.values.length > 1 ? [{ name: axis.name, axis, column: store.at[at], low: 0, high: axis.values.length - 1, missing: (value) => value < 0 }] : []));
    const metrics = [...store.metrics.map((metric) => metric.name), "loss"].flatMap((name) => {
      const column = store.column(name);
      let low = Infinity, high = -Infinity;
      for (let i = 0; i < store.length; i++) {
        if (column[i] < low) low = column[i];
        if (column[i] > high) high = column[i];
      }
      return high > low ? [{ name, column, low, high, missing: Number.isNaN }] : [];
    });
    return [...axes, ...metrics];
  }

  #trace(context, i) {
    let drawing = false;
    for (const scale of this.scales) {
      const value = scale.column[i];
      if (scale.missing(value)) { drawing = false; continue; }
      const y = this.#y(scale, value);
      if (drawing) context.lineTo(scale.x, y);
      else context.moveTo(scale.x, y);
      drawing = true;
    }
  }

  #axis(context, scale) {
    const { filter } = this.desk.chosen;
    const bottom = HEIGHT - BOTTOM;
    context.fillStyle = color("edge");
    context.fillRect(scale.x - 0.5, TOP, 1, bottom - TOP);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = color("bright");
    context.fillText(fit(context, words(scale.name), 104), scale.x, 14);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = color("muted");
    const label = (value) => (scale.axis ? scale.axis.labels[value] : number(value));
    context.fillText(fit(context, label(scale.high), 96), scale.x, TOP - 6);
    context.fillText(fit(context, label(scale.low), 96), scale.x, HEIGHT - 6);
    if (scale.axis) for (let value = 0; value <= scale.high && scale.high < 40; value++) context.fillRect(scale.x - 3, this.#y(scale, value) - 0.5, 6, 1);
    const range = scale.axis ? filter.values.get(scale.name) && [Math.min(...filter.values.get(scale.name)) - 0.3, Math.max(...filter.values.get(scale.name)) + 0.3] : filter.ranges.get(scale.name);
    if (!range) return;
    const y1 = this.#y(scale, Math.min(scale.high, range[1])), y2 = this.#y(scale, Math.max(scale.low, range[0]));
    context.fillStyle = color("accent");
    context.globalAlpha = 0.25;
    context.fillRect(scale.x - 7, y1, 14, y2 - y1);
    context.globalAlpha = 1;
    context.fillRect(scale.x - 7, y1 - 1, 14, 2);
    context.fillRect(scale.x - 7, y2 - 1, 14, 2);
  }

  #y(scale, value) { return HEIGHT - BOTTOM - (value - scale.low) / (scale.high - scale.low) * (HEIGHT - TOP - BOTTOM); }

  #value(scale, event) {
    const part = (HEIGHT - BOTTOM - (event.clientY - this.box.top)) / (HEIGHT - TOP - BOTTOM);
    return scale.low + Math.max(0, Math.min(1, part)) * (scale.high - scale.low);
  }

  #down(event) {
    this.box = this.canvas.getBoundingClientRect();
    const x = event.clientX - this.box.left;
    const scale = this.scales.find((one) => Math.abs(one.x - x) < 22);
    if (!scale) return;
    this.from = { scale, at: this.#value(scale, event), y: event.clientY };
    this.to = null;
    this.canvas.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.from) {
      const x = event.offsetX;
      this.canvas.style.cursor = this.scales?.some((one) => Math.abs(one.x - x) < 22) ? "ns-resize" : "";
      return;
    }
    if (this.to === null && Math.abs(event.clientY - this.from.y) < 4) return;
    this.to = this.#value(this.from.scale, event);
    this.brush();
  }

  #put({ name, axis }, bounds) {
    const { desk } = this;
    const filter = { ...desk.chosen.filter, ranges: new Map(desk.chosen.filter.ranges), values: new Map(desk.chosen.filter.values) };
    const [low, high] = bounds?.toSorted((a, b) => a - b) ?? [];
    if (axis) {
      const inside = axis.values.flatMap((_, at) => (at >= low - 0.25 && at <= high + 0.25 ? [at] : []));
      if (bounds && inside.length) filter.values.set(name, new Set(inside));
      else filter.values.delete(name);
    } else if (bounds) filter.ranges.set(name, [low, high]);
    else filter.ranges.delete(name);
    desk.arrangeBy({ filter });
  }
}

/** Cut a text so that it is no wider than `width` pixels. */
export function fit(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}
