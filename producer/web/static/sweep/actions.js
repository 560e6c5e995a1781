// What is done with the jobs of a sweep, or of all cells that a filter leaves; sharing; downloads.

import { ask, download, later, mayWrite, page } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { count, many } from "../lib/format.js";
import { complain, confirmed, openDialog, say } from "../lib/messages.js";
import { PICK } from "./store.js";
import { shareDialog } from "./share.js";

const ACTIONS = [
  ["pause", "Pause", ["queued", "waiting"], "paused"],
  ["resume", "Resume", ["paused"], "resumed"],
  ["cancel", "Cancel", ["waiting", "queued", "running", "paused"], "cancelled"],
  ["retry", "Retry", ["failed", "cancelled"], "queued again"],
];

/** Return the entries of the menu of actions, as they are now. */
export function actionEntries(parts) {
  const { store, desk } = parts;
  const one = !desk.selected.size && desk.current >= 0 && desk.chosen.view !== "grid" && desk.chosen.view !== "explore";
  const scope = one ? [desk.current] : desk.selected.size ? [...desk.selected] : desk.flowing ? [...desk.arrangement.sequence] : [...store.position.subarray(0, store.length).keys()];
  const which = desk.selected.size ? "selected" : desk.flowing ? "shown" : "of the sweep";
  const entries = [];
  // A finger has no Ctrl key.
  if (matchMedia("(pointer: coarse)").matches) entries.push([desk.selecting ? "Stop selecting" : "Select by tapping", () => { desk.selecting = !desk.selecting; }], null);
  if (mayWrite()) {
    for (const [action, label, states, did] of ACTIONS) {
      const fits = scope.filter((index) => states.includes(store.states[store.state[index]]));
      if (fits.length) entries.push([one ? `${label} this one` : `${label} ${count(fits.length)} ${which}`, () => act(parts, action, fits, label, did)]);
    }
    const waiting = scope.filter((index) => ["waiting", "queued"].includes(store.states[store.state[index]]));
    if (waiting.length) entries.push([one ? "Prioritize this one…" : `Prioritize ${count(waiting.length)} ${which}…`, () => prioritize(parts, waiting)]);
    if (desk.current >= 0) entries.push(["More like this…", () => later(import("./variations.js")).then(({ variations }) => variations(parts)).catch(complain)]);
    entries.push(null);
  }
  if (mayWrite()) entries.push(["Undo the last rating or vote", () => parts.ratings.turn("undo")], ["Do it again", () => parts.ratings.turn("redo")], null);
  const picks = [];
  for (let index = 0; index < store.length; index++) if (store.flag[index] === PICK) picks.push(index);
  const chosen = desk.selected.size ? [...desk.selected] : picks;
  const named = desk.selected.size ? `${count(chosen.length)} selected` : many(chosen.length, "pick");
  if (chosen.length && !page.read_only) {
    for (const [what, label] of [["zip", "pictures (zip)"], ["sheet", "contact sheet"], ["sweep", "sweep file"]]) entries.push([`Export ${named}: ${label}`, () => exported(store, chosen, what)]);
  }
  if (desk.current >= 0 && !page.read_only) entries.push(["Open the job of this cell", () => location.assign(`/jobs/${store.job[desk.current]}`)]);
  if (mayWrite()) entries.push(null, ["Share…", () => shareDialog().catch(complain)]);
  return entries.length ? entries : [["Nothing can be done here", () => {}]];
}

async function act({ store }, action, indices, label, did, more = {}) {
  if (indices.length > 20 || action === "cancel") {
    if (!await confirmed(`${label} ${many(indices.length, "job")}?`, action === "cancel" ? "Jobs that run are stopped; they can be retried." : `They will be ${did}.`, `${label} ${count(indices.length)}`)) return;
  }
  try {
    const positions = indices.map((index) => store.position[index]);
    const answer = await ask(`/sweeps/${page.sweep}/actions`, { action, positions, expected_count: positions.length, ...more });
    say(`${many(answer.changed, "job")} ${did}.`);
  } catch (error) {
    complain(error);
  }
}

function prioritize(parts, indices) {
  const field = make("input", { type: "number", min: 0, max: 9, value: 8, required: true });
  const dialog = openDialog(`Prioritize ${many(indices.length, "job")}`, [make("label", { class: "field" }, "Priority, 0 to 9; the highest is rendered first", field)],
    [button("Set the priority", () => {
      if (!field.reportValidity()) return;
      dialog.close();
      act(parts, "prioritize", indices, "Prioritize", "prioritized", { priority: Number(field.value) });
    }, { class: "main" })]);
}

function exported(store, indices, what) {
  say("The file is being made.");
  download(`/sweeps/${page.sweep}/exports`, { what, positions: indices.map((index) => store.position[index]) }).catch(complain);
}
