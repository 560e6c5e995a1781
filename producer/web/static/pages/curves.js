// The loss curves of a job by term, drawn by uPlot, which a classic script before this one has put on the window.

import { button, make } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { color, onTheme, theme } from "../lib/theme.js";

const HEIGHT = 300;
// As in the sheets and plots of the command line; darker on white.
const TERMS = { total: ["#0f1116", "#f2f4f8"], content: ["#1a66b8", "#6fb1f5"], style: ["#b65c0c", "#f2a35e"], tv: ["#2e8b61", "#7cc79a"] };
const OTHERS = [["#85519c", "#c79ad9"], ["#8a6d14", "#e5c07b"], ["#b3373d", "#e58a8a"], ["#16797d", "#72c6c9"], ["#56607a", "#a3adc2"], ["#a34a78", "#d98cb3"]];

/** The chart of one job, over which the totals of others can be laid. */
export class Curves {
  constructor() {
    this.logarithmic = true;
    this.others = [];
    this.box = make("div", { class: "plot" });
    this.none = make("p", { class: "muted", text: "No loss has been measured yet." });
    this.scale = button("Logarithmic", () => { this.logarithmic = !this.logarithmic; this.build(); }, { "aria-pressed": "true" });
    this.choices = make("span", { class: "row" });
    this.element = make("div", {}, make("header", { class: "row spread" }, make("h2", { text: "Loss" }), make("span", { class: "row" }, this.choices, this.scale)), this.none, this.box);
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: HEIGHT })).observe(this.box);
    onTheme(() => this.build());
  }

  draw(losses) {
    // What has not gone on is not drawn anew: somebody may be reading it.
    if (this.losses?.iteration.at(-1) === losses.iteration.at(-1)) return;
    const goesOn = this.plot && losses.iteration.length && String(this.losses.terms) === String(losses.terms);
    this.losses = losses;
    if (goesOn) this.#goOn();
    else this.build();
  }

  /** Lay the totals of other jobs over this one's: `{name, losses}` each. */
  overlay(others) {
    this.others = others;
    this.build();
  }

  build() {
    const { losses } = this;
    this.plot?.destroy();
    this.plot = null;
    this.none.hidden = Boolean(losses?.iteration.length);
    this.box.hidden = !this.none.hidden;
    this.scale.setAttribute("aria-pressed", this.logarithmic);
    if (!losses?.iteration.length) return;
    const curves = this.#curves();
    const axis = { stroke: color("muted"), grid: { stroke: color("rule"), width: 1 }, ticks: { stroke: color("rule"), width: 1 }, font: "11px system-ui, sans-serif" };
    this.plot = new window.uPlot({
      width: this.box.clientWidth, height: HEIGHT, cursor: { y: false },
      scales: { x: { time: false }, y: { distr: this.logarithmic ? 3 : 1 } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : String(tick))) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : tick >= 1e5 || tick < 1e-3 ? tick.toExponential(0).replace("e+", "e") : number(tick))) }],
      series: [{ label: "iteration", value: (_, one) => one ?? "–" }, ...curves.map(({ label, stroke, width, dash }) => ({ label, stroke, width, dash, spanGaps: true, points: { show: false }, value: (_, one) => (one === null ? "–" : number(one)) }))],
    }, this.#columns(curves), this.box);
  }

  // What was zoomed to, and which terms are hidden, stays.
  #goOn() {
    const { min, max } = this.plot.scales.x, [xs] = this.plot.data;
    const zoomed = min > xs[0] || max < xs.at(-1);
    this.plot.setData(this.#columns(this.#curves()), !zoomed);
    if (zoomed) this.plot.redraw();
  }

  #curves() {
    const { losses, others } = this, dark = theme() === "dark" ? 1 : 0;
    let free = 0;
    const own = losses.terms.map((term) => ({ label: term, stroke: (TERMS[term] ?? OTHERS[free++ % OTHERS.length])[dark], width: term === "total" ? 2 : 1.25, data: losses.values[term], iteration: losses.iteration }));
    const theirs = others.map(({ name, losses: one }, at) => ({ label: name, stroke: OTHERS[at % OTHERS.length][dark], width: 1, dash: [5, 4], data: one.values.total, iteration: one.iteration }));
    return [...own, ...theirs];
  }

  // The iterations of all, and the values of each curve at them.
  #columns(curves) {
    const xs = [...new Set(curves.flatMap((curve) => curve.iteration))].sort((a, b) => a - b);
    return [xs, ...curves.map((curve) => {
      const known = new Map(curve.iteration.map((iteration, at) => [iteration, curve.data[at]]));
      return xs.map((x) => { const y = known.get(x); return y === undefined || (this.logarithmic && !(y > 0)) ? null : y; });
    })];
  }
}
