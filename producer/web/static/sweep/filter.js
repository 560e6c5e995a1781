// Which cells are shown, and in what order.

import { flagName, UNRATED } from "./store.js";

/**
 * What a user filters by. Empty sets and maps let everything through.
 * @typedef {{stars: Set<string>, flags: Set<string>, states: Set<string>, ranges: Map<string, [number, number]>, values: Map<string, Set<number>>}} Filter
 */

/** Return a filter that lets everything through. */
export function emptyFilter() {
  return { stars: new Set(), flags: new Set(), states: new Set(), ranges: new Map(), values: new Map() };
}

/** Return how many things a filter filters by. */
export function filterSize(filter) {
  return ["stars", "flags", "states"].filter((name) => filter[name].size).length + filter.ranges.size + filter.values.size;
}

/**
 * Return for each cell whether it passes, as 0 or 1.
 * @param {Store} store
 * @param {Filter} filter
 * @param {string} [but] a group that is left out: "stars", "flags", "states", or the name of a metric or axis
 */
export function passing(store, filter, but = null) {
  const mask = new Uint8Array(store.length).fill(1);
  const clear = (column, allowed) => { for (let i = 0; i < mask.length; i++) if (!allowed[column[i]]) mask[i] = 0; };
  if (filter.stars.size && but !== "stars") {
    for (let i = 0; i < mask.length; i++) if (!filter.stars.has(starName(store.stars[i]))) mask[i] = 0;
  }
  if (filter.flags.size && but !== "flags") clear(store.flag, [0, 1, 2].map((code) => filter.flags.has(flagName(code) ?? "none")));
  if (filter.states.size && but !== "states") clear(store.state, store.states.map((state) => filter.states.has(state)));
  for (const [name, [low, high]] of filter.ranges) {
    const column = store.column(name);
    if (!column || name === but) continue;
    // A missing number is NaN, and no comparison holds for it.
    for (let i = 0; i < mask.length; i++) if (!(column[i] >= low && column[i] <= high)) mask[i] = 0;
  }
  for (const [name, wanted] of filter.values) {
    const axis = store.axes.findIndex((one) => one.name === name);
    if (axis < 0 || name === but) continue;
    clear(store.at[axis], store.axes[axis].values.map((_, at) => wanted.has(at)));
  }
  return mask;
}

/** Return stars as the filter and the address have them. */
export function starName(stars) {
  return stars === UNRATED ? "none" : String(stars);
}

/**
 * Return the indices of the cells that pass, in order.
 * @param {string} sort "" for the order of the sweep, or the name of a column or axis; with "-" before it the largest come first
 */
export function ordered(store, mask, sort) {
  const order = [];
  for (let i = 0; i < mask.length; i++) if (mask[i]) order.push(i);
  const { position } = store;
  const name = sort.replace(/^-/, "");
  const axis = store.axes.findIndex((one) => one.name === name);
  const column = axis >= 0 ? store.at[axis] : store.column(name);
  if (!column) return Int32Array.from(order.sort((a, b) => position[a] - position[b]));
  const sign = sort.startsWith("-") ? -1 : 1;
  order.sort((a, b) => {
    const x = column[a], y = column[b];
    // What has no number comes last in either direction.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || position[a] - position[b];
    return sign * (x - y) || position[a] - position[b];
  });
  return Int32Array.from(order);
}
