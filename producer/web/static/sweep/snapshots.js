// The snapshots of jobs, fetched when they are first asked for.

import { ask } from "../lib/api.js";

const known = new Map();

/** Return the snapshots of a job, the oldest first: `iteration` and `sha256` of each. A job that runs is asked again. */
export async function snapshotsOf(job, ended) {
  if (!known.has(job)) {
    const { snapshots } = await ask(`/jobs/${job}/snapshots`);
    const sorted = snapshots.sort((a, b) => a.iteration - b.iteration);
    if (!ended) return sorted;
    known.set(job, sorted);
  }
  return known.get(job);
}
