// The filters beside the views. Each choice says how many cells it would leave.

import { button, make, renew } from "../lib/dom.js";
import { count, number, words } from "../lib/format.js";
import { afterFrame } from "../lib/timing.js";
import { emptyFilter, filterSize, passing, starName } from "./filter.js";
import { histogram } from "./histogram.js";
import { savedViews } from "./saved_views.js";
import { flagName } from "./store.js";

/** The panel of filters. */
export class Panel {
  constructor(store, desk, root, onClose) {
    Object.assign(this, { store, desk, root, onClose });
    this.clear = button("Clear all", () => desk.arrangeBy({ filter: emptyFilter() }), { class: "plain" });
    this.build();
    desk.on("columns", () => { this.build(); this.draw(); });
    // The cells come first: they are what one looks at while drawing a range.
    const soon = (pause) => { this.later ??= setTimeout(() => { this.later = null; this.draw(); }, pause); };
    desk.on("arranged", afterFrame(() => soon(80)));
    desk.on("cells", () => soon(1000));
  }

  /** Make a group for each thing that can be filtered by. */
  build() {
    const { store, desk, root } = this;
    this.groups = [
      this.#chips("Stars", "stars", ["none", "0", "1", "2", "3", "4", "5"], (name) => (name === "none" ? "unrated" : `${name} ★`), (i) => starName(store.stars[i])),
      this.#chips("Flag", "flags", ["pick", "reject", "none"], (name) => ({ pick: "picked", reject: "rejected", none: "no flag" })[name], (i) => flagName(store.flag[i]) ?? "none"),
      this.#chips("State", "states", store.states, (name) => name, (i) => store.states[store.state[i]]),
      ...store.metrics.map((metric) => this.#range(metric.name, metric.description)),
      this.#range("loss", "The loss at the newest iteration"),
      ...store.axes.flatMap((axis, at) => (axis.values.length > 1 ? [this.#values(axis, at)] : [])),
    ];
    root.replaceChildren(make("header", { class: "row spread" }, make("h2", { text: "Filters" }),
      make("span", { class: "row" }, this.clear, button("Close the filters", this.onClose, { icon: "close" }))),
    ...this.groups.map((group) => group.element), savedViews(desk));
  }

  draw() {
    if (this.root.hidden) return;
    this.clear.disabled = !filterSize(this.desk.chosen.filter);
    for (const group of this.groups) group.draw();
  }

  #set(change) {
    const filter = { ...this.desk.chosen.filter };
    change(filter);
    this.desk.arrangeBy({ filter });
  }

  #group(title, ...inside) {
    return make("fieldset", { class: "group" }, make("legend", { text: title }), ...inside);
  }

  // Buttons that are pressed or not; nothing pressed means all.
  #chips(title, key, names, label, nameOf) {
    const chips = new Map(names.map((name) => [name, button("", () => this.#set((filter) => { filter[key] = turned(filter[key], name); }), { class: "chip" })]));
    const box = make("div", { class: "chips" }, ...chips.values());
    const draw = () => {
      const mask = passing(this.store, this.desk.chosen.filter, key);
      const found = new Map();
      for (let i = 0; i < mask.length; i++) if (mask[i]) found.set(nameOf(i), (found.get(nameOf(i)) ?? 0) + 1);
      for (const [name, chip] of chips) {
        const pressed = this.desk.chosen.filter[key].has(name);
        chip.setAttribute("aria-pressed", pressed);
        chip.hidden = key === "states" && !found.get(name) && !pressed;
        fill(chip, label(name), found.get(name) ?? 0);
      }
    };
    return { element: this.#group(title, box), draw };
  }

  #values(axis, at) {
    const chips = axis.values.map((_, value) => button("", () => this.#set((filter) => {
      const wanted = turned(filter.values.get(axis.name) ?? new Set(), value);
      filter.values = new Map(filter.values);
      if (wanted.size) filter.values.set(axis.name, wanted);
      else filter.values.delete(axis.name);
    }), { class: "chip" }));
    const draw = () => {
      const mask = passing(this.store, this.desk.chosen.filter, axis.name);
      const found = new Int32Array(chips.length);
      for (let i = 0; i < mask.length; i++) if (mask[i] && this.store.at[at][i] >= 0) found[this.store.at[at][i]] += 1;
      chips.forEach((chip, value) => {
        chip.setAttribute("aria-pressed", this.desk.chosen.filter.values.get(axis.name)?.has(value) ?? false);
        fill(chip, axis.labels[value], found[value]);
      });
    };
    const element = this.#group(words(axis.name), make("div", { class: axis.values.length > 40 ? "chips tall" : "chips" }, ...chips));
    return { element, draw };
  }

  #range(name, description) {
    const put = (low, high) => this.#set((filter) => {
      filter.ranges = new Map(filter.ranges);
      if (low === -Infinity && high === Infinity) filter.ranges.delete(name);
      else filter.ranges.set(name, [low, high]);
    });
    const field = (label, at, open) => make("input", { type: "number", step: "any", placeholder: label, "aria-label": `${words(name)}, ${label}`, onchange: (event) => {
      const bounds = [...(this.desk.chosen.filter.ranges.get(name) ?? [-Infinity, Infinity])];
      bounds[at] = event.target.value === "" ? open : Number(event.target.value);
      put(...bounds);
    } });
    const low = field("least", 0, -Infinity), high = field("most", 1, Infinity);
    const plot = histogram(this.store, name, put);
    const element = this.#group(words(name), plot.element, make("div", { class: "bounds" }, low, high));
    element.title = description;
    const draw = () => {
      const bounds = this.desk.chosen.filter.ranges.get(name) ?? [-Infinity, Infinity];
      element.hidden = !plot.draw(passing(this.store, this.desk.chosen.filter, name), bounds);
      const { least, most } = plot;
      low.placeholder = number(least);
      high.placeholder = number(most);
      if (document.activeElement !== low) low.value = Number.isFinite(bounds[0]) ? +bounds[0].toPrecision(4) : "";
      if (document.activeElement !== high) high.value = Number.isFinite(bounds[1]) ? +bounds[1].toPrecision(4) : "";
    };
    return { element, draw };
  }
}

function turned(set, name) {
  const now = new Set(set);
  if (!now.delete(name)) now.add(name);
  return now;
}

function fill(chip, label, found) {
  renew(chip, make("span", { text: label }), make("small", { text: count(found) }));
  chip.classList.toggle("none", found === 0);
}
