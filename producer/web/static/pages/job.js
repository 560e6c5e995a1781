// One job: its picture over time, its curves, what it was told, what happened to it.

import { ask, mayWrite, original, page } from "../lib/api.js";
import { button, make, renew } from "../lib/dom.js";
import { count, duration, number, value, words } from "../lib/format.js";
import { complain, confirmed, say } from "../lib/messages.js";
import { startTheme } from "../lib/theme.js";
import { inTurn } from "../lib/timing.js";
import { Curves } from "./curves.js";
import { Film } from "./film.js";
import { siblingsOf } from "./siblings.js";
import { table } from "./table.js";

const AGAIN = 2000;
const REMEDIES = {
  input: "The pictures or parameters must be changed: submit it anew.", limit: "It took longer than its limit: raise the limit, or make the picture smaller.",
  memory: "Make the picture smaller, or use a device with more memory.", infrastructure: "Retry it when the farm is well.",
  poison: "It ended the process that rendered it: see the attempts below.", parent: "The job that it waited for failed: retry that one first.", internal: "This is a bug of stylefarm: please report it.",
};
const ENDED = ["done", "failed", "cancelled"];
const MOVES = [["pause", "Pause", ["queued", "waiting"]], ["resume", "Resume", ["paused"]], ["retry", "Retry", ["failed", "cancelled"]], ["cancel", "Cancel", ["waiting", "queued", "running", "paused"]]];

const root = document.getElementById("job");
const film = new Film(), curves = new Curves();
const facts = make("aside", { class: "card" }), history = make("section", { class: "card wide" }), notice = make("div", { class: "wide", hidden: true });
root.append(notice, make("section", { class: "card" }, film.element), facts, make("section", { class: "card wide" }, curves.element), history);

let timer, siblings = null;

/** Draw the job as it is now, and again after a while until it has ended, also when the farm did not answer. */
const draw = inTurn(async () => {
  clearTimeout(timer);
  let goesOn = true;
  try {
    const job = await drawNow();
    goesOn = !ENDED.includes(job.state);
    siblings ??= siblingsOf(job, curves).catch((error) => { siblings = null; complain(error); });
  } catch (error) {
    goesOn = error.status !== 404;
    throw error;
  } finally {
    if (goesOn) timer = setTimeout(() => draw().catch(complain), AGAIN);
  }
});

async function drawNow() {
  const { job } = await ask(`/jobs/${page.job}`);
  // Asked for later, so that with the end of the job they have theirs: after it nothing is asked again.
  const [{ snapshots }, losses, { attempts, events }] = await Promise.all(["snapshots", "losses", "events"].map((part) => ask(`/jobs/${job.id}/${part}`)));
  document.title = `Job ${job.id.slice(0, 8)} · stylefarm`;
  document.getElementById("title").textContent = [job.content, job.style, ...Object.entries(job.cell ?? {}).filter(([name]) => name !== "content" && name !== "style").map(([name, one]) => `${words(name)} ${short(one)}`)].filter(Boolean).map(short).join(", ") || `Job ${job.id.slice(0, 8)}`;
  drawNotice(job);
  drawActions(job);
  film.draw(snapshots, isPicture(job) ? job.result_sha256 : null);
  drawFacts(job);
  curves.draw(losses);
  drawHistory(attempts, events);
  return job;
}

const shown = (one) => value(typeof one === "string" && one.startsWith("sha256:") ? one.slice(7, 15) : one);
// What a training makes is a model.
const isPicture = (job) => /\.(png|jpe?g|webp|tiff?|avif|gif|heic)$/i.test(job.result_key ?? "");
const short = (one) => value(one).split("/").at(-1);

function drawNotice(job) {
  notice.hidden = !job.error;
  if (job.error) notice.replaceChildren(make("div", { class: "notice" }, make("strong", { text: job.error }), REMEDIES[job.error_class] ? make("p", { text: REMEDIES[job.error_class] }) : null));
}

let offered = null;

function drawActions(job) {
  const moves = mayWrite() ? MOVES.filter(([, , states]) => states.includes(job.state)) : [];
  // A button that is drawn anew while it is pressed is not clicked.
  const now = JSON.stringify([job.sweep, job.result_sha256, job.result_key, moves]);
  if (now === offered) return;
  offered = now;
  const act = (action, label) => async () => {
    if (action === "cancel" && !await confirmed("Cancel this job?", "It is stopped, and can be retried.", "Cancel it")) return;
    try {
      const answer = await ask(`/jobs/${job.id}/actions`, { action });
      say(answer.changed ? `${label}: done.` : `Nothing was changed: the job is ${answer.job.state}.`);
      await draw();
    } catch (error) { complain(error); }
  };
  document.getElementById("actions").replaceChildren(...[job.sweep && make("a", { href: `/sweeps/${job.sweep}`, text: "Its sweep" }),
    job.result_sha256 && make("a", { href: `${page.base}/jobs/${job.id}/result?presigned=true`, download: "", text: "Download" }),
    isPicture(job) && make("a", { href: original(job.result_sha256), text: "Original" }),
    ...moves.map(([action, label]) => button(label, act(action, label)))].filter(Boolean));
}

function drawFacts(job) {
  const cell = job.cell ?? {}, spec = job.spec ?? {};
  const list = (entries) => make("dl", { class: "facts" }, ...entries.flatMap(([name, text, differs]) => [make("dt", { text: words(name) }), make("dd", { text, class: differs ? "differs" : null })]));
  // The pictures are named in the title; here they would be hashes.
  const known = Object.entries({ ...spec, content: job.content, style: job.style }).filter(([, one]) => one !== null && one !== undefined && (typeof one !== "object" || (Array.isArray(one) && one.length)));
  const parameters = known.map(([name, one]) => [name, Array.isArray(one) ? one.map(shown).join(", ") : shown(one), name in cell]);
  const [marked, others] = [parameters.filter(([, , differs]) => differs), parameters.filter(([, , differs]) => !differs)];
  const seconds = job.started_at && job.finished_at ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000 : null;
  const folds = facts.querySelector("details");
  renew(facts, make("p", {}, make("span", { class: "state", data: { state: job.state }, text: job.state === "running" ? `running, ${count(job.iteration)} of ${count(job.iterations)}` : job.state })),
    list([["loss", number(job.loss)], ["worker", job.worker ?? "–"], ["device", job.device ?? "–"], ["time", duration(seconds)], ["priority", value(job.priority)], ...(job.tags ?? []).map((tag) => ["tag", tag])]),
    ...(Object.keys(job.metrics ?? {}).length ? [make("h2", { text: "Metrics" }), list(Object.entries(job.metrics).filter(([, one]) => one !== null).map(([name, one]) => [name, number(one)]))] : []),
    make("h2", { text: "Parameters" }), ...(marked.length ? [make("p", { class: "muted", text: "These differ within the sweep." }), list(marked)] : []),
    make("details", { open: folds ? folds.open : !marked.length }, make("summary", { text: `${others.length} others` }), list(others)),
    ...(job.notes ?? []).map((note) => make("p", { class: "muted", text: note })));
}

function drawHistory(attempts, events) {
  const moment = (text) => (text ? new Date(text).toLocaleTimeString() : "–");
  renew(history, make("h2", { text: "Attempts" }), make("div", { class: "scroll" }, table([["No.", (one) => String(one.attempt)], ["Worker", (one) => one.worker], ["Began", (one) => moment(one.started_at)], ["Ended", (one) => moment(one.ended_at)],
    ["Outcome", (one) => one.outcome ?? "at work"], ["How", (one) => [one.record?.device, one.record?.precision, one.record?.torch && `torch ${one.record.torch}`].filter(Boolean).join(", ") || "–"]], attempts, "No worker has taken it yet.")),
  make("h2", { text: "Events" }), make("div", { class: "scroll" }, table([["At", (one) => moment(one.at)], ["State", (one) => make("span", { class: "state", data: { state: one.state }, text: one.state })], ["Worker", (one) => one.worker ?? ""], ["Reason", (one) => one.reason]], events, "Nothing has happened yet.")));
}

startTheme();
draw().catch(complain);
