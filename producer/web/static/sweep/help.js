// All keys, in a dialog.

import { make } from "../lib/dom.js";
import { openDialog } from "../lib/messages.js";

const KEYS = [
  ["Judge", [["0 1 2 3 4 5", "stars"], ["P", "pick"], ["X", "reject"], ["U", "clear stars and flag"], ["A", "go on to the next picture after a rating, or stay"],
    ["Ctrl Z", "undo the last rating or vote"], ["Ctrl Shift Z", "do it again"]]],
  ["Look", [["G", "grid"], ["E", "loupe: one picture"], ["C", "compare 2, 4 or 9"], ["N", "survey: all that are selected"], ["Esc", "back to the grid"]]],
  ["Move", [["← → ↑ ↓", "to the next picture"], ["Home End", "first and last"], ["Space", "select, or not"], ["Shift arrows", "select on the way"], ["Ctrl A", "select all that are shown"]]],
  ["Zoom and time", [["Z", "1:1, and back to the whole"], ["+ −", "larger, smaller"], ["[ ]", "the snapshot before, after"], ["B", "in compare: blink"], ["D", "in compare: difference"]]],
  ["Page", [["F", "filters"], ["?", "this list"]]],
];

/** Open the list of keys. */
export function showHelp() {
  openDialog("Keys", KEYS.map(([title, keys]) => make("section", { class: "keys" }, make("h3", { text: title }),
    make("dl", {}, ...keys.flatMap(([names, meaning]) => [
      make("dt", {}, ...names.split(" ").map((name) => make("kbd", { text: name }))), make("dd", { text: meaning })])))));
}
