// The keys of the whole page. A view's own keys come first.

import { later, mayWrite } from "../lib/api.js";
import { announce, typing } from "../lib/dom.js";
import { complain } from "../lib/messages.js";

const VIEW_KEYS = { g: "grid", e: "loupe", c: "compare", n: "survey" };
const OWN = /^(.|Arrow.*|Home|End|Page.*|Enter|Escape|Backspace|Delete)$/;
const FLAG_KEYS = { p: { flag: "pick" }, x: { flag: "reject" }, u: { flag: null, stars: null } };

/** Listen to the keyboard. `parts` has store, desk, ratings and view(). */
export function startKeys(parts) {
  const { ratings } = parts;
  // Which cell a key is for follows from what is undone before it.
  const inOrder = (work) => { if (ratings.turning) ratings.turning.then(() => inOrder(work)); else work(); };
  // Who has moved a control by pointer goes on with the keys of the page.
  document.addEventListener("change", ({ target }) => {
    if (target.matches("select, input[type=range], input[type=checkbox]") && !target.matches(":focus-visible") && !target.closest("dialog")) target.blur();
  });
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.target.closest?.("[role=menu]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (typing(event.target)) {
      if (key === "Escape") event.target.blur();
      return;
    }
    const command = event.ctrlKey || event.metaKey;
    if (command && key === "z") {
      event.preventDefault();
      if (mayWrite()) inOrder(() => ratings.turn(event.shiftKey ? "redo" : "undo"));
      return;
    }
    // Enter and space belong to the button that has the focus.
    if ((key === "Enter" || key === " ") && event.target.closest?.("button, a, summary, input")) return;
    const handle = () => parts.view()?.key?.(event) || (!command && !event.altKey && onPage(parts, key));
    const waits = ratings.turning && OWN.test(key) && !command && !event.altKey;
    if (waits) inOrder(handle);
    if (waits || handle()) event.preventDefault();
  });
}

function onPage(parts, key) {
  const { desk } = parts;
  if (VIEW_KEYS[key]) desk.show(VIEW_KEYS[key]);
  else if (key === "Enter") desk.show("loupe");
  else if (key === "Escape") desk.show("grid");
  else if (key === "?") showHelp();
  else if (key === "a") setAutoAdvance(!autoAdvance());
  else if (key === "f") document.getElementById("filter").click();
  else if (mayWrite() && /^[0-5]$/.test(key)) rate(parts, { stars: Number(key) });
  else if (mayWrite() && FLAG_KEYS[key]) rate(parts, FLAG_KEYS[key]);
  else return false;
  return true;
}

/** Rate what is selected, else the current cell, and go on to the next one if that is wished. */
export function rate({ desk, ratings, view }, rating) {
  if (["explore", "vote"].includes(desk.chosen.view)) return;
  const single = !desk.selected.size || view()?.single;
  const targets = view()?.targets?.() ?? desk.targets();
  if (!targets.length) return;
  ratings.rate(targets, rating);
  const clears = rating.flag === null;
  if (single && autoAdvance() && !clears && view()?.advances !== false) desk.go(desk.arrangement.step(desk.current, 1));
}

/** Open the list of keys. */
export function showHelp() {
  later(import("./help.js")).then((help) => help.showHelp(), complain);
}

/** Return whether a rating goes on to the next picture. */
export function autoAdvance() {
  return localStorage.getItem("stylefarm-advance") !== "no";
}

/** Let a rating go on to the next picture, or not. */
export function setAutoAdvance(on) {
  localStorage.setItem("stylefarm-advance", on ? "yes" : "no");
  announce(on ? "A rating goes on to the next picture" : "A rating stays at its picture");
  document.dispatchEvent(new CustomEvent("advance"));
}
