// What is known of one cell, beside its picture.

import { page, thumb } from "../lib/api.js";
import { make } from "../lib/dom.js";
import { count, number, words } from "../lib/format.js";

/** Return the state, parameters and metrics of a cell as elements; `against` marks the values that differ from another cell's. */
export function facts(store, index, against = -1) {
  const state = store.states[store.state[index]];
  const running = state === "running" && store.iterations[index];
  const pictures = store.axes.flatMap((axis, at) => {
    const hash = axis.pictures[store.at[at][index]];
    return hash ? [make("figure", {}, make("img", { src: thumb(hash), alt: "", loading: "lazy", decoding: "async" }), make("figcaption", {}, make("small", { text: words(axis.name) }), ` ${store.labelAt(at, index)}`))] : [];
  });
  const rows = store.axes.flatMap((axis, at) => {
    const label = store.labelAt(at, index);
    return label === null || axis.pictures[store.at[at][index]] ? [] : [[words(axis.name), label, against >= 0 && store.at[at][index] !== store.at[at][against]]];
  });
  const measured = store.metrics.flatMap((metric) => {
    const value = store.metric.get(metric.name)[index];
    return Number.isNaN(value) ? [] : [[words(metric.name), number(value), false, metric.description]];
  });
  if (!Number.isNaN(store.loss[index])) measured.push(["loss", number(store.loss[index]), false, "The loss at the newest iteration"]);
  return [
    make("p", { class: "row spread" }, make("span", { class: "state", data: { state }, text: running ? `running, ${count(store.iteration[index])} of ${count(store.iterations[index])}` : state }),
      !page.read_only && make("a", { href: `/jobs/${store.job[index]}`, text: "Open the job" })),
    store.error[index] && make("p", { class: "error", text: store.error[index] }),
    pictures.length ? make("div", { class: "sources" }, ...pictures) : null,
    rows.length ? list("Parameters", rows) : null,
    measured.length ? list("Metrics", measured) : null,
  ].filter(Boolean);
}

function list(title, rows) {
  return make("section", {}, make("h3", { text: title }), make("dl", { class: "facts" }, ...rows.flatMap(([name, value, differs, description]) => [
    make("dt", { text: name, title: description }), make("dd", { class: differs ? "differs" : null, text: value })])));
}
