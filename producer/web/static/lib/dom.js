// Elements are made by these functions alone: text goes in as text, never as markup.

/**
 * Return a new element.
 * @param {string} tag
 * @param {object} attributes `onclick` and the like are listeners; `class`, `text`, `data` (an object); false and null are left out
 * @param {...(Node|string|null)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Bring the children of an element up to date. What is the same stays, so that nothing goes that is pressed, read, or has the focus; a
 * button that does something else must differ from the one in its place.
 */
export function renew(element, ...children) {
  const before = [...element.childNodes];
  children.forEach((child, at) => {
    const old = before[at];
    if (!old) element.append(child);
    else if (old.isEqualNode(child)) return;
    else if (child instanceof Element && old.cloneNode().isEqualNode(child.cloneNode())) renew(old, ...child.childNodes);
    else old.replaceWith(child);
  });
  for (const old of before.slice(children.length)) old.remove();
}

/** Return what stands in a sentence: text, and `code` where it has backticks around it. */
export function sentence(text) {
  return text.split("`").map((part, at) => (at % 2 ? make("code", { text: part }) : part));
}

const GLYPHS = {
  half: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5l4-1M8 8h6M8 11l4 1",
  filter: "M2 4h12M4.5 8h7M7 12h2",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  minus: "M3.5 8h9",
  close: "M4 4l8 8M12 4l-8 8",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  up: "M8 13V3M4 7l4-4 4 4",
  pick: "M4 14V2.5M4 3h8l-2 2.75L12 8.5H4",
  reject: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  undo: "M6 4L2.5 7.5 6 11M2.5 7.5H10a3.5 3.5 0 0 1 0 7H8",
  redo: "M10 4l3.5 3.5L10 11M13.5 7.5H6a3.5 3.5 0 0 0 0 7h2",
  grid: "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z",
};

/** Return an icon of 16 px; it is never read out, so that its button needs a label. */
export function glyph(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", GLYPHS[name]);
  svg.append(path);
  return svg;
}

/** Return a button; with an icon its label is read out and shown as a tooltip. */
export function button(label, onclick, { icon = null, ...attributes } = {}) {
  const named = icon ? { "aria-label": label, title: label, class: "plain icon" } : {};
  return make("button", { type: "button", onclick, ...named, ...attributes }, icon ? glyph(icon) : label);
}

/** Return a `<select>` in its label. `options` are [value, text] pairs. */
export function choice(label, options, value, onchange, attributes = {}) {
  const select = make("select", { onchange: (event) => onchange(event.target.value), ...attributes },
    ...options.map(([key, text]) => make("option", { value: key, text, selected: String(key) === String(value) })));
  return make("label", { class: "field" }, label, select);
}

/** Return whether the keys of the page would disturb: somebody is typing, or choosing in a control of its own keys. */
export function typing(target) {
  if (!(target instanceof Element)) return false;
  if (target.closest("select, textarea, [contenteditable]")) return true;
  return target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "button";
}

/** Let a screen reader say `text`. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}
