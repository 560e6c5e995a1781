// The list of sweeps: how far each is, and since when.

import { make } from "../lib/dom.js";
import { ago, count } from "../lib/format.js";
import { startTheme } from "../lib/theme.js";

const ORDER = ["done", "running", "failed", "cancelled", "paused", "queued", "waiting"];

startTheme();
for (const time of document.querySelectorAll("time")) {
  time.textContent = ago(time.dateTime);
  time.title = new Date(time.dateTime).toLocaleString();
}
for (const bar of document.querySelectorAll(".bar[data-counts]")) {
  const counts = JSON.parse(bar.dataset.counts);
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  bar.replaceChildren(...ORDER.filter((state) => counts[state]).map((state) => {
    const part = make("i", { data: { state } });
    part.style.flexGrow = counts[state];
    return part;
  }));
  const rest = ["running", "failed"].filter((state) => counts[state]).map((state) => `${count(counts[state])} ${state}`);
  bar.parentElement.querySelector(".told").textContent = [`${count(counts.done ?? 0)} of ${count(total)} done`, ...rest].join(", ");
}
