// Where each cell stands: a table of two axes, or lines that wrap.

/**
 * A place for each cell. `rows` and `columns` count places; `sequence` has the cells in reading order.
 * `at(row, column)` is the index of a cell or -1; `placeOf(index)` is [row, column] or null.
 */
class Arrangement {
  /** Return the cell that stands `by` places after another in reading order, or the nearest end. */
  step(index, by) {
    const at = this.orderOf(index);
    if (at < 0) return this.sequence[0] ?? -1;
    return this.sequence[Math.max(0, Math.min(this.sequence.length - 1, at + by))];
  }

  /** Return a cell's number in reading order, or -1. */
  orderOf(index) {
    this.orders ??= inverse(this.sequence);
    return this.orders[index] ?? -1;
  }
}

/** Rows and columns are the values of two axes, others are fixed to one value each. */
export class Table extends Arrangement {
  /**
   * @param {Store} store
   * @param {number} rowAxis an axis, or -1 for one row
   * @param {number} columnAxis
   * @param {Map<string, number>} slice the value of each other axis, by its name
   */
  constructor(store, rowAxis, columnAxis, slice) {
    super();
    this.kind = "table";
    // As they are now: the values of a sweep that grows have other places then.
    this.axes = store.axes;
    this.rowAxis = rowAxis;
    this.columnAxis = columnAxis;
    const fixed = store.axes.map((axis, number) => (number === rowAxis || number === columnAxis ? -1 : slice.get(axis.name) ?? 0));
    const rowAt = store.at[rowAxis], columnAt = store.at[columnAxis];
    const heads = (axis) => (axis < 0 ? 1 : store.axes[axis].values.length);
    this.rows = heads(rowAxis);
    this.columns = heads(columnAxis);
    this.cells = new Int32Array(this.rows * this.columns).fill(-1);
    this.places = new Int32Array(store.length).fill(-1);
    next: for (let i = 0; i < store.length; i++) {
      for (let axis = 0; axis < fixed.length; axis++) if (fixed[axis] >= 0 && store.at[axis][i] >= 0 && store.at[axis][i] !== fixed[axis]) continue next;
      const row = rowAt ? rowAt[i] : 0, column = columnAt ? columnAt[i] : 0;
      if (row < 0 || column < 0) continue;
      this.places[i] = row * this.columns + column;
      this.cells[this.places[i]] = i;
    }
    this.sequence = this.cells.filter((index) => index >= 0);
  }

  at(row, column) { return this.cells[row * this.columns + column]; }

  placeOf(index) {
    const place = this.places[index] ?? -1;
    return place < 0 ? null : [Math.floor(place / this.columns), place % this.columns];
  }
}

/** Cells one after the other; how many fit in a line is said by `wrap`. */
export class Flow extends Arrangement {
  /** @param {Int32Array} order */
  constructor(order) {
    super();
    this.kind = "flow";
    this.sequence = order;
    this.wrap(1);
  }

  wrap(columns) {
    this.columns = columns;
    this.rows = Math.ceil(this.sequence.length / columns);
  }

  at(row, column) {
    return column < this.columns ? this.sequence[row * this.columns + column] ?? -1 : -1;
  }

  placeOf(index) {
    const at = this.orderOf(index);
    return at < 0 ? null : [Math.floor(at / this.columns), at % this.columns];
  }
}

/** Return the two axes that a sweep is best looked at by: contents against styles, else the first two that vary. */
export function usualAxes(store) {
  const varying = store.axes.map((_, axis) => axis).filter((axis) => store.axes[axis].values.length > 1);
  const named = (name) => varying.find((axis) => store.axes[axis].name === name);
  const pictured = [named("content"), named("style")].filter((axis) => axis !== undefined);
  const others = varying.filter((axis) => !pictured.includes(axis));
  const [rows = -1, columns = -1] = pictured.length === 2 ? pictured : varying.length > 1 ? [...pictured, ...others] : [-1, ...varying];
  return [rows, columns];
}

/** Return whether a table would be mostly empty, as it is for a search, or one long line. */
export function sparse(store, table) {
  const others = store.axes.reduce((product, axis, number) => (number === table.rowAxis || number === table.columnAxis ? product : product * axis.values.length), 1);
  if (Math.min(table.rows, table.columns) === 1 && table.rows * table.columns > 12) return true;
  return table.rows * table.columns > 4 * Math.max(1, store.length / others) || table.sequence.length === 0;
}

/** Return how many cells have entered or left an order, or whether only their order has changed. */
export function difference(store, old, now) {
  const before = new Uint8Array(store.length);
  for (const index of old) before[index] = 1;
  let entered = 0;
  for (const index of now) if (before[index]) before[index] = 0; else entered += 1;
  const left = before.reduce((sum, one) => sum + one, 0);
  const moved = !entered && !left && old.some((index, at) => now[at] !== index);
  return { entered, left, moved };
}

function inverse(sequence) {
  let most = -1;
  for (const index of sequence) if (index > most) most = index;
  const orders = new Int32Array(most + 1).fill(-1);
  for (let at = 0; at < sequence.length; at++) orders[sequence[at]] = at;
  return orders;
}

