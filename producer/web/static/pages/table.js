// Tables of the lists.

import { make, sentence } from "../lib/dom.js";

/**
 * Return a table.
 * @param {Array<[string, function(object): (Node|string), string?]>} columns title, what a cell shows, and a class such as "number"
 * @param {object[]} rows
 * @param {string} empty what is said if there are none
 */
export function table(columns, rows, empty) {
  if (!rows.length) return make("p", { class: "empty" }, ...sentence(empty));
  return make("table", {}, make("thead", {}, make("tr", {}, ...columns.map(([title, , kind]) => make("th", { text: title, class: kind, scope: "col" })))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...columns.map(([, show, kind]) => make("td", { class: kind }, show(row) ?? "–"))))));
}
