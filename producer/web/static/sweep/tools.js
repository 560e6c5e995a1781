// The bar above the views: tabs, axes, order, size, and what can be done with the sweep.

import { later, mayWrite, page } from "../lib/api.js";
import { announce, button, choice, glyph, make, renew } from "../lib/dom.js";
import { count, words } from "../lib/format.js";
import { menu } from "../lib/menu.js";
import { afterFrame } from "../lib/timing.js";
import { VIEWS } from "./address.js";
import { filterSize } from "./filter.js";
import { showHelp } from "./keys.js";

const NAMES = { grid: ["Grid", "G"], loupe: ["Loupe", "E"], compare: ["Compare", "C"], survey: ["Survey", "N"], explore: ["Explore", ""], vote: ["Vote", ""] };

/** Fill the bar and keep it up to date. */
export function startTools(parts) {
  const { store, desk, panel } = parts;
  const tabs = document.getElementById("views"), axes = document.getElementById("axes"), side = document.getElementById("side");
  const views = page.read_only ? VIEWS.filter((view) => view !== "vote") : VIEWS;
  tabs.replaceChildren(...views.map((view) => button(NAMES[view][0], () => desk.show(view),
    { class: "tab", data: { view }, title: NAMES[view][1] ? `${NAMES[view][0]} (${NAMES[view][1]})` : NAMES[view][0] })));
  const filter = button("", () => panel.toggle(), { id: "filter", "aria-controls": "panel" });
  const offer = button("", () => desk.arrange(), { class: "offer", hidden: true });
  side.replaceChildren(offer, filter, menu("Actions", () => later(import("./actions.js")).then(({ actionEntries }) => actionEntries(parts)), { hidden: page.read_only && !mayWrite() }),
    button("Keys (?)", showHelp, { class: "keys-button" }));

  let drawn = null;
  function mark() {
    for (const tab of tabs.children) {
      if (tab.dataset.view === desk.chosen.view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    const size = filterSize(desk.chosen.filter);
    renew(filter, glyph("filter"), make("span", { text: size ? `Filters: ${size}` : "Filters" }));
    filter.setAttribute("aria-expanded", panel.open);
    drawAxes();
  }
  function drawAxes() {
    axes.hidden = desk.chosen.view !== "grid";
    if (axes.hidden || axes.contains(document.activeElement)) return;
    const { rows, columns, slice, wrap, sort } = desk.chosen;
    const now = JSON.stringify([rows, columns, [...slice], wrap, sort, desk.arrangement?.kind, parts.grid.cellWidth]);
    if (now === drawn) return;
    drawn = now;
    axes.replaceChildren(...axisControls(desk), ...lookControls(parts));
  }
  axes.addEventListener("focusout", () => requestAnimationFrame(drawAxes));
  desk.on("offer", () => {
    const { offered } = desk;
    offer.hidden = !offered;
    if (!offered || offer.textContent === offerWords(offered)) return;
    offer.textContent = offerWords(offered);
    announce(offer.textContent);
  });
  const markLater = afterFrame(mark);
  desk.on("view", mark);
  for (const event of ["look", "arranged"]) desk.on(event, markLater);
  // There are other metrics to order by, or other values to choose.
  desk.on("columns", () => { drawn = null; markLater(); });
  mark();

  function axisControls() {
    const { rowAxis, columnAxis } = desk;
    const wraps = desk.arrangement?.kind === "flow";
    const varying = store.axes.flatMap((axis, number) => (axis.values.length > 1 ? [number] : []));
    const options = varying.map((number) => [store.axes[number].name, words(store.axes[number].name)]);
    const name = (axis) => store.axes[axis]?.name ?? "";
    const held = !wraps ? varying.filter((number) => number !== rowAxis && number !== columnAxis) : [];
    const pick = (side, other, otherAxis) => (value) => {
      const swapped = value !== "" && value === name(otherAxis);
      desk.arrangeBy({ [side]: value, [other]: swapped ? name(side === "rows" ? rowAxis : columnAxis) : name(otherAxis), wrap: false });
    };
    const wrapping = choice("Layout", [["table", "Table"], ["wrap", "Wrapped"]], wraps ? "wrap" : "table", (value) => (value === "wrap"
      ? desk.arrangeBy({ wrap: true })
      : desk.arrangeBy({ wrap: false, sort: "", filter: noFilter(), rows: name(rowAxis), columns: name(columnAxis) })));
    if (wraps) return [wrapping];
    return [wrapping, choice("Rows", [["", "none"], ...options], name(rowAxis), pick("rows", "columns", columnAxis)),
      choice("Columns", [["", "none"], ...options], name(columnAxis), pick("columns", "rows", rowAxis)),
      ...held.map((number) => {
        const axis = store.axes[number];
        return choice(words(axis.name), axis.labels.map((label, at) => [at, label]), desk.chosen.slice.get(axis.name) ?? 0,
          (value) => desk.arrangeBy({ slice: new Map(desk.chosen.slice).set(axis.name, Number(value)) }), { class: "slice" });
      })];
  }
  function lookControls({ grid }) {
    const columns = [...store.metrics.map((metric) => metric.name), "loss", "stars", "iteration"];
    const varying = store.axes.filter((axis) => axis.values.length > 1).map((axis) => axis.name);
    const best = new Map(store.metrics.map((metric) => [metric.name, metric.higher_is_better]));
    const usual = (name) => (best.get(name) ?? name === "stars" ? "-" : "") + name;
    const sorted = desk.chosen.sort.replace(/^-/, "");
    const down = desk.chosen.sort.startsWith("-");
    return [choice("Order", [["", "as submitted"], ...[...columns, ...varying].map((name) => [name, words(name)])], sorted,
      (name) => desk.arrangeBy({ sort: name && usual(name) })),
    sorted && button(down ? "Largest first" : "Smallest first", () => desk.arrangeBy({ sort: down ? sorted : `-${sorted}` }),
      { icon: null, class: "plain turn" }),
    make("label", { class: "field" }, "Size", make("input", { type: "range", min: 48, max: 384, step: 4, value: grid.cellWidth ?? 160,
      oninput: (event) => desk.lookBy({ size: Number(event.target.value) }) }))].filter(Boolean);
  }
}

function noFilter() {
  return { stars: new Set(), flags: new Set(), states: new Set(), ranges: new Map(), values: new Map() };
}

function offerWords({ entered, left }) {
  if (entered && left) return `${count(entered)} new, ${count(left)} gone: show`;
  if (entered) return `${count(entered)} new: show`;
  return left ? `${count(left)} no longer pass: update` : "Order changed: update";
}
