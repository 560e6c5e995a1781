"use strict";
// Which cells are shown, and where: axes on the sides of the sheet, each with one within it, and pages of the others.

// Places of values on several axes, as [[0, 1], [0, 2]]: each once, in the order of the axes.
function distinct(places) {
  const found = new Map(places.map((at) => [at.join(), at]));
  return [...found.values()].sort((a, b) => a.map((place, level) => place - b[level]).find((by) => by) || 0);
}

function placesOf(cell, axes) { return axes.map((axis) => cell.at[axis]); }

function otherAxes() {
  return data.axes.map((_, axis) => axis).filter((axis) => !view.rows.includes(axis) && !view.columns.includes(axis));
}

// Whether the value of each cell on an axis follows from its values on others.
function follows(axis, known) {
  const seen = new Map();
  return data.cells.every((cell) => {
    const at = placesOf(cell, known).join();
    if (!seen.has(at)) seen.set(at, cell.at[axis]);
    return seen.get(at) === cell.at[axis];
  });
}

// The other axes that have pages: a value that follows from rows and columns needs none.
function pagedAxes() {
  const known = [...view.rows, ...view.columns];
  return otherAxes().filter((axis) => {
    if (follows(axis, known)) return false;
    known.push(axis);
    return true;
  });
}

// The combinations of values of these axes that there are; each of them is a page.
function pages() { const axes = pagedAxes(); return distinct(data.cells.map((cell) => placesOf(cell, axes))); }

// What is on no side, and differs from cell to cell.
function noteOf(cell, among) {
  return otherAxes().filter((axis) => among.some((other) => other.at[axis] !== cell.at[axis]))
    .map((axis) => `${data.axes[axis].name} ${data.axes[axis].labels[cell.at[axis]]}`).join(", ");
}

function pageNumber(found) {
  const at = pagedAxes().map((axis) => view.slice[axis]).join();
  return found.findIndex((page) => page.join() === at);
}

function turnTo(page) { pagedAxes().forEach((axis, level) => { view.slice[axis] = page[level]; }); }

// After axes have changed places, or a value was chosen, the page shown must be one that there is.
function settle(axis = null) {
  const found = pages();
  if (pageNumber(found) >= 0) return;
  const others = pagedAxes(), level = others.indexOf(axis);
  const upTo = (page) => others.slice(0, level + 1).every((other, at) => page[at] === view.slice[other]);
  turnTo(found.find(upTo) || found[0]);
}

function shownCells() {
  const others = pagedAxes();
  return data.cells.filter((cell) => others.every((axis) => cell.at[axis] === view.slice[axis]));
}

// For each axis of a side, runs of rows or columns that have their values down to it in common: [first, count, value].
function runs(side, level) {
  const found = [];
  side.forEach((at, place) => {
    const last = found.at(-1);
    if (last && side[last[0]].slice(0, level + 1).join() === at.slice(0, level + 1).join()) last[1]++;
    else found.push([place, 1, at[level]]);
  });
  return found;
}

// A gap goes before each group but the first, where rows or columns are within others.
function gapsBefore(side) {
  return side.map((at, place) => at.length > 1 && place > 0 && at[0] !== side[place - 1][0]);
}

// An axis goes where the user wants it, and what was there goes where it was; "" leaves an inner place empty.
function chooseAxis(side, level, value) {
  const before = view[side][level];
  const sides = { rows: [...view.rows], columns: [...view.columns] };
  if (value === "") sides[side].splice(level, 1);
  else {
    for (const one of ["rows", "columns"]) {
      const at = sides[one].indexOf(+value);
      if (at < 0) continue;
      if (before === undefined) sides[one].splice(at, 1);
      else sides[one][at] = before;
    }
    sides[side][level] = +value;
  }
  if (!sides.rows.length && !sides.columns.length) return;
  view.rows = sides.rows.filter((axis) => axis !== undefined);
  view.columns = sides.columns.filter((axis) => axis !== undefined);
  settle();
}
