// The page's address holds all that is chosen, so that it can be sent, kept and gone back to.

import { emptyFilter } from "./filter.js";

/** The views of a sweep, in the order of the tabs. */
export const VIEWS = ["grid", "loupe", "compare", "survey", "explore", "vote"];

/**
 * Read what is chosen from a query such as "view=grid&rows=style".
 * @returns {object} view, rows, columns, slice, wrap, sort, size, cell, selected, mode, filter
 */
export function readAddress(query) {
  const asked = new URLSearchParams(query);
  const filter = emptyFilter();
  const slice = new Map();
  const list = (text) => text.split(",").filter((part) => part !== "");
  for (const [key, text] of asked) {
    const [kind, ...rest] = key.split(".");
    const name = rest.join(".");
    if (kind === "slice" && name) slice.set(name, Number(text));
    else if (kind === "range" && name) filter.ranges.set(name, bounds(text));
    else if (kind === "axis" && name) filter.values.set(name, new Set(list(text).map(Number)));
    else if (["stars", "flags", "states"].includes(key)) filter[key] = new Set(list(text));
  }
  const whole = (key) => (asked.has(key) && /^\d+$/.test(asked.get(key)) ? Number(asked.get(key)) : null);
  return {
    view: VIEWS.includes(asked.get("view")) ? asked.get("view") : "grid",
    rows: asked.get("rows"), columns: asked.get("columns"), slice, wrap: asked.get("wrap") === "1",
    sort: asked.get("sort") ?? "", size: whole("size"), cell: whole("cell"), mode: asked.get("mode"),
    selected: list(asked.get("selected") ?? "").map(Number).filter(Number.isInteger), filter,
  };
}

/** Write what is chosen as a query; what is as usual is left out. */
export function writeAddress({ view, rows, columns, slice, wrap, sort, size, cell, selected, mode, filter }) {
  const parts = [];
  const put = (key, text) => parts.push(`${encodeURIComponent(key)}=${encodeURIComponent(text).replaceAll("%2C", ",")}`);
  if (view !== "grid") put("view", view);
  if (rows !== null) put("rows", rows);
  if (columns !== null) put("columns", columns);
  for (const [name, at] of slice) if (at) put(`slice.${name}`, at);
  if (wrap) put("wrap", "1");
  if (sort) put("sort", sort);
  for (const key of ["stars", "flags", "states"]) if (filter[key].size) put(key, [...filter[key]].join(","));
  for (const [name, [low, high]] of filter.ranges) put(`range.${name}`, `${bound(low)},${bound(high)}`);
  for (const [name, wanted] of filter.values) put(`axis.${name}`, [...wanted].join(","));
  if (size !== null) put("size", size);
  if (mode) put("mode", mode);
  if (cell !== null) put("cell", cell);
  if (selected.length && selected.length <= 60) put("selected", selected.join(","));
  return parts.join("&");
}

const bound = (value) => (Number.isFinite(value) ? +value.toPrecision(6) : "");

function bounds(text) {
  const [low, high] = text.split(",");
  const side = (part, open) => (part === undefined || part === "" || Number.isNaN(Number(part)) ? open : Number(part));
  return [side(low, -Infinity), side(high, Infinity)];
}
