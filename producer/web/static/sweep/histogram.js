// A small histogram of a column, on which a range is drawn.

import { make } from "../lib/dom.js";
import { color, onTheme } from "../lib/theme.js";
import { oncePerFrame } from "../lib/timing.js";

const BINS = 40, HEIGHT = 36;

/**
 * Return `{element, draw(mask, bounds), least, most}`; `onRange(low, high)` is told what was drawn, a click clears it.
 * @param {string} name of a column of the store
 */
export function histogram(store, name, onRange) {
  const canvas = make("canvas", { class: "histogram", "aria-hidden": "true" });
  const plot = { element: canvas, least: NaN, most: NaN, draw };
  let bins = new Int32Array(BINS), range = [-Infinity, Infinity], from = null, to = null, box = null;
  const put = () => onRange(...[from[1], to].sort((a, b) => a - b));
  const brush = oncePerFrame(() => { if (from && to !== null) put(); });

  function draw(mask, bounds) {
    const column = store.column(name);
    range = bounds;
    let least = Infinity, most = -Infinity;
    for (let i = 0; i < store.length; i++) {
      if (column[i] < least) least = column[i];
      if (column[i] > most) most = column[i];
    }
    Object.assign(plot, { least, most });
    if (!(most > least)) return false;
    bins = new Int32Array(BINS);
    for (let i = 0; i < mask.length; i++) if (mask[i] && column[i] === column[i]) bins[Math.min(BINS - 1, Math.floor((column[i] - least) / (most - least) * BINS))] += 1;
    requestAnimationFrame(paint);
    return true;
  }
  function paint() {
    const width = canvas.clientWidth, ratio = devicePixelRatio;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const highest = Math.max(1, ...bins), step = width / BINS;
    const inside = color("accent"), outside = color("rule");
    for (let bin = 0; bin < BINS; bin++) {
      const middle = plot.least + (bin + 0.5) / BINS * (plot.most - plot.least);
      // The root, so that bins of few cells are seen beside those of many.
      const height = bins[bin] ? Math.max(2, Math.sqrt(bins[bin] / highest) * (HEIGHT - 2)) : 0;
      context.fillStyle = middle >= range[0] && middle <= range[1] ? inside : outside;
      context.fillRect(bin * step, HEIGHT - height, step - 1, height);
    }
  }
  const valueAt = (event) => {
    const { left, width } = box;
    return plot.least + Math.max(0, Math.min(1, (event.clientX - left) / width)) * (plot.most - plot.least);
  };
  canvas.addEventListener("pointerdown", (event) => {
    box = canvas.getBoundingClientRect();
    from = [event.clientX, valueAt(event)];
    to = null;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || Math.abs(event.clientX - from[0]) < 3) return;
    to = valueAt(event);
    brush();
  });
  canvas.addEventListener("pointerup", (event) => {
    // A pointer is faster than frames are.
    if (from && to !== null) put();
    else if (from) onRange(-Infinity, Infinity);
    from = null;
  });
  onTheme(paint);
  return plot;
}
