// Jobs of the same sweep that differ from one in a single parameter.

import { ask } from "../lib/api.js";
import { choice } from "../lib/dom.js";
import { words } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { Store } from "../sweep/store.js";

const MOST = 8;

/** Offer the curves of a job's siblings, by the axis that they differ on. */
export async function siblingsOf(job, curves) {
  if (!job.sweep) return;
  const store = new Store(await ask(`/sweeps/${job.sweep}/cells`));
  const own = store.cellsOf.get(job.id)?.[0];
  if (own === undefined) return;
  const axes = store.axes.flatMap((axis, number) => (axis.values.length > 1 ? [number] : []));
  const along = (axis) => {
    const found = [];
    for (let i = 0; i < store.length; i++) if (i !== own && store.at.every((column, other) => (other === axis ? column[i] !== column[own] : column[i] === column[own]))) found.push(i);
    return found.slice(0, MOST);
  };
  const offered = axes.filter((axis) => along(axis).length);
  if (!offered.length) return;
  let chosen = "";
  async function show(text) {
    chosen = text;
    if (text === "") { curves.overlay([]); return; }
    const axis = Number(text);
    const others = await Promise.all(along(axis).map(async (index) => ({ name: `${words(store.axes[axis].name)} ${store.labelAt(axis, index)}`, losses: await ask(`/jobs/${store.job[index]}/losses`) })));
    if (chosen === text) curves.overlay(others.filter(({ losses }) => losses.iteration.length));
  }
  curves.choices.replaceChildren(choice("Beside it", [["", "none"], ...offered.map((axis) => [axis, `other values of ${words(store.axes[axis].name)}`])], "", (text) => show(text).catch(complain)));
}
