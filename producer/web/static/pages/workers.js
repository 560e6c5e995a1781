// The workers: what each does now, and whether it takes jobs.

import { ask, page } from "../lib/api.js";
import { button, make, renew } from "../lib/dom.js";
import { ago, count, many } from "../lib/format.js";
import { complain, say } from "../lib/messages.js";
import { startTheme } from "../lib/theme.js";
import { inTurn } from "../lib/timing.js";
import { table } from "./table.js";

const AGAIN = 5000;

const COLUMNS = [
  ["Worker", (worker) => make("strong", { text: worker.name })],
  ["Device", (worker) => worker.device],
  ["State", (worker) => make("span", { class: "state", data: { state: worker.state === "active" && worker.jobs?.length ? "running" : COLORS[worker.state] ?? "queued" }, text: worker.state, title: worker.reason ?? "" })],
  ["Job at hand", (worker) => {
    const jobs = worker.jobs ?? [];
    return jobs.length ? make("span", {}, make("a", { href: `/jobs/${jobs[0]}`, text: jobs[0].slice(0, 8) }), jobs.length > 1 ? ` and ${jobs.length - 1} more` : "") : "none";
  }],
  ["Done in the last hour", (worker) => count(worker.done_last_hour), "number"],
  ["Failures in a row", (worker) => count(worker.failures ?? 0), "number"],
  ["Last seen", (worker) => ago(worker.seen_at)],
  ["", (worker) => make("span", { class: "row" }, ...(page.role === "admin" ? moves(worker) : []))],
];
const COLORS = { active: "done", benched: "failed", failing: "failed", draining: "paused", silent: "cancelled" };

function moves(worker) {
  const move = (name, label, title) => button(label, async () => {
    try {
      await ask(`/workers/${encodeURIComponent(worker.name)}/actions`, { action: name });
      say(`${worker.name}: ${title}`);
      await draw();
    } catch (error) { complain(error); }
  }, { class: "plain", title, data: { worker: worker.name } });
  if (worker.state === "benched" || worker.state === "draining") return [move("unbench", "Take jobs again", "takes jobs again")];
  return [move("drain", "Drain", "finishes its jobs and takes no others"), move("bench", "Bench", "takes no jobs")];
}

const draw = inTurn(async () => {
  const { workers } = await ask("/workers");
  document.getElementById("told").textContent = many(workers.length, "worker");
  renew(document.getElementById("list"), table(COLUMNS, workers, "No worker has reported yet. `stylefarm worker start` starts one; an embedded farm renders by itself."));
});

startTheme();
draw().catch(complain);
setInterval(() => { if (!document.hidden) draw().catch(complain); }, AGAIN);
