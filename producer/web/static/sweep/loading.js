// Thumbnails are loaded a few at a time, and those that have been scrolled away are not loaded at all.

import { thumb } from "../lib/api.js";

const AT_ONCE = 24, EACH_FRAME = 8;

const waiting = new Set();
const loading = new Set();
let pumping = false;

/** Ask for the picture of a cell element, `cell.hash` at `cell.edge` pixels. */
export function load(cell) {
  waiting.add(cell);
  if (!pumping) { pumping = true; requestAnimationFrame(pump); }
}

/** The picture of a cell element is there, or could not be had; returns whether none that is newer waits for its turn. */
export function loaded(cell) {
  loading.delete(cell);
  return !waiting.has(cell);
}

/** No picture of a cell element is wanted any more. */
export function dropped(cell) {
  waiting.delete(cell);
  loading.delete(cell);
}

function pump() {
  let started = 0;
  for (const cell of waiting) {
    if (loading.size >= AT_ONCE || started >= EACH_FRAME) break;
    waiting.delete(cell);
    loading.add(cell);
    started += 1;
    cell.image.src = thumb(cell.hash, cell.edge);
  }
  pumping = waiting.size > 0;
  if (pumping) requestAnimationFrame(pump);
}
