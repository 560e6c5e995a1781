// How large the grid's cells are, and how many of them are seen.

// Elements that exist at once.
const MOST_CELLS = 380;
const SMALLEST = 4;

/**
 * Return the sizes of a grid in pixels, and how many rows and columns need elements.
 * @param {Table|Flow} arrangement a flow is wrapped to the width
 * @param {object[]} axes the store's
 * @param {{width: number, height: number}} box what is seen
 * @param {number|null} wanted width of a cell; null for what fits
 * @param {number} aspect height of a picture through its width
 */
export function gridSizes(arrangement, axes, { width, height }, wanted, aspect) {
  const narrow = width < 600;
  const heads = headSizes(arrangement, axes, narrow);
  let edge = wanted ?? usualEdge(arrangement, width - heads.headWidth, narrow);
  for (;;) {
    const sizes = { ...heads, ...cellSizes(arrangement, width - 2 * margin(narrow), edge, aspect) };
    sizes.seenColumns = Math.min(arrangement.columns, Math.ceil((width - sizes.headWidth) / sizes.stepX) + 2);
    sizes.seenRows = Math.min(arrangement.rows, Math.ceil((height - sizes.headHeight) / sizes.stepY) + 3);
    if (sizes.seenColumns * sizes.seenRows <= MOST_CELLS) return sizes;
    edge += SMALLEST;
  }
}

const margin = (narrow) => (narrow ? 8 : 16);

function headSizes({ kind, rowAxis, columnAxis }, axes, narrow) {
  if (kind === "flow") return { headWidth: margin(narrow), headHeight: 8 };
  const pictured = (axis) => axes[axis].pictures.some(Boolean);
  return {
    headWidth: rowAxis < 0 ? margin(narrow) : pictured(rowAxis) ? (narrow ? 68 : 124) : narrow ? 64 : 96,
    headHeight: columnAxis < 0 ? 8 : pictured(columnAxis) ? (narrow ? 62 : 88) : 36,
  };
}

function cellSizes(arrangement, width, edge, aspect) {
  const gap = edge < 96 ? 4 : 8;
  // Below a small picture there is no room for words.
  const under = edge < 84 ? 0 : 20;
  let cellWidth = edge;
  if (arrangement.kind === "flow") {
    arrangement.wrap(Math.max(1, Math.floor((width + gap) / (edge + gap))));
    // Lines are filled, but for a single one that is not full.
    if (arrangement.sequence.length >= arrangement.columns) cellWidth = Math.floor((width + gap) / arrangement.columns) - gap;
  }
  const cellHeight = Math.round(cellWidth * aspect) + under;
  return { under, cellWidth, cellHeight, stepX: cellWidth + gap, stepY: cellHeight + gap };
}

/** As many columns of a table as fit, but none smaller than one can judge by. */
function usualEdge({ kind, columns }, width, narrow) {
  if (kind === "flow") return narrow ? 108 : 176;
  return Math.max(narrow ? 92 : 128, Math.min(360, Math.floor((width - 8) / columns) - 8));
}
