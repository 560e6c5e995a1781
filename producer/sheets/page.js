"use strict";
// The page draws itself from the one JSON document in it; nothing is loaded from anywhere.

const data = JSON.parse(document.getElementById("data").textContent);
const ORDER = ["done", "running", "queued", "waiting", "paused", "failed", "cancelled"];
const sheet = document.getElementById("sheet");
const zoom = document.getElementById("zoom");
const measures = new Map(data.measures.map((measure) => [measure.name, measure]));
const allSteps = [...new Set(data.cells.flatMap((cell) => cell.steps.map(([iteration]) => iteration)))].sort((a, b) => a - b);

const view = {
  rows: data.rows, columns: data.columns, slice: data.axes.map(() => 0), metric: data.metric,
  sortBy: data.sortBy || "", least: null, most: null, step: null, size: startSize(),
};
let shown = [];      // the cells in the order of the arrow keys: of a grid row by row, else as they are ranked
let across = 1;      // how many of them are in a row
let current = null;  // the cell that is zoomed into

function startSize() {
  const columns = data.columns === null ? 1 : data.axes[data.columns].labels.length;
  return Math.max(88, Math.min(220, Math.floor((innerWidth - 220) / Math.max(1, columns)) - 8));
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Pictures are decoded when they come near what is seen.
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    entry.target.src = source(+entry.target.dataset.image);
    near.unobserve(entry.target);
  }
}, { rootMargin: "600px" });

function source(index) { return "data:image/webp;base64," + data.images[index]; }
function there(index) { return index !== null && index !== undefined && data.images[index] !== null; }

function lazily(index, alt) {
  const image = make("img", { alt, "data-image": index });
  near.observe(image);
  return image;
}

function told(name, value) {
  return name.replaceAll("_", "-") + " " + number(value);
}

function number(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(3));
}

// The picture of a cell at the step of the slider: the newest snapshot that is not younger.
function pictureOf(cell, step) {
  if (step === null) return cell.image;
  const before = cell.steps.filter(([iteration]) => iteration <= step);
  return before.length ? before.at(-1)[1] : cell.steps.length ? cell.steps[0][1] : cell.image;
}

function passes(cell) {
  if (view.least === null && view.most === null) return true;
  const value = cell.measures[view.sortBy || view.metric];
  return value !== undefined && (view.least === null || value >= view.least) && (view.most === null || value <= view.most);
}

function cellElement(cell, label) {
  const index = pictureOf(cell, view.step);
  const shot = make("div", { class: "shot" });
  if (there(index)) shot.append(lazily(index, cell.title));
  else shot.append(noPicture(cell.image === null ? cell.problem : "missing: its picture is gone", cell.state));
  if (cell.progress !== null) {
    shot.append(make("div", { class: "line" }, make("i", { style: `width:${100 * cell.progress}%` })));
  }
  const unfinished = cell.progress !== null ? `${cell.state} ${cell.iteration}/${cell.iterations}` : "";
  const metric = view.sortBy || view.metric, value = cell.measures[metric];
  // In narrow cells the number alone; the chooser above has its name.
  const words = value === undefined ? "" : view.size < 110 ? number(value) : told(metric, value);
  const under = make("div", { class: "under" }, label ? make("b", {}, label) : null, unfinished || words);
  return make("button", { class: "cell" + (passes(cell) ? "" : " out"), type: "button", title: cell.title, onclick: () => open(cell) }, shot, under);
}

function noPicture(problem, state) {
  return make("div", { class: "none" + (state === "failed" || problem.startsWith("missing:") ? " failed" : "") }, make("span", {}, problem));
}

function headElement(axis, index, side) {
  const image = axis.images[index];
  const words = (image === null ? axis.name + " = " : "") + axis.labels[index];
  const plain = there(image) ? "" : " plain";
  return make("div", { class: `head ${side}${plain}`, title: words },
    there(image) ? lazily(image, "") : null, make("span", {}, words));
}

function drawGrid() {
  const rows = view.rows === null ? null : data.axes[view.rows];
  const columns = view.columns === null ? null : data.axes[view.columns];
  const down = rows ? rows.labels.length : 1;
  across = columns ? columns.labels.length : 1;
  const others = data.axes.map((_, axis) => axis).filter((axis) => axis !== view.rows && axis !== view.columns);
  const found = new Map();
  for (const cell of data.cells) {
    if (others.some((axis) => cell.at[axis] !== view.slice[axis])) continue;
    const row = rows ? cell.at[view.rows] : 0, column = columns ? cell.at[view.columns] : 0;
    found.set(row * across + column, cell);
  }
  const grid = make("div", { class: "grid", style: `grid-template-columns: var(--head) repeat(${across}, var(--cell))` });
  grid.append(make("div", { class: "corner" }, [rows, columns].filter(Boolean).map((axis) => axis.name).join(" / ")));
  for (let column = 0; column < across; column++) grid.append(columns ? headElement(columns, column, "above") : make("div"));
  shown = [];
  for (let row = 0; row < down; row++) {
    grid.append(rows ? headElement(rows, row, "left") : make("div", { class: "head left" }));
    for (let column = 0; column < across; column++) {
      const cell = found.get(row * across + column);
      shown.push(cell || null);
      grid.append(cell ? cellElement(cell, "") : make("div", { class: "cell" }, noPicture("missing", "")));
    }
  }
  sheet.replaceChildren(grid);
}

function drawRanking() {
  const name = view.sortBy, sign = measures.get(name)?.more ? -1 : 1;
  shown = data.cells.filter((cell) => cell.measures[name] !== undefined && passes(cell));
  shown.sort((a, b) => sign * (a.measures[name] - b.measures[name]));
  across = 1;
  const list = make("div", { class: "ranked" });
  shown.forEach((cell, place) => list.append(cellElement(cell, `${place + 1}. ${cell.title}`)));
  sheet.replaceChildren(shown.length ? list : make("p", { class: "empty" }, "No job has this metric within these limits."));
}

function draw() {
  near.disconnect();
  document.documentElement.style.setProperty("--cell", view.size + "px");
  if (view.sortBy) drawRanking(); else drawGrid();
}

function drawCounts() {
  const counts = new Map();
  for (const cell of data.cells) counts.set(cell.state, (counts.get(cell.state) || 0) + 1);
  const chips = document.getElementById("chips"), bar = document.getElementById("bar");
  for (const state of ORDER.filter((name) => counts.has(name))) {
    const count = counts.get(state), color = `--color: var(--${state})`;
    chips.append(make("span", { class: "chip", style: color }, `${count} ${state}`));
    bar.append(make("span", { style: `${color}; flex: ${count}` }));
  }
}

function chooser(words, entries, value, change) {
  const select = make("select", { onchange: () => { change(select.value); drawChoices(); draw(); } },
    ...entries.map(([key, text]) => make("option", { value: key, selected: String(key) === String(value) }, text)));
  return make("label", {}, words, select);
}

function chooseAxis(side, value) {
  const other = side === "rows" ? "columns" : "rows", before = view[side];
  view[side] = +value;
  if (view[other] === view[side]) view[other] = before;
}

function limit(words, key) {
  const input = make("input", { type: "number", step: "any", value: view[key], placeholder: "any",
    oninput: () => { view[key] = input.value === "" ? null : +input.value; draw(); } });
  return make("label", {}, words, input);
}

function drawChoices() {
  const form = document.getElementById("choices");
  const axes = data.axes.map((axis, index) => [index, axis.name]);
  const names = data.measures.map((measure) => [measure.name, measure.name.replaceAll("_", "-")]);
  const parts = [];
  if (!view.sortBy) {
    if (axes.length > 1) {
      parts.push(chooser("rows", axes, view.rows, (value) => chooseAxis("rows", value)));
      parts.push(chooser("columns", axes, view.columns, (value) => chooseAxis("columns", value)));
    }
    data.axes.forEach((axis, index) => {
      if (index === view.rows || index === view.columns) return;
      const entries = axis.labels.map((label, place) => [place, label]);
      parts.push(chooser(axis.name, entries, view.slice[index], (value) => { view.slice[index] = +value; }));
    });
    parts.push(chooser("under each cell", names, view.metric, (value) => { view.metric = value; }));
  }
  parts.push(chooser("sort by", [["", "no: as a grid"], ...names], view.sortBy, (value) => { view.sortBy = value; }));
  parts.push(limit(`${(view.sortBy || view.metric).replaceAll("_", "-")} from`, "least"), limit("to", "most"));
  if (allSteps.length) parts.push(stepSlider());
  const size = make("input", { type: "range", min: 48, max: 512, value: view.size, oninput: () => {
    view.size = +size.value;
    document.documentElement.style.setProperty("--cell", view.size + "px");
  } });
  parts.push(make("label", {}, "size", size));
  form.replaceChildren(...parts);
}

function stepSlider() {
  const words = make("span", {}, stepWords());
  const slider = make("input", { type: "range", min: 0, max: allSteps.length, value: view.step === null ? allSteps.length : allSteps.indexOf(view.step), oninput: () => {
    view.step = +slider.value === allSteps.length ? null : allSteps[+slider.value];
    words.textContent = stepWords();
    draw();
  } });
  return make("label", {}, words, slider);
}

function stepWords() { return view.step === null ? "step: newest" : `step: ${view.step}`; }

function open(cell, step = null) {
  current = cell;
  const picture = make("img", { alt: cell.title });
  const result = make("figure", { class: "result" });
  const index = pictureOf(cell, step);
  if (there(index)) { picture.src = source(index); result.append(picture); }
  else result.append(noPicture(cell.problem || "missing: its picture is gone", cell.state));
  const stops = cell.steps.map(([iteration]) => iteration);
  if (stops.length) {
    const words = make("span", {}, step === null ? "newest" : `step ${step}`);
    const slider = make("input", { type: "range", id: "step", min: 0, max: stops.length, "aria-label": "step",
      value: step === null ? stops.length : stops.indexOf(step), oninput: () => {
        const chosen = +slider.value === stops.length ? null : stops[+slider.value];
        const place = pictureOf(cell, chosen);
        if (there(place)) picture.src = source(place);
        words.textContent = chosen === null ? "newest" : `step ${chosen}`;
      } });
    result.append(make("div", { class: "steps" }, slider, words));
  }
  const inputs = ["content", "style"].map((name, place) => there(cell.inputs[place])
    ? make("figure", {}, make("img", { src: source(cell.inputs[place]), alt: name }), make("figcaption", {}, name)) : make("span"));
  const rows = data.measures.filter((measure) => cell.measures[measure.name] !== undefined).map((measure) =>
    make("tr", {}, make("td", {}, measure.name.replaceAll("_", "-")), make("td", { class: "number" }, number(cell.measures[measure.name])),
      make("td", { class: "words" }, measure.words)));
  zoom.replaceChildren(
    make("div", { class: "top" }, make("h2", {}, cell.title), make("div", {},
      make("button", { type: "button", "aria-label": "the one before", onclick: () => move(-1) }, "‹"),
      make("button", { type: "button", "aria-label": "the next one", onclick: () => move(1) }, "›"),
      make("button", { type: "button", "aria-label": "close", onclick: () => zoom.close() }, "close"))),
    make("div", { class: "trio" }, inputs[0], result, inputs[1]),
    rows.length ? make("table", {}, make("tbody", {}, ...rows)) : make("span"),
    make("p", { class: "aside" }, `job ${cell.id} · ${cell.state}` + (cell.problem ? ` · ${cell.problem}` : "")),
    make("p", { class: "aside" }, data.note));
  if (!zoom.open) zoom.showModal();
}

function move(by) {
  const at = shown.indexOf(current);
  for (let next = at + by; next >= 0 && next < shown.length; next += by) {
    if (shown[next]) { open(shown[next]); return; }
  }
}

document.addEventListener("keydown", (event) => {
  if (!zoom.open || event.target.type === "range") return;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
  if (by) { event.preventDefault(); move(by); }
  const slider = document.getElementById("step");
  if (slider && (event.key === "," || event.key === ".")) {
    slider.value = +slider.value + (event.key === "." ? 1 : -1);
    slider.dispatchEvent(new Event("input"));
  }
});
zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });

document.getElementById("note").textContent = `${data.note} Click a picture, or press Enter on it, to look at it closely; then the arrow keys go on, and , and . step through its snapshots.`;
drawCounts();
drawChoices();
draw();
// A link to the page may end in # and the beginning of a job's id.
const linked = location.hash.length > 4 && data.cells.find((cell) => cell.id.startsWith(location.hash.slice(1)));
if (linked) open(linked);
