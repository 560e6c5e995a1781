// The grid: only the cells that are seen have elements, and these are used again in turn while it scrolls.

import { thumb } from "../lib/api.js";
import { make } from "../lib/dom.js";
import { words } from "../lib/format.js";
import { oncePerFrame } from "../lib/timing.js";
import { CellElement } from "./cell.js";
import { gridKey } from "./grid_keys.js";
import { gridPointer } from "./grid_pointer.js";
import { gridSizes } from "./grid_sizes.js";

// Of more cells a second nobody sees anything.
const TOO_MANY = 150;

/** The view of all cells. */
export class Grid {
  constructor(store, desk, root) {
    Object.assign(this, { store, desk, root, pool: [], heads: [], aspect: 0.75, fast: false });
    this.sheet = make("div", { class: "sheet" });
    this.strip = make("div", { class: "strip", role: "row", "aria-rowindex": "1" });
    this.corner = make("div", { class: "corner" });
    this.empty = make("p", { class: "empty", hidden: true });
    root.append(this.empty, this.sheet);
    this.schedule = oncePerFrame(() => this.place());
    this.redraw = oncePerFrame(() => this.drawAll());
    root.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => { if (!root.hidden) this.measure(); }).observe(root);
    desk.on("arranged", () => this.arranged());
    desk.on("look", () => { if (desk.chosen.size !== this.size || this.show !== this.shown()) this.measure(); });
    desk.on("cells", (change) => { if (!root.hidden) this.changed(change); });
    desk.on("selected", this.redraw);
    // Pictures that could not be had while the farm was away are asked for again.
    desk.on("feed", ({ state }) => {
      if (state === "live" && this.away) this.redraw();
      this.away = state !== "live";
    });
    desk.on("current", ({ before, quiet }) => this.moved(before, quiet));
    gridPointer(this);
  }

  /** A key that only the grid knows; returns whether it was one. */
  key(event) { return gridKey(this, event); }

  shownAgain() {
    this.measure();
    if (this.desk.current >= 0) this.reveal(this.desk.current);
    // The page does not take the focus by being loaded.
    if (this.shownBefore) this.focusCurrent();
    this.shownBefore = true;
  }

  /** The column whose value is written below each picture. */
  shown() { return this.desk.chosen.sort.replace(/^-/, ""); }

  arranged() {
    this.measure();
    const place = this.desk.current >= 0 ? this.desk.arrangement.placeOf(this.desk.current) : null;
    if (place) this.reveal(this.desk.current);
    else if (this.lastTop || this.lastLeft) this.root.scrollTo(0, 0);
  }

  /** Work out sizes; builds the elements anew only if another number of them is needed. */
  measure() {
    const { root, desk } = this, { arrangement } = desk;
    if (!arrangement || root.hidden) return;
    const width = root.clientWidth, height = root.clientHeight;
    if (!width || !height) return;
    this.show = this.shown();
    this.size = desk.chosen.size;
    Object.assign(this, gridSizes(arrangement, this.store.axes, { width, height }, this.size, this.aspect));
    this.look = { edge: this.cellWidth, show: this.show, still: false };
    this.layOut();
  }

  layOut() {
    const { arrangement } = this.desk;
    const sizes = { "--cell-width": this.cellWidth, "--cell-height": this.cellHeight, "--under": this.under, "--head-width": this.headWidth, "--head-height": this.headHeight };
    for (const [name, pixels] of Object.entries(sizes)) {
      // Setting a property that all cells use lays all of them out again.
      if (this.sizes?.[name] !== pixels) this.root.style.setProperty(name, `${pixels}px`);
    }
    this.sizes = sizes;
    this.sheet.style.width = `${this.headWidth + arrangement.columns * this.stepX + 8}px`;
    this.sheet.style.height = `${this.headHeight + arrangement.rows * this.stepY + 16}px`;
    this.root.classList.toggle("table", arrangement.kind === "table");
    this.root.classList.toggle("small", this.under === 0);
    this.root.setAttribute("aria-rowcount", arrangement.rows + 1);
    this.root.setAttribute("aria-colcount", arrangement.columns + 1);
    this.empty.hidden = arrangement.sequence.length > 0;
    this.empty.textContent = this.store.length ? "No cell passes the filter." : "This sweep has no cells yet.";
    this.sheet.hidden = !this.empty.hidden;
    const focused = this.root.contains(document.activeElement);
    if (this.pool.length !== this.seenRows || this.pool[0]?.cells.length !== this.seenColumns) this.build();
    for (const row of this.pool) row.row = -1;
    this.drawHeads();
    this.place();
    if (focused) this.focusCurrent();
  }

  build() {
    // Pictures of elements that go are not waited for.
    for (const { cells } of this.pool) for (const cell of cells) cell.dropPicture();
    this.pool = Array.from({ length: this.seenRows }, () => {
      const head = make("div", { class: "head", role: "rowheader" });
      const element = make("div", { class: "line", role: "row" }, head);
      const cells = Array.from({ length: this.seenColumns }, () => new CellElement());
      element.append(...cells.map((cell) => cell.element));
      return { row: -1, element, head, cells, at: new Int32Array(this.seenColumns).fill(-1) };
    });
    this.sheet.replaceChildren(this.strip, ...this.pool.map((row) => row.element));
  }

  /** Give each element its cell. An element of row r and column c is always number r modulo the rows that are seen, so most stay. */
  place() {
    const { root, desk, pool } = this, { arrangement } = desk;
    if (root.hidden || !arrangement || !pool.length) return;
    const rows = pool.length, columns = this.seenColumns;
    const firstRow = clamp(Math.floor(root.scrollTop / this.stepY) - 1, 0, arrangement.rows - rows);
    const firstColumn = clamp(Math.floor(root.scrollLeft / this.stepX) - 1, 0, arrangement.columns - columns);
    this.look.still = this.fast;
    for (let column = firstColumn; column < firstColumn + columns; column++) this.placeHead(column);
    for (let row = firstRow; row < firstRow + rows; row++) {
      const slot = pool[row % rows];
      if (slot.row !== row) {
        slot.row = row;
        slot.element.style.transform = `translateY(${this.headHeight + row * this.stepY}px)`;
        slot.element.setAttribute("aria-rowindex", row + 2);
        slot.at.fill(-1);
        this.drawHead(slot.head, arrangement.rowAxis, row);
      }
      for (let column = firstColumn; column < firstColumn + columns; column++) {
        const number = column % columns;
        if (slot.at[number] === column) continue;
        slot.at[number] = column;
        const cell = slot.cells[number];
        const index = arrangement.at(row, column);
        if (index !== cell.index) this.keepFocus(cell);
        cell.assign(index, column + 2);
        cell.element.style.left = `${this.headWidth + column * this.stepX}px`;
        this.drawCell(cell);
      }
    }
    this.stopAtOne();
  }

  /** The tab key stops at the current cell, or at the whole grid while that cell is out of sight. */
  stopAtOne() {
    this.root.tabIndex = this.elementOf(this.desk.current) ? -1 : 0;
  }

  drawCell(cell) {
    cell.draw(this.store, this.desk, this.look);
    cell.element.tabIndex = cell.index === this.desk.current && cell.index >= 0 ? 0 : -1;
  }

  drawAll() {
    if (this.root.hidden) return;
    this.look.still = this.fast;
    for (const { cells } of this.pool) for (const cell of cells) this.drawCell(cell);
    this.stopAtOne();
  }

  // The focus does not wander to another cell with its element.
  keepFocus(cell) {
    if (cell.index >= 0 && document.activeElement === cell.element) {
      this.root.tabIndex = 0;
      this.root.focus({ preventScroll: true });
    }
  }

  changed({ changed, added }) {
    if (added.length || changed.length > 50) { this.redraw(); return; }
    for (const index of changed) {
      const cell = this.elementOf(index);
      if (cell) this.drawCell(cell);
    }
  }

  /** While it scrolls faster than one can see, cells are blank and no pictures are asked for. */
  scrolled() {
    const now = performance.now(), top = this.root.scrollTop, left = this.root.scrollLeft;
    const speed = (Math.abs(top - (this.lastTop ?? top)) + Math.abs(left - (this.lastLeft ?? left))) / Math.max(1, now - (this.lastTime ?? 0));
    const cells = 1000 * speed / this.stepY * this.seenColumns;
    Object.assign(this, { lastTop: top, lastLeft: left, lastTime: now, fast: cells > TOO_MANY });
    this.schedule();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => { this.fast = false; this.redraw(); }, 90);
  }

  /** Return the element of a cell, or null where it is not in sight. */
  elementOf(index) {
    const place = index >= 0 ? this.desk.arrangement?.placeOf(index) : null;
    if (!place || !this.pool.length) return null;
    const cell = this.pool[place[0] % this.pool.length].cells[place[1] % this.seenColumns];
    return cell.index === index ? cell : null;
  }

  moved(before, quiet) {
    if (this.root.hidden) return;
    const had = this.root.contains(document.activeElement) || document.activeElement === document.body;
    if (!quiet) this.reveal(this.desk.current);
    for (const index of [before, this.desk.current]) {
      const cell = this.elementOf(index);
      if (cell) this.drawCell(cell);
    }
    this.stopAtOne();
    if (had) this.focusCurrent();
  }

  focusCurrent() {
    const cell = this.elementOf(this.desk.current);
    (cell?.element ?? this.root).focus({ preventScroll: true });
  }

  /** Scroll as little as needed to see a cell. */
  reveal(index) {
    const place = this.desk.arrangement.placeOf(index);
    if (!place) return;
    const { root } = this;
    const top = place[0] * this.stepY, left = place[1] * this.stepX;
    const height = root.clientHeight - this.headHeight - 8, width = root.clientWidth - this.headWidth - 8;
    if (top < root.scrollTop) root.scrollTop = top;
    else if (top + this.stepY > root.scrollTop + height) root.scrollTop = top + this.stepY - height;
    if (left < root.scrollLeft) root.scrollLeft = left;
    else if (left + this.stepX > root.scrollLeft + width) root.scrollLeft = left + this.stepX - width;
    this.place();
  }

  drawHeads() {
    const { arrangement } = this.desk;
    const axis = arrangement.axes?.[arrangement.columnAxis], rowAxis = arrangement.axes?.[arrangement.rowAxis];
    this.strip.hidden = arrangement.kind !== "table";
    if (this.strip.hidden) return;
    this.corner.replaceChildren(...[axis && make("span", { text: `${words(axis.name)} →` }), rowAxis && make("span", { text: `${words(rowAxis.name)} ↓` })].filter(Boolean));
    this.heads = Array.from({ length: axis ? this.seenColumns : 0 }, () => ({ column: -1, element: make("div", { class: "head", role: "columnheader" }) }));
    this.strip.replaceChildren(this.corner, ...this.heads.map((head) => head.element));
  }

  placeHead(column) {
    const slot = this.heads[column % this.seenColumns];
    if (!slot || slot.column === column) return;
    slot.column = column;
    slot.element.style.transform = `translateX(${this.headWidth + column * this.stepX}px)`;
    slot.element.setAttribute("aria-colindex", column + 2);
    this.drawHead(slot.element, this.desk.arrangement.columnAxis, column);
  }

  drawHead(head, axisNumber, at) {
    const axis = this.desk.arrangement.axes?.[axisNumber];
    head.hidden = !axis;
    if (!axis) return;
    const hash = axis.pictures[at];
    head.title = `${words(axis.name)}: ${axis.labels[at]}`;
    head.replaceChildren(...[hash && make("img", { src: thumb(hash, 96), alt: "", loading: "lazy", decoding: "async" }),
      make("span", { text: axis.labels[at] })].filter(Boolean));
  }
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(value, Math.max(low, high)));
}
