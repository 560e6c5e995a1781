// Views that were saved by a name: the address of the page, kept with the sweep.

import { ask, mayWrite, page } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { complain } from "../lib/messages.js";
import { inTurn } from "../lib/timing.js";

/** Return the list of saved views, with a field to save the present one. */
export function savedViews(desk) {
  const list = make("ul", { class: "saved" });
  const name = make("input", { "aria-label": "Name of the view", placeholder: "Name of this view", required: true, maxlength: 60 });
  const form = make("form", { class: "bounds", onsubmit: (event) => { event.preventDefault(); save().catch(complain); } }, name, make("button", { text: "Save" }));
  const path = `/sweeps/${page.sweep}/views`;

  const load = inTurn(async () => {
    const { views } = await ask(path);
    list.replaceChildren(...views.map((view) => make("li", { class: "row spread" },
      make("a", { href: `?${view.query.replace(/^\?/, "")}`, text: view.name }),
      mayWrite() && button(`Forget the view ${view.name}`, () => forget(view).catch(complain), { icon: "close" }))));
  });
  async function save() {
    const written = name.value;
    await ask(path, { name: written, query: desk.address().replace(/^\?|^\/.*/, "") });
    if (name.value === written) name.value = "";
    await load();
  }
  async function forget(view) {
    await ask(`${path}?name=${encodeURIComponent(view.name)}`, undefined, { method: "DELETE" });
    await load();
  }
  if (page.read_only) return make("span");
  // Asked for when the page has nothing better to do.
  (window.requestIdleCallback ?? setTimeout)(() => load().catch(complain));
  return make("fieldset", { class: "group" }, make("legend", { text: "Saved views" }), list, mayWrite() && form);
}
