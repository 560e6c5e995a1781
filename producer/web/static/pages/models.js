// The models that were trained here or imported.

import { ask, thumb } from "../lib/api.js";
import { make, sentence } from "../lib/dom.js";
import { ago, bytes, count, duration, number, value, words } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { startTheme } from "../lib/theme.js";

function card(model) {
  // Its page has the samples and the curve.
  const facts = Object.entries({ from: model.source, size: bytes(model.bytes), ...plain(model.card ?? {}) });
  return make("article", { class: "card" }, make("header", { class: "row spread" }, make("h2", { text: model.name }), make("span", { class: "muted", text: model.method })),
    model.samples?.length ? make("div", { class: "samples" }, ...model.samples.map((sample) => make("img", { src: thumb(sample), alt: `A sample of ${model.name}`, loading: "lazy" }))) : null,
    make("dl", { class: "facts" }, ...facts.flatMap(([name, text]) => [make("dt", { text: words(name) }), make("dd", { text })])),
    make("p", { class: "row spread" }, make("small", { text: `made ${ago(model.created_at)}` }), model.job ? make("a", { href: `/jobs/${model.job}`, text: "Its training" }) : null));
}

// Of a card what is one number or a short text; the rest is for `stylefarm model show`.
function plain(card) {
  const losses = Object.entries(card.losses ?? {}).map(([term, loss]) => [`${term} loss`, number(loss)]);
  const short = Object.entries(card).filter(([name, one]) => name !== "method" && ["string", "number"].includes(typeof one) && String(one).length < 60)
    .map(([name, one]) => (name === "seconds" ? ["trained for", duration(one)] : name === "source" ? ["numbers", one] : [name, typeof one === "number" ? count(one) : value(one)]));
  return Object.fromEntries([...short, ...losses]);
}

startTheme();
ask("/models").then(({ models }) => {
  document.getElementById("list").replaceChildren(...models.map(card));
  if (!models.length) document.getElementById("list").replaceChildren(make("p", { class: "empty" }, ...sentence("There are no models yet. `stylefarm model pull` gets published ones, and `stylefarm train` makes one.")));
}, complain);
