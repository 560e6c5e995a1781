// The form for new pictures: one, or all combinations of several values.

import { ask, mayWrite } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { forecast } from "../lib/forecast.js";
import { count } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { startTheme } from "../lib/theme.js";
import { readValues } from "../lib/values.js";
import { pictureField } from "./picture_field.js";

const NAMES = ["method", "model", "preset", "size", "iterations", "style_weight", "content_weight", "tv_weight", "style_loss", "optimizer", "init", "seed", "features", "preserve_color"];

const form = document.getElementById("form");
const name = make("input", { placeholder: "Evening sketches", maxlength: 100, required: true, oninput: check });
const content = pictureField("Contents", "The pictures whose objects are kept.", check), style = pictureField("Styles", "The pictures whose look is transferred.", check);
const parameters = make("div", { class: "parameters" });
const submit = make("button", { class: "main", disabled: true, text: "Render" });
let sending = false;
const told = forecast((answer) => {
  submit.disabled = sending || !answer?.jobs || !mayWrite();
  submit.textContent = answer?.jobs ? `Render ${count(answer.jobs)}` : "Render";
});

function parameterRow(given = "", values = "") {
  const named = make("input", { value: given, list: "names", placeholder: "style_weight", "aria-label": "Parameter", oninput: check }), written = make("input", { value: values, placeholder: "1, 5, 20 or 1..5", "aria-label": "Values, with commas between them", oninput: check });
  const row = make("div", { class: "parameter" }, named, written,
    button("Leave this parameter out", () => { row.remove(); check(); }, { icon: "close" }));
  row.read = () => [named.value.trim(), readValues(written.value)];
  return row;
}

/** Return the sweep as it is written: what has one value goes to the base, the rest are axes. */
function sweep() {
  const all = [["content", content.addresses()], ["style", style.addresses()], ...[...parameters.children].map((row) => row.read())].filter(([key, values]) => key && values.length);
  const one = all.filter(([, values]) => values.length === 1), more = all.filter(([, values]) => values.length > 1);
  return { name: name.value.trim() || "Untitled", base: Object.fromEntries(one.map(([key, [only]]) => [key, only])), matrix: Object.fromEntries(more) };
}

function check() {
  if (content.uploading() + style.uploading()) told.wait("Uploading…");
  else if (!content.addresses().length || !style.addresses().length) told.wait("Add at least one content and one style.");
  else {
    const { base, matrix, name: named } = sweep();
    // A single picture is a job, and checked as a sweep of one.
    told.check(Object.keys(matrix).length ? { name: named, base, matrix } : { name: named, base, matrix: { content: [base.content] } });
  }
}

async function send(event) {
  event.preventDefault();
  submit.disabled = sending = true;
  try {
    const written = sweep();
    if (Object.keys(written.matrix).length) {
      const answer = await ask("/sweeps", { sweep: written });
      location.assign(`/sweeps/${answer.sweep.id}`);
    } else {
      const answer = await ask("/jobs", { job: written.base });
      location.assign(`/jobs/${answer.job.id}`);
    }
  } catch (error) {
    submit.disabled = false;
    complain(error);
  } finally { sending = false; }
}

startTheme();
parameters.append(parameterRow("size", "512"), parameterRow("style_weight", ""));
form.addEventListener("submit", send);
form.append(make("label", { class: "field" }, "Name", name), make("div", { class: "two" }, content.element, style.element),
  make("fieldset", {}, make("legend", { text: "Parameters" }), make("p", { class: "muted", text: "Write several values with commas between them: each makes a picture, and all combinations are rendered. What is left out has its usual value." }),
    parameters, make("div", {}, button("Add a parameter", () => { parameters.append(parameterRow()); parameters.lastElementChild.querySelector("input").focus(); }))),
  make("datalist", { id: "names" }, ...NAMES.map((one) => make("option", { value: one }))), make("div", { class: "submit" }, told.element, submit));
check();
