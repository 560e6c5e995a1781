// More like this: ranges around a cell, as a new sweep that knows where it comes from.

import { ask, page } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { value, words } from "../lib/format.js";
import { forecast } from "../lib/forecast.js";
import { complain, openDialog } from "../lib/messages.js";
import { readValues } from "../lib/values.js";

/** Open the dialog for the current cell. */
export async function variations({ store, desk }) {
  const index = desk.current;
  const { base, axes } = await ask(`/sweeps/${page.sweep}/cells/${store.position[index]}/variations`);
  const name = make("input", { value: `Like ${store.nameOf(index)}`.slice(0, 100), required: true, maxlength: 100 });
  let sending = false;
  const told = forecast((answer) => { submit.disabled = sending || !answer?.jobs; });
  const rows = axes.map((axis) => {
    const varied = axis.suggested.length > 1 && store.axes.some((one) => one.name === axis.name && one.values.length > 1);
    const tick = make("input", { type: "checkbox", checked: varied, onchange: check });
    const values = make("input", { value: axis.suggested.map(value).join(", "), "aria-label": `Values of ${words(axis.name)}`, oninput: () => { tick.checked = true; check(); } });
    return { axis, tick, values, element: make("tr", {}, make("td", {}, make("label", { class: "tick" }, tick, words(axis.name))), make("td", { class: "muted", text: value(axis.value) }), make("td", {}, values)) };
  });
  const sweep = () => {
    const matrix = Object.fromEntries(rows.filter(({ tick }) => tick.checked).map(({ axis, values }) => [axis.name, readValues(values.value)]));
    return { name: name.value, base: Object.fromEntries(Object.entries(base).filter(([parameter]) => !(parameter in matrix))), matrix };
  };
  const submit = button("Render these", async () => {
    submit.disabled = sending = true;
    try {
      const answer = await ask("/sweeps", { sweep: sweep(), parent: page.sweep });
      location.assign(`/sweeps/${answer.sweep.id}`);
    } catch (error) {
      submit.disabled = false;
      complain(error);
    } finally { sending = false; }
  }, { class: "main", disabled: true });
  const dialog = openDialog("More like this", [make("p", { class: "muted", text: "Tick what is to vary, and write its values with commas between them. All else stays as it is in this cell." }),
    make("label", { class: "field" }, "Name of the new sweep", name),
    make("table", { class: "variations" }, make("thead", {}, make("tr", {}, ...["Parameter", "Now", "Values"].map((text) => make("th", { text })))), make("tbody", {}, ...rows.map((row) => row.element))), told.element],
  [button("Close", () => dialog.close()), submit]);
  function check() {
    const written = sweep();
    if (Object.keys(written.matrix).length) told.check(written);
    else told.wait("Tick at least one parameter.");
  }
  check();
}
