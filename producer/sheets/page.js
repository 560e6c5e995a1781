// The page draws itself from the one JSON document in it; nothing is loaded from anywhere.

const data = JSON.parse(document.getElementById("data").textContent);
const ORDER = ["done", "running", "queued", "waiting", "paused", "failed", "cancelled"];
const sheet = document.getElementById("sheet");
const zoom = document.getElementById("zoom");
const measures = new Map(data.measures.map((measure) => [measure.name, measure]));
const allSteps = [...new Set(data.cells.flatMap((cell) => cell.steps.map(([iteration]) => iteration)))].sort((a, b) => a - b);

// Rows and columns are the axes of a side, the outermost first; slice is a value of each of the others.
const view = {
  rows: data.rows, columns: data.columns, slice: data.axes.map(() => 0), metric: data.metric,
  sortBy: data.sortBy || "", least: null, most: null, step: null, size: 160,
};
let shown = [];      // the cells in the order of the arrow keys: of a grid row by row, else as they are ranked
let across = 1;      // how many of them are in a row
let current = null;  // the cell that is zoomed into

function startSize() {
  const count = distinct(shownCells().map((cell) => placesOf(cell, view.columns))).length;
  const heads = view.rows.length * 130 + 90;
  return Math.max(88, Math.min(220, Math.floor((innerWidth - heads) / Math.max(1, count)) - 8));
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
}, { root: sheet, rootMargin: "600px" });

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

function headElement(axis, index, side, place) {
  const image = axis.images[index];
  const words = (image === null ? axis.name + " = " : "") + axis.labels[index];
  const plain = there(image) ? "" : " plain";
  return make("div", { class: `head ${side}${plain}`, title: words, style: place }, make("div", { class: "stays" },
    there(image) ? lazily(image, "") : null, make("span", {}, words)));
}

function drawGrid() {
  const cells = shownCells();
  const rows = distinct(cells.map((cell) => placesOf(cell, view.rows)));
  const columns = distinct(cells.map((cell) => placesOf(cell, view.columns)));
  across = columns.length;
  const found = new Map(cells.map((cell) => [`${placesOf(cell, view.rows)}|${placesOf(cell, view.columns)}`, cell]));
  const levels = view.rows.length;
  const gaps = { rows: gapsBefore(rows), columns: gapsBefore(columns) };
  const tracks = [...view.rows.map((axis) => data.axes[axis].images.some(there) ? "var(--head)" : "max-content"),
    ...gaps.columns.map((apart) => apart ? "calc(var(--cell) + 16px)" : "var(--cell)")].join(" ");
  const grid = make("div", { class: "grid", style: `grid-template-columns: ${tracks}` });
  grid.append(columnHeads(columns, gaps.columns, levels));
  view.rows.forEach((axis, level) => runs(rows, level).forEach(([first, count, value]) => {
    const place = `grid-column: ${level + 1}; grid-row: ${first + 2} / span ${count}`;
    const kind = `left level${level}` + (gaps.rows[first] ? " apart" : "") + (level + 1 < levels ? " outer" : "");
    grid.append(headElement(data.axes[axis], value, kind, place));
  }));
  shown = [];
  rows.forEach((row, down) => columns.forEach((column, at) => {
    const cell = found.get(`${row}|${column}`) || null;
    shown.push(cell);
    if (!cell) return;
    const element = cellElement(cell, noteOf(cell, cells));
    element.style.gridArea = `${down + 2} / ${levels + at + 1}`;
    if (gaps.rows[down]) element.classList.add("apart");
    if (gaps.columns[at]) element.classList.add("set-off");
    grid.append(element);
  }));
  sheet.replaceChildren(grid);
  const count = cells.length === data.cells.length ? `${cells.length} results` : `${cells.length} of ${data.cells.length} results`;
  document.getElementById("count").textContent = count;
  place(grid);
}

function columnHeads(columns, gaps, levels) {
  const head = make("div", { class: "heads" });
  const names = (axes) => axes.map((axis) => data.axes[axis].name).join(", ");
  const corner = levels && view.columns.length ? [make("span", {}, names(view.columns) + " →"), make("span", {}, names(view.rows) + " ↓")] : [];
  if (levels) head.append(make("div", { class: "corner", style: `grid-column: 1 / span ${levels}; grid-row: 1 / span ${Math.max(1, view.columns.length)}` }, ...corner));
  view.columns.forEach((axis, level) => runs(columns, level).forEach(([first, count, value]) => {
    const area = `grid-row: ${level + 1}; grid-column: ${levels + first + 1} / span ${count}`;
    const kind = "above" + (gaps[first] ? " set-off" : "") + (level + 1 < view.columns.length ? " outer" : "");
    head.append(headElement(data.axes[axis], value, kind, area));
  }));
  return head;
}

// What stays in place while the page is scrolled: inner heads beside the outer ones, all of them below the top row.
function place(grid) {
  const head = grid.querySelector(".heads");
  grid.style.setProperty("--top", `${head.offsetHeight}px`);
  const outer = grid.querySelector(".left.level0");
  if (outer) grid.style.setProperty("--second", `${outer.offsetWidth}px`);
}

function drawRanking() {
  const name = view.sortBy, sign = measures.get(name)?.more ? -1 : 1;
  shown = data.cells.filter((cell) => cell.measures[name] !== undefined && passes(cell));
  shown.sort((a, b) => sign * (a.measures[name] - b.measures[name]));
  across = 1;
  const list = make("div", { class: "ranked" });
  shown.forEach((cell, place) => list.append(cellElement(cell, `${place + 1}. ${cell.title}`)));
  document.getElementById("count").textContent = `${shown.length} of ${data.cells.length} results`;
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

function axisChoosers() {
  const axes = data.axes.map((axis, index) => [index, axis.name]);
  return ["rows", "columns"].flatMap((side) => {
    const found = [chooser(side, view[side].length ? axes : [["", "none"], ...axes], view[side][0] ?? "", (value) => chooseAxis(side, 0, value))];
    if (axes.length > 2 && view[side].length) {
      const inner = [["", "none"], ...axes.filter(([axis]) => axis !== view[side][0])];
      found.push(chooser(`within ${side}`, inner, view[side][1] ?? "", (value) => chooseAxis(side, 1, value)));
    }
    return found;
  });
}

// A chooser for each axis on no side, with the values that there are beside those of the choosers before it.
function pageChoosers() {
  const found = pages(), others = pagedAxes();
  if (found.length < 2) return [];
  const parts = others.map((axis, level) => {
    const beside = found.filter((page) => page.slice(0, level).every((place, at) => place === view.slice[others[at]]));
    const places = distinct(beside.map((page) => [page[level]])).map(([place]) => [place, data.axes[axis].labels[place]]);
    return places.length > 1 ? chooser(`${data.axes[axis].name} =`, places, view.slice[axis], (value) => {
      view.slice[axis] = +value;
      settle(axis);
    }) : null;
  });
  const number = pageNumber(found);
  const turn = (by, words, sign) => make("button", { type: "button", "aria-label": words, disabled: !found[number + by],
    onclick: () => { turnTo(found[number + by]); drawChoices(); draw(); } }, sign);
  const stepper = make("div", { class: "pages" }, turn(-1, "the page before", "‹"), make("span", {}, `${number + 1} of ${found.length}`), turn(1, "the next page", "›"));
  return [...parts.filter(Boolean), make("div", { class: "labelled" }, "page", stepper)];
}

function limit(words, key) {
  const input = make("input", { type: "number", step: "any", value: view[key], placeholder: "any",
    oninput: () => { view[key] = input.value === "" ? null : +input.value; draw(); } });
  return make("label", {}, words, input);
}

function drawChoices() {
  const form = document.getElementById("choices");
  const names = data.measures.map((measure) => [measure.name, measure.name.replaceAll("_", "-")]);
  const parts = [];
  if (!view.sortBy) {
    if (data.axes.length > 1) parts.push(...axisChoosers());
    parts.push(...pageChoosers());
    parts.push(chooser("under each cell", names, view.metric, (value) => { view.metric = value; }));
  }
  parts.push(chooser("sort by", [["", "no: as a grid"], ...names], view.sortBy, (value) => { view.sortBy = value; }));
  parts.push(limit(`${(view.sortBy || view.metric).replaceAll("_", "-")} from`, "least"), limit("to", "most"));
  if (allSteps.length) parts.push(stepSlider());
  const size = make("input", { type: "range", min: 48, max: 512, value: view.size, oninput: () => {
    view.size = +size.value;
    document.documentElement.style.setProperty("--cell", view.size + "px");
    const grid = sheet.querySelector(".grid");
    if (grid) place(grid);
  } });
  parts.push(make("label", {}, "thumbnails", size));
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

document.getElementById("note").append(data.note + " ", make("span", {},
  "Click a picture, or press Enter on it, to look at it closely: ", make("kbd", {}, "←"), " ", make("kbd", {}, "→"),
  " go on from result to result, ", make("kbd", {}, ","), " and ", make("kbd", {}, "."), " from snapshot to snapshot."));
settle();
view.size = startSize();
drawCounts();
drawChoices();
draw();
// A link to the page may end in # and the beginning of a job's id.
const linked = location.hash.length > 4 && data.cells.find((cell) => cell.id.startsWith(location.hash.slice(1)));
if (linked) open(linked);
