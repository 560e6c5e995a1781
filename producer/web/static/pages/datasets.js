// The data sets that models are trained with.

import { ask } from "../lib/api.js";
import { make } from "../lib/dom.js";
import { ago, bytes, count } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { startTheme } from "../lib/theme.js";
import { table } from "./table.js";

const COLUMNS = [
  ["Name", (dataset) => make("strong", { text: dataset.name })],
  ["Pictures", (dataset) => count(dataset.pictures), "number"],
  ["Size", (dataset) => bytes(dataset.bytes), "number"],
  ["From", (dataset) => dataset.source],
  ["Added", (dataset) => ago(dataset.created_at)],
];

startTheme();
ask("/datasets").then(({ datasets }) => {
  document.getElementById("list").replaceChildren(table(COLUMNS, datasets, "There are no data sets yet. `stylefarm dataset add` makes one."));
}, complain);
