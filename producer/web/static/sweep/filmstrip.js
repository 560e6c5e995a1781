// The cells in reading order as a strip of small pictures below the loupe.

import { make } from "../lib/dom.js";
import { oncePerFrame } from "../lib/timing.js";
import { CellElement } from "./cell.js";

const EDGE = 84, GAP = 4;

/** A strip that shows the current cell in its middle. */
export class Filmstrip {
  constructor(store, desk) {
    Object.assign(this, { store, desk, slots: [], look: { edge: EDGE, show: "", still: false } });
    this.sheet = make("div", { class: "strip-sheet" });
    this.element = make("div", { class: "filmstrip", tabindex: "0", role: "listbox", "aria-label": "All pictures that are shown" }, this.sheet);
    this.place = oncePerFrame(() => this.#place());
    this.redraw = oncePerFrame(() => { for (const { cell } of this.slots) this.#drawCell(cell); });
    this.element.addEventListener("scroll", this.place, { passive: true });
    this.element.addEventListener("wheel", (event) => {
      if (event.deltaX || event.shiftKey) return;
      event.preventDefault();
      this.element.scrollLeft += event.deltaY;
    }, { passive: false });
    this.element.addEventListener("click", (event) => {
      const index = event.target.closest(".cell")?.cell.index;
      if (index === undefined) return;
      if (event.ctrlKey || event.metaKey) desk.toggle(index);
      else desk.go(index);
    });
    new ResizeObserver(() => this.arranged()).observe(this.element);
  }

  /** Lay the strip out anew, for another arrangement or width. */
  arranged() {
    const { element, sheet, desk } = this;
    const width = element.clientWidth, step = EDGE + GAP;
    if (!width) return;
    this.pad = Math.max(0, (width - EDGE) / 2);
    const number = Math.min(desk.arrangement.sequence.length, Math.ceil(width / step) + 2);
    sheet.style.width = `${desk.arrangement.sequence.length * step - GAP + 2 * this.pad}px`;
    for (const { cell } of this.slots) cell.dropPicture();
    this.slots = Array.from({ length: number }, () => ({ at: -1, cell: new CellElement() }));
    for (const { cell } of this.slots) cell.element.setAttribute("role", "option");
    sheet.replaceChildren(...this.slots.map(({ cell }) => cell.element));
    this.reveal();
  }

  /** Bring the current cell to the middle. */
  reveal() {
    const at = this.desk.arrangement.orderOf(this.desk.current);
    if (at >= 0) this.element.scrollLeft = at * (EDGE + GAP);
    this.#place();
    this.redraw();
  }

  #drawCell(cell) {
    cell.draw(this.store, this.desk, this.look);
    cell.element.removeAttribute("aria-colindex");
  }

  #place() {
    const { slots, element, desk } = this;
    const { sequence } = desk.arrangement;
    if (!slots.length) return;
    const first = Math.max(0, Math.min(sequence.length - slots.length, Math.floor((element.scrollLeft - this.pad) / (EDGE + GAP))));
    for (let at = first; at < first + slots.length; at++) {
      const slot = slots[at % slots.length];
      if (slot.at === at) continue;
      slot.at = at;
      slot.cell.assign(sequence[at] ?? -1, at + 1);
      slot.cell.element.style.left = `${this.pad + at * (EDGE + GAP)}px`;
      this.#drawCell(slot.cell);
    }
  }
}
