// Arrows and other keys that move within the grid.

import { zoomGrid } from "./grid_pointer.js";

/** Handle a key on the grid; returns whether it was one of its own. */
export function gridKey(grid, event) {
  const { desk, store } = grid, { arrangement, current } = desk;
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    PageUp: [-(grid.seenRows - 4 || 1), 0], PageDown: [grid.seenRows - 4 || 1, 0] }[event.key];
  if (event.key === "+" || event.key === "=") zoomGrid(grid, 1.2);
  else if (event.key === "-") zoomGrid(grid, 1 / 1.2);
  else if (event.key === " ") { if (current >= 0) desk.toggle(current); }
  else if ((event.ctrlKey || event.metaKey) && event.key === "a") desk.select(arrangement.sequence);
  else if (event.key === "Escape") desk.select([]);
  else if (event.key === "Home") desk.go(arrangement.sequence[0] ?? -1);
  else if (event.key === "End") desk.go(arrangement.sequence.at(-1) ?? -1);
  else if (move) {
    const place = current >= 0 ? arrangement.placeOf(current) : null;
    const next = place ? neighbor(arrangement, place, move) : arrangement.sequence[0] ?? -1;
    if (event.shiftKey && next >= 0 && current >= 0) desk.select([...desk.selected, current, next]);
    desk.go(next);
    grid.reveal(desk.current);
    grid.focusCurrent();
  } else return false;
  return store.length > 0;
}

// The next cell in a direction; gaps of the table are passed over, and a line of a flow goes on in the next.
function neighbor(arrangement, [row, column], [down, right]) {
  if (arrangement.kind === "flow" && right) return arrangement.step(arrangement.at(row, column), right);
  const wanted = Math.abs(down) > 1 ? Math.max(0, Math.min(arrangement.rows - 1, row + down)) : null;
  if (wanted !== null) return arrangement.at(wanted, column);
  for (let r = row + down, c = column + right; r >= 0 && r < arrangement.rows && c >= 0 && c < arrangement.columns; r += down, c += right) {
    const index = arrangement.at(r, c);
    if (index >= 0) return index;
  }
  return -1;
}
