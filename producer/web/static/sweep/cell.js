// One cell of the grid: an element that is used again for another cell when it is scrolled away.

import { make } from "../lib/dom.js";
import { count, number } from "../lib/format.js";
import { dropped, load, loaded } from "./loading.js";
import { PICK, REJECT, UNRATED } from "./store.js";

/** The element of one cell. `index` is the cell it shows, or -1. */
export class CellElement {
  constructor() {
    this.index = -1;
    this.hash = null;
    this.image = make("img", { alt: "", decoding: "async", draggable: "false" });
    this.words = make("span", { class: "words" });
    this.meter = make("i");
    this.marks = make("span", { class: "marks" });
    this.value = make("span", { class: "value" });
    this.element = make("div", { class: "cell", role: "gridcell", tabindex: "-1", hidden: true },
      make("div", { class: "shot" }, this.image, this.words, make("span", { class: "meter" }, this.meter)),
      make("div", { class: "under" }, this.marks, this.value));
    this.element.cell = this;
    this.image.addEventListener("load", () => { loaded(this); this.element.classList.add("seen"); });
    // A thumbnail that cannot be had is as good as none; the next change of the cell tries again.
    this.image.addEventListener("error", () => {
      if (!loaded(this)) return;
      this.dropPicture();
      this.words.textContent = "picture not found";
    });
  }

  /** Show another cell, or none for -1; its picture comes with `draw`. */
  assign(index, column) {
    if (index === this.index) return;
    this.index = index;
    this.element.hidden = index < 0;
    this.element.setAttribute("aria-colindex", column);
    this.dropPicture();
  }

  /** Forget the picture, which ends its download. */
  dropPicture() {
    if (this.hash === null) return;
    dropped(this);
    this.hash = null;
    this.image.removeAttribute("src");
    this.element.classList.remove("seen");
  }

  /** Bring the element up to date. `look` has edge (px), show (a column's name), still (it scrolls too fast to read). */
  draw(store, desk, look) {
    const { index, element } = this;
    if (index < 0) return;
    const state = store.states[store.state[index]];
    if (look.still) {
      this.#blank();
      return;
    }
    const hash = store.picture[index];
    if (hash === null) this.dropPicture();
    else this.load(hash, look.edge);
    const stars = store.stars[index], flag = store.flag[index];
    element.dataset.state = state;
    set(element, "flag", flag === PICK ? "pick" : flag === REJECT ? "reject" : "");
    element.classList.toggle("current", index === desk.current);
    element.classList.toggle("chosen", desk.selected.has(index));
    element.setAttribute("aria-selected", desk.selected.has(index));
    const running = state === "running";
    if (running) this.meter.style.width = `${100 * store.iteration[index] / Math.max(1, store.iterations[index])}%`;
    text(this.words, hash === null ? stateWords(store, index, state) : state === "failed" ? "failed" : "");
    text(this.marks, (flag === PICK ? "⚑ " : flag === REJECT ? "✕ " : "") + (stars === UNRATED ? "" : stars === 0 ? "0 ★" : "★".repeat(stars)));
    text(this.value, look.show ? shown(store, look.show, index) : running ? `${count(store.iteration[index])} / ${count(store.iterations[index])}` : "");
    element.setAttribute("aria-label", describe(store, index));
  }

  // While cells fly by nobody reads them.
  #blank() {
    for (const part of [this.words, this.marks, this.value]) text(part, "");
    this.element.classList.remove("current", "chosen");
    delete this.element.dataset.flag;
    this.element.dataset.state = "";
  }

  /** Load a picture; the one before stays until the new one is there, so that nothing flickers. */
  load(hash, edge) {
    if (hash === this.hash) return;
    this.hash = hash;
    this.edge = edge;
    load(this);
  }
}

/** Return a cell in a sentence, for a screen reader. */
export function describe(store, index) {
  const stars = store.stars[index], flag = store.flag[index];
  const state = store.states[store.state[index]];
  return [store.nameOf(index), state === "running" ? `running, ${store.iteration[index]} of ${store.iterations[index]}` : state,
    stars === UNRATED ? "unrated" : `${stars} stars`, flag === PICK ? "picked" : flag === REJECT ? "rejected" : ""].filter(Boolean).join(", ");
}

function stateWords(store, index, state) {
  return state === "failed" && store.error[index] ? store.error[index] : state;
}

function shown(store, name, index) {
  const axis = store.axes.findIndex((one) => one.name === name);
  if (axis >= 0) return store.labelAt(axis, index) ?? "–";
  if (name === "stars") return "";
  const column = store.column(name);
  return column ? number(column[index]) : "";
}

function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function set(element, name, value) {
  if ((element.dataset[name] ?? "") === value) return;
  if (value) element.dataset[name] = value;
  else delete element.dataset[name];
}
