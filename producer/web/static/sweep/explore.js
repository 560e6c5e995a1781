// Which parameters matter: parallel coordinates, a scatter of two metrics, importance. Ranges drawn here filter the grid, too.

import { ask, page } from "../lib/api.js";
import { button, choice, make } from "../lib/dom.js";
import { count, many, words } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { onTheme } from "../lib/theme.js";
import { inTurn, oncePerFrame } from "../lib/timing.js";
import { emptyFilter, passing } from "./filter.js";
import { Parallel } from "./parallel.js";
import { Scatter } from "./scatter.js";

/** The view of parameters against metrics. */
export class Explore {
  constructor(store, desk, root) {
    Object.assign(this, { store, desk, root });
    this.parallel = new Parallel(store, desk);
    this.scatter = new Scatter(store, desk);
    this.left = make("span", { class: "muted" });
    this.importance = make("div", { class: "importance" });
    this.axisChoices = make("div", { class: "row" });
    root.append(make("div", { class: "explore-sheet" },
      make("section", { class: "card wide" }, make("header", { class: "row spread" }, make("h2", { text: "Parameters and metrics" }),
        make("span", { class: "row" }, this.left, button("Show these in the grid", () => desk.show("grid")), button("Clear", () => desk.arrangeBy({ filter: emptyFilter() }), { class: "plain" }))),
      make("p", { class: "muted", text: "Drag along an axis to keep only a range of it; click on the axis to let everything through again. The panel of filters does the same by keyboard." }), this.parallel.element),
      make("section", { class: "card" }, make("header", { class: "row spread" }, make("h2", { text: "Two metrics" }), this.axisChoices), this.scatter.element),
      make("section", { class: "card" }, make("header", {}, make("h2", { text: "What each parameter explains" })), this.importance)));
    this.explain = inTurn(() => this.#importance());
    this.draw = oncePerFrame(() => { if (!root.hidden) this.#draw(); });
    for (const event of ["cells", "arranged", "selected"]) desk.on(event, this.draw);
    desk.on("columns", () => {
      this.#choices();
      if (!root.hidden) this.explain().catch(complain);
    });
    onTheme(this.draw);
    new ResizeObserver(this.draw).observe(root);
    this.#choices();
  }

  shownAgain() {
    this.draw();
    this.explain().catch(complain);
  }

  #choices() {
    const names = [...this.store.metrics.map((metric) => metric.name), "loss", ...this.store.axes.filter((axis) => axis.values.length > 1).map((axis) => axis.name)];
    // How much of the content is left against how near the style is; others are often two measures of one thing.
    this.scatter.y ??= names.includes("ssim") ? "ssim" : names[1] ?? names[0];
    this.scatter.x ??= names.find((name) => name !== this.scatter.y) ?? names[0];
    const options = names.map((name) => [name, words(name)]);
    const pick = (side) => (name) => { this.scatter[side] = name; this.draw(); };
    this.axisChoices.replaceChildren(choice("Across", options, this.scatter.x, pick("x")), choice("Up", options, this.scatter.y, pick("y")));
  }

  #draw() {
    const mask = passing(this.store, this.desk.chosen.filter);
    const left = mask.reduce((sum, one) => sum + one, 0);
    this.left.textContent = left === this.store.length ? many(left, "cell") : `${count(left)} of ${many(this.store.length, "cell")}`;
    this.parallel.draw(mask);
    this.scatter.draw(mask);
  }

  async #importance() {
    if (!this.store.metrics.length) return;
    const { metrics, method } = await ask(`/sweeps/${page.sweep}/importance`);
    const parts = Object.entries(metrics).filter(([, shares]) => Object.values(shares).some((share) => share > 0)).map(([metric, shares]) => make("section", {}, make("h3", { text: words(metric) }),
      make("dl", { class: "shares" }, ...Object.entries(shares).filter(([, share]) => share !== null).sort((a, b) => b[1] - a[1]).flatMap(([name, share]) => {
        const part = make("i");
        part.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
        return [make("dt", { text: words(name) }), make("dd", {}, make("span", { class: "share" }, part), make("span", { class: "number", text: `${Math.round(100 * share)} %` }))];
      }))));
    this.importance.replaceChildren(...parts, make("p", { class: "muted", text: parts.length ? METHODS[method] ?? method : "There are no metrics to explain yet." }));
  }
}

const METHODS = {
  eta_squared: "The part of a metric's variance that goes with each parameter alone (eta squared). What is missing to 100 % comes from parameters together, and from chance.",
  ped_anova: "How much each parameter has to do with whether a cell is among the best quarter (PED-ANOVA, by Optuna), since the values of a search are drawn. The parts of a metric add up to 100 %.",
};
