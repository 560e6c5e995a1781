// The line at the foot: how many are shown and selected, how far the sweep is, whether it is live.

import { mayWrite } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { count, many } from "../lib/format.js";
import { oncePerFrame } from "../lib/timing.js";
import { autoAdvance, setAutoAdvance } from "./keys.js";

const FEED = { live: "Live", waiting: "Not connected: trying again", gone: "This sweep was deleted", refused: "Not connected: reload the page" };

/** Fill the line and the bar of states at the top, and keep both up to date. */
export function startStatus({ store, desk }) {
  const shown = make("span", {}), selected = make("span", { class: "row" });
  const feed = make("span", { class: "feed", text: "Connecting" });
  const advance = make("input", { type: "checkbox", onchange: (event) => { setAutoAdvance(event.target.checked); event.target.blur(); } });
  const bar = make("div", { class: "bar", "aria-hidden": "true" }), done = make("span", { class: "muted" });
  document.getElementById("progress").replaceChildren(done, bar);
  document.getElementById("status").replaceChildren(shown, selected, make("span", { class: "gap" }),
    mayWrite() ? make("label", { class: "tick advance" }, advance, "Go on after rating") : "", feed);

  const draw = oncePerFrame(() => {
    const number = desk.arrangement.sequence.length;
    shown.textContent = number === store.length ? many(number, "cell") : `${count(number)} of ${many(store.length, "cell")}`;
    selected.hidden = !desk.selected.size;
    if (desk.selected.size && selected.dataset.size !== String(desk.selected.size)) {
      selected.replaceChildren(make("strong", { text: `${count(desk.selected.size)} selected` }),
        button("Compare", () => desk.show("compare"), { class: "plain" }), button("Survey", () => desk.show("survey"), { class: "plain" }),
        button("Clear the selection", () => desk.select([]), { icon: "close" }));
    }
    selected.dataset.size = String(desk.selected.size);
    advance.checked = autoAdvance();
    drawStates();
  });
  function drawStates() {
    const total = Object.values(store.counts).reduce((sum, one) => sum + one, 0);
    const rest = ["running", "failed"].filter((state) => store.counts[state]).map((state) => `${count(store.counts[state])} ${state}`);
    done.replaceChildren(store.counts.done === total ? `all ${count(total)} done` : `${count(store.counts.done ?? 0)} of ${count(total)} done`,
      make("span", { class: "rest-words", text: rest.map((part) => `, ${part}`).join("") }));
    const order = ["done", "running", "failed", "cancelled", "paused", "queued", "waiting"];
    const present = order.filter((state) => store.counts[state]);
    bar.replaceChildren(...present.map((state) => {
      const part = make("i", { data: { state } });
      part.style.flexGrow = store.counts[state];
      return part;
    }));
    bar.title = present.map((state) => `${count(store.counts[state])} ${state}`).join(", ");
  }
  for (const event of ["arranged", "selected", "cells"]) desk.on(event, draw);
  document.addEventListener("advance", draw);
  desk.on("feed", ({ state }) => {
    feed.textContent = FEED[state];
    feed.dataset.feed = state;
  });
  draw();
}
