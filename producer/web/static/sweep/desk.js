// What is on the desk: which cells are shown and how, which one is current, which are selected. It is in the address.

import { readAddress, writeAddress } from "./address.js";
import { difference, Flow, sparse, Table, usualAxes } from "./arrangement.js";
import { emptyFilter, filterSize, ordered, passing } from "./filter.js";

/**
 * Everything that is chosen on the page. Views listen by `on(event, listener)`:
 * "arranged", "current", "selected", "view", "look" (size, axes, mode), "offer", "columns" (other metrics or axes), and "cells" with the indices that changed.
 */
export class Desk {
  constructor(store) {
    this.store = store;
    this.listeners = new Map();
    this.offered = null;
    // Whether a tap selects, instead of making a cell current.
    this.selecting = false;
    this.#read(location.search);
    store.onChange((change) => this.#changed(change));
    addEventListener("popstate", () => this.#readAgain());
  }

  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, []);
    this.listeners.get(event).push(listener);
  }

  tell(event, detail) {
    for (const listener of this.listeners.get(event) ?? []) listener(detail);
  }

  /** Return whether the cells wrap, instead of standing in the table of two axes. */
  get flowing() { return this.chosen.wrap || filterSize(this.chosen.filter) > 0 || this.chosen.sort !== ""; }

  /** Choose something of the address: rows, columns, slice, wrap, sort, filter; the cells are arranged anew. */
  arrangeBy(choice) {
    Object.assign(this.chosen, choice);
    this.arrange();
    this.tell("look");
    this.#write();
  }

  /** Choose something that moves no cell: size, mode. */
  lookBy(choice) {
    Object.assign(this.chosen, choice);
    this.tell("look");
    this.#write();
  }

  /** Show another view; the way back leads to the view before. */
  show(view) {
    if (view === this.chosen.view) return;
    // What was chosen a moment ago may not be written yet.
    history.replaceState(null, "", this.address());
    history.pushState(null, "", this.address());
    this.chosen.view = view;
    this.tell("view");
    this.#write();
  }

  /** Make a cell the current one. */
  go(index, { quiet = false } = {}) {
    if (index < 0 || index === this.current) return;
    const before = this.current;
    this.current = index;
    this.chosen.cell = this.store.position[index];
    this.tell("current", { before, quiet });
    this.#write();
  }

  /** Select exactly these cells. */
  select(indices) {
    this.selected = new Set(indices);
    this.chosen.selected = [...this.selected].map((index) => this.store.position[index]);
    this.tell("selected");
    this.#write();
  }

  /** Add a cell to what is selected, or take it away. */
  toggle(index) {
    const selected = new Set(this.selected);
    if (!selected.delete(index)) selected.add(index);
    this.select(selected);
  }

  /** Return the cells that a rating or an action is for: those selected, else the current one. */
  targets() {
    if (this.selected.size) return [...this.selected];
    return this.current >= 0 ? [this.current] : [];
  }

  /** Return the cells that pass the filter, in the order of the sweep. */
  matching() { return ordered(this.store, passing(this.store, this.chosen.filter), ""); }

  /** Place the cells as they are now. */
  arrange() {
    const { store, chosen } = this;
    this.offered = null;
    if (this.flowing) {
      this.arrangement = new Flow(ordered(store, passing(store, chosen.filter), chosen.sort));
    } else {
      this.arrangement = new Table(store, this.rowAxis, this.columnAxis, chosen.slice);
      if (chosen.rows === null && chosen.columns === null && sparse(store, this.arrangement)) this.arrangement = new Flow(this.matching());
    }
    // Where no cell was gone to, the first one is the current one.
    if (this.current < 0) this.current = this.arrangement.sequence[0] ?? -1;
    this.tell("arranged");
    this.tell("offer");
  }

  get rowAxis() { return this.#axis(this.chosen.rows, 0); }
  get columnAxis() { return this.#axis(this.chosen.columns, 1); }

  /** Return the query of the page as it is now. */
  address() {
    const query = writeAddress(this.chosen);
    return query ? `?${query}` : location.pathname;
  }

  #axis(name, side) {
    if (name === null) return usualAxes(this.store)[side];
    return this.store.axes.findIndex((axis) => axis.name === name);
  }

  #read(query) {
    this.chosen = readAddress(query);
    const { store, chosen } = this;
    this.selected = new Set(chosen.selected.map((position) => store.indexOf.get(position)).filter((index) => index !== undefined));
    this.current = store.indexOf.get(chosen.cell) ?? -1;
    chosen.filter ??= emptyFilter();
  }

  #readAgain() {
    this.#read(location.search);
    this.arrange();
    for (const event of ["view", "look", "selected"]) this.tell(event);
    this.tell("current", { before: -1, quiet: false });
  }

  #write() {
    clearTimeout(this.writing);
    // Browsers refuse more than a hundred of these in ten seconds.
    this.writing = setTimeout(() => history.replaceState(null, "", this.address()), 120);
  }

  // What was chosen of the values of axes stays chosen, where these had other places before.
  #follow(axes) {
    const { slice, filter } = this.chosen;
    axes.forEach(({ name, values }, number) => {
      const now = this.store.axes[number].values.map((value) => JSON.stringify(value));
      const placed = (at) => now.indexOf(JSON.stringify(values[at]));
      if (slice.has(name)) slice.set(name, placed(slice.get(name)));
      if (filter.values.has(name)) filter.values.set(name, new Set([...filter.values.get(name)].map(placed)));
    });
    this.#write();
  }

  #changed(change) {
    if (change.columns) {
      this.#follow(change.columns);
      this.tell("columns");
    }
    this.tell("cells", change);
    // Not put off by what changes meanwhile: while many jobs run, something always does.
    this.comparing ??= setTimeout(() => { this.comparing = null; this.#compare(); }, 400);
  }

  // Cells do not move by themselves: what a new arrangement would change is offered.
  #compare() {
    const { store, arrangement, chosen } = this;
    const now = arrangement.kind === "flow" ? ordered(store, passing(store, chosen.filter), chosen.sort)
      : new Table(store, this.rowAxis, this.columnAxis, chosen.slice).sequence;
    const found = difference(store, arrangement.sequence, now);
    this.offered = found.entered || found.left || found.moved ? found : null;
    this.tell("offer");
  }
}
