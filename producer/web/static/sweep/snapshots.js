// The snapshots of jobs, fetched when they are first asked for.

import { ask } from "../lib/api.js";

const known = new Map();

/** Return the snapshots of a cell's job, the oldest first: `iteration` and `sha256` of each. A job that goes on is asked again. */
export async function snapshotsOf(store, index) {
  const job = store.job[index], state = store.states[store.state[index]];
  // One that was retried has others when it ends again.
  const version = [job, state, store.picture[index]].join();
  if (known.has(version)) return known.get(version);
  const { snapshots } = await ask(`/jobs/${job}/snapshots`);
  const sorted = snapshots.sort((a, b) => a.iteration - b.iteration);
  if (["done", "failed", "cancelled"].includes(state)) known.set(version, sorted);
  return sorted;
}
