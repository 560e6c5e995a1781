// The shape of the grid's cells.

import { thumb } from "../lib/api.js";

const PATIENCE = 200;

/** Return height through width of the sweep's pictures, from the first few that there are, else of its contents; 0.75 where none is there in time. */
export async function measuredAspect(store) {
  const hashes = [];
  for (let i = 0; i < store.length && hashes.length < 5; i += Math.max(1, Math.floor(store.length / 60))) if (store.picture[i]) hashes.push(store.picture[i]);
  if (!hashes.length) hashes.push(...store.axes.find((axis) => axis.name === "content")?.pictures.filter(Boolean).slice(0, 3) ?? []);
  const shapes = hashes.map((hash) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image.naturalHeight / image.naturalWidth);
    image.onerror = () => resolve(null);
    image.src = thumb(hash);
    setTimeout(() => resolve(null), PATIENCE);
  }));
  const known = (await Promise.all(shapes)).filter(Boolean).sort((a, b) => a - b);
  return known.length ? Math.max(0.56, Math.min(1.5, known[known.length >> 1])) : 0.75;
}
