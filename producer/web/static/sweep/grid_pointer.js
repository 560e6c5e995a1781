// Pointer and wheel on the grid.

/** Let a grid be used by mouse, pen and finger: click, double click, Ctrl or Shift and click, Ctrl and wheel. */
export function gridPointer(grid) {
  const { root, desk } = grid;
  let anchor = -1;
  root.addEventListener("click", (event) => {
    const index = event.target.closest(".cell")?.cell.index ?? -1;
    if (index < 0) return;
    if (event.ctrlKey || event.metaKey || desk.selecting) desk.toggle(index);
    else if (event.shiftKey && anchor >= 0) desk.select(between(desk.arrangement, anchor, index));
    else {
      if (desk.selected.size) desk.select([]);
      // A second tap opens: a finger has no double click.
      if (index === desk.current && event.pointerType === "touch") desk.show("loupe");
    }
    if (!event.shiftKey) anchor = index;
    desk.go(index, { quiet: true });
    grid.focusCurrent();
  });
  root.addEventListener("dblclick", (event) => {
    if (event.target.closest(".cell") && !event.ctrlKey && !event.metaKey) desk.show("loupe");
  });
  root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomGrid(grid, event.deltaY < 0 ? 1.12 : 1 / 1.12);
  }, { passive: false });
}

/** Make the cells larger or smaller by a factor. */
export function zoomGrid(grid, factor) {
  const size = Math.round(Math.max(48, Math.min(384, grid.cellWidth * factor)));
  grid.desk.lookBy({ size });
  if (grid.desk.current >= 0) grid.reveal(grid.desk.current);
}

function between(arrangement, a, b) {
  const [from, to] = [arrangement.orderOf(a), arrangement.orderOf(b)].sort((x, y) => x - y);
  return from < 0 ? [b] : [...arrangement.sequence.subarray(from, to + 1)];
}
