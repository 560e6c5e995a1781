// Pictures beside or over each other, zoomed in step.

import { mayWrite, page } from "../lib/api.js";
import { button, choice, make } from "../lib/dom.js";
import { count, words } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { oncePerFrame } from "../lib/timing.js";
import { describe } from "./cell.js";
import { rate } from "./keys.js";
import { sharedZoom } from "./loupe.js";
import { ratingBar } from "./rating_bar.js";
import { Overlay } from "./overlay.js";
import { snapshotsOf } from "./snapshots.js";
import { ZoomedPicture } from "./zoom.js";

const NUMBERS = [2, 4, 9];
const MODES = [["", "Side by side"], ["slider", "Slider"], ["blink", "Blink"], ["difference", "Difference"]];

/** The view of 2, 4 or 9 cells. */
export class Compare {
  constructor(store, desk, root, ratings) {
    Object.assign(this, { store, desk, root, ratings, single: true, advances: false, panes: [], cells: [], number: 2, iteration: null, snapshots: new Map() });
    this.sheet = make("div", { class: "panes" });
    this.overlay = new Overlay(sharedZoom);
    this.counts = make("span", { class: "tabs", role: "group", "aria-label": "How many" }, ...NUMBERS.map((number) => button(String(number), () => this.setNumber(number), { "aria-label": `${number} pictures` })));
    this.modes = choice("", MODES, "", (mode) => desk.lookBy({ mode: mode || null }), { "aria-label": "How the two are compared" });
    this.slider = make("input", { type: "range", min: 0, "aria-label": "Iteration of all", oninput: (event) => this.showStep(Number(event.target.value)) });
    this.time = make("output", { class: "muted" });
    this.times = make("div", { class: "times", hidden: true }, this.slider, this.time);
    this.zoomed = button("1:1", () => sharedZoom.toggle(), { title: "1:1, or the whole (Z)" });
    root.append(make("div", { class: "compare-bar" }, this.counts, this.modes, this.times,
      button("Snapshots in step", () => this.stepBy(-1), { class: "in-step", hidden: page.read_only }), make("span", { class: "row ends" }, this.zoomed)), this.sheet, this.overlay.element);
    sharedZoom.listeners.add(() => this.zoomed.setAttribute("aria-pressed", sharedZoom.scale !== null));
    this.draw = oncePerFrame(() => { if (!root.hidden) this.#draw(); });
    for (const event of ["cells", "current"]) desk.on(event, this.draw);
    desk.on("look", () => { if (!root.hidden) { this.#mode(); this.#draw(); } });
    desk.on("selected", () => { if (!root.hidden) this.choose(); });
  }

  shownAgain() {
    if (this.desk.selected.size > 2) this.number = NUMBERS.find((number) => number >= this.desk.selected.size) ?? 9;
    this.choose();
    if (document.activeElement?.closest("[role=grid]")) document.activeElement.blur();
  }

  leave() { this.overlay.stop(); }

  targets() { return this.cells.includes(this.desk.current) ? [this.desk.current] : []; }

  setNumber(number) {
    this.number = number;
    this.choose();
  }

  /** Take the selected cells, and where these are too few the current one and those after it. */
  choose() {
    const { desk } = this, { sequence } = desk.arrangement;
    const chosen = [...desk.selected].sort((a, b) => desk.arrangement.orderOf(a) - desk.arrangement.orderOf(b)).slice(0, this.number);
    const from = Math.max(0, desk.arrangement.orderOf(desk.current));
    for (let at = 0; at < sequence.length && chosen.length < this.number; at++) {
      const index = sequence[(from + at) % sequence.length];
      if (!chosen.includes(index)) chosen.push(index);
    }
    this.cells = chosen;
    if (chosen.length && !chosen.includes(desk.current)) desk.go(chosen[0]);
    this.iteration = null;
    this.snapshots.clear();
    this.times.hidden = true;
    this.root.querySelector(".in-step").hidden = page.read_only;
    this.build();
  }

  build() {
    for (const pane of this.panes) pane.picture.end();
    this.panes = this.cells.map((_, at) => this.#pane(at));
    this.sheet.replaceChildren(...this.panes.map((pane) => pane.element));
    this.sheet.dataset.number = this.cells.length <= 2 ? 2 : this.cells.length <= 4 ? 4 : 9;
    this.#mode();
    this.#draw();
  }

  #pane(at) {
    const picture = new ZoomedPicture(sharedZoom);
    const caption = make("div", { class: "caption" });
    const bar = ratingBar(this.store, (rating) => { this.desk.go(this.cells[at]); rate({ desk: this.desk, ratings: this.ratings, view: () => this }, rating); });
    const element = make("figure", { class: "pane", onpointerdown: () => this.desk.go(this.cells[at]) }, picture.element,
      make("figcaption", {}, caption, mayWrite() ? bar.element : null));
    return { picture, caption, bar, element };
  }

  #mode() {
    const two = this.cells.length === 2;
    const mode = two ? this.desk.chosen.mode ?? "" : "";
    this.modes.hidden = !two;
    this.modes.querySelector("select").value = mode;
    this.sheet.classList.toggle("captions-only", mode !== "");
    this.overlay.setMode(mode);
  }

  #draw() {
    const { store, cells } = this;
    const differing = store.axes.flatMap((_, axis) => (cells.some((index) => store.at[axis][index] !== store.at[axis][cells[0]]) ? [axis] : []));
    this.panes.forEach((pane, at) => {
      const index = cells[at];
      pane.picture.show(this.#hash(index), describe(store, index), index === pane.index);
      pane.index = index;
      pane.element.classList.toggle("current", index === this.desk.current);
      pane.element.dataset.flag = store.flag[index];
      pane.caption.replaceChildren(...(differing.length ? differing : []).map((axis) => make("span", { class: "differs" }, make("small", { text: words(store.axes[axis].name) }), ` ${store.labelAt(axis, index) ?? "–"}`)));
      if (!differing.length) pane.caption.textContent = store.nameOf(index);
      pane.bar.draw(index);
    });
    if (cells.length === 2) this.overlay.show(...cells.map((index) => this.#hash(index)), ...cells.map((index) => store.nameOf(index)));
    [...this.counts.children].forEach((one, at) => {
      if (NUMBERS[at] === this.number) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    });
  }

  // The newest snapshot that is not younger than the iteration that all are shown at.
  #hash(index) {
    if (this.iteration === null) return this.store.picture[index];
    const before = (this.snapshots.get(index) ?? []).filter(({ iteration }) => iteration <= this.iteration);
    return before.at(-1)?.sha256 ?? this.snapshots.get(index)?.[0]?.sha256 ?? this.store.picture[index];
  }

  async stepBy(by) {
    if (page.read_only) return;
    const { cells } = this;
    try {
      await Promise.all(cells.filter((index) => !this.snapshots.has(index)).map(async (index) => {
        const snapshots = await snapshotsOf(this.store, index);
        if (cells === this.cells) this.snapshots.set(index, snapshots);
      }));
    } catch (error) { complain(error); return; }
    // Others have been chosen meanwhile.
    if (cells !== this.cells) return;
    this.iterations = [...new Set([...this.snapshots.values()].flat().map(({ iteration }) => iteration))].sort((a, b) => a - b);
    const last = this.iterations.length;
    const now = this.iteration === null ? last : this.iterations.indexOf(this.iteration);
    this.times.hidden = !last;
    this.root.querySelector(".in-step").hidden = last > 0;
    if (last) this.showStep(Math.max(0, Math.min(last, now + by)));
  }

  showStep(step) {
    this.iteration = this.iterations[step] ?? null;
    this.slider.max = this.iterations.length;
    this.slider.value = step;
    this.time.textContent = this.iteration === null ? "newest" : `iteration ${count(this.iteration)}`;
    this.#draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { key } = event, at = this.cells.indexOf(this.desk.current);
    const mode = (name) => this.desk.lookBy({ mode: this.desk.chosen.mode === name ? null : name });
    if (key === "ArrowRight" || key === "ArrowLeft") this.desk.go(this.cells[(at + (key === "ArrowRight" ? 1 : -1) + this.cells.length) % this.cells.length]);
    else if (key === "ArrowDown" || key === "ArrowUp") this.#exchange(at, key === "ArrowDown" ? 1 : -1);
    else if (key === "z" || key === "Z") sharedZoom.toggle();
    else if (key === "+" || key === "=") this.panes[0]?.picture.by(1.25);
    else if (key === "-") this.panes[0]?.picture.by(0.8);
    else if (key === "[" || key === "]") this.stepBy(key === "]" ? 1 : -1);
    else if (key === "b") mode("blink");
    else if (key === "d") mode("difference");
    else if (key === "s") mode("slider");
    else return false;
    return true;
  }

  // Another picture takes the place of the current one.
  #exchange(at, by) {
    const { desk, cells } = this;
    let next = desk.arrangement.step(desk.current, by);
    while (cells.includes(next) && desk.arrangement.step(next, by) !== next) next = desk.arrangement.step(next, by);
    if (at < 0 || cells.includes(next)) return;
    cells[at] = next;
    desk.go(next);
    this.#draw();
    if (this.iteration !== null) this.stepBy(0);
  }
}
