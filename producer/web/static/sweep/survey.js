// All selected pictures at once, as large as they fit.

import { button, make } from "../lib/dom.js";
import { PICK, REJECT, UNRATED } from "./store.js";
import { mayWrite, original, thumb } from "../lib/api.js";
import { oncePerFrame } from "../lib/timing.js";
import { rate } from "./keys.js";
import { ratingBar } from "./rating_bar.js";
import { describe } from "./cell.js";

const MOST = 36, USUAL = 6, GAP = 12, UNDER = 34;

/** The view of several cells side by side, from which one takes away until the best is left. */
export class Survey {
  constructor(store, desk, root, ratings) {
    Object.assign(this, { store, desk, root, ratings, single: true, advances: false, tiles: [], shown: [], taken: null });
    this.sheet = make("div", { class: "survey-sheet" });
    root.append(this.sheet);
    this.draw = oncePerFrame(() => { if (!root.hidden) for (const tile of this.tiles) tile.draw(); });
    for (const event of ["cells", "current"]) desk.on(event, this.draw);
    desk.on("selected", () => { if (!root.hidden) { this.taken = desk.selected.size ? null : this.taken ?? this.shown; this.build(); } });
    new ResizeObserver(() => this.layOut()).observe(root);
  }

  shownAgain() {
    this.taken = this.desk.selected.size > 1 ? null : [...this.proposed()];
    this.build();
  }

  /** Without a selection: the current cell and those after it. */
  proposed() {
    const { sequence } = this.desk.arrangement;
    const from = Math.max(0, Math.min(this.desk.arrangement.orderOf(this.desk.current), sequence.length - USUAL));
    return sequence.subarray(from, from + USUAL);
  }

  targets() { return this.shown.includes(this.desk.current) ? [this.desk.current] : []; }

  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    if (by && !event.ctrlKey && !event.metaKey) {
      const at = this.shown.indexOf(this.desk.current);
      this.desk.go(this.shown[Math.max(0, Math.min(this.shown.length - 1, at + by))]);
      this.tiles[this.shown.indexOf(this.desk.current)]?.element.focus();
    } else if (event.key === "Backspace" || event.key === "Delete") this.without(this.desk.current);
    else return false;
    return true;
  }

  /** Take a picture out of the survey; it keeps its rating. */
  without(index) {
    const at = this.shown.indexOf(index);
    if (at < 0 || this.shown.length < 2) return;
    const next = this.shown[at + 1] ?? this.shown[at - 1];
    this.desk.go(next);
    if (!this.taken) { this.desk.toggle(index); return; }
    this.taken = this.taken.filter((one) => one !== index);
    this.build();
  }

  build() {
    const { desk } = this;
    this.shown = [...this.taken ?? desk.selected].sort((a, b) => desk.arrangement.orderOf(a) - desk.arrangement.orderOf(b)).slice(0, MOST);
    if (!this.shown.includes(desk.current) && this.shown.length) desk.go(this.shown[0]);
    this.tiles = this.shown.map((index) => this.#tile(index));
    const left = this.taken ? 0 : desk.selected.size - this.shown.length;
    this.sheet.replaceChildren(...this.tiles.map((tile) => tile.element));
    if (left > 0) this.sheet.append(make("p", { class: "muted", text: `The first ${MOST} of the ${desk.selected.size} that are selected.` }));
    this.layOut();
    this.draw();
  }

  #tile(index) {
    const { store, desk } = this;
    const small = make("img", { alt: "", decoding: "async", draggable: "false" });
    const bar = ratingBar(store, (rating) => { desk.go(index); rate({ ...this, view: () => this }, rating); });
    const element = make("div", { class: "tile", tabindex: "-1", onclick: () => desk.go(index), ondblclick: () => { desk.go(index); desk.show("loupe"); } },
      make("div", { class: "tile-picture" }, small), make("div", { class: "tile-under" }, make("span", { class: "muted", text: store.nameOf(index), title: store.nameOf(index) }), mayWrite() ? bar.element : null,
        button("Take out (Backspace)", (event) => { event.stopPropagation(); this.without(index); }, { icon: "minus" })));
    let shown = null;
    const draw = () => {
      const hash = store.picture[index];
      if (hash !== shown) {
        shown = hash;
        if (hash) small.src = this.width > 400 ? original(hash) : thumb(hash, 384);
      }
      small.alt = describe(store, index);
      element.classList.toggle("current", index === desk.current);
      element.dataset.flag = { [PICK]: "pick", [REJECT]: "reject" }[store.flag[index]] ?? "";
      element.dataset.stars = store.stars[index] === UNRATED ? "" : store.stars[index];
      bar.draw(index);
    };
    return { element, draw };
  }

  /** Choose the number of columns by which the pictures are largest. */
  layOut() {
    const { clientWidth, clientHeight } = this.root;
    const number = this.tiles.length;
    if (!clientWidth || !number) return;
    const aspect = 0.7;
    let best = [0, 1];
    for (let columns = 1; columns <= number; columns++) {
      const rows = Math.ceil(number / columns);
      const width = (clientWidth - 32 - GAP * (columns - 1)) / columns, height = (clientHeight - 32 - GAP * (rows - 1)) / rows - UNDER;
      const size = Math.min(width, height / aspect);
      if (size > best[0]) best = [size, columns, width, height];
    }
    const fits = best[0] >= 210;
    this.columns = fits ? best[1] : Math.max(1, Math.floor(clientWidth / 280));
    this.width = fits ? best[2] : clientWidth / this.columns;
    this.sheet.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    this.sheet.classList.toggle("fits", fits);
  }
}
