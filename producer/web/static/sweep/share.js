// Links by which others see one sweep, and nothing else.

import { ask, page } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { complain, openDialog, say } from "../lib/messages.js";

/** Open the dialog with the links there are, and a way to make one. */
export async function shareDialog() {
  const path = `/sweeps/${page.sweep}/shares`;
  const list = make("ul", { class: "saved" }), made = make("ul", { class: "saved" });
  const days = make("input", { type: "number", min: 1, max: 365, value: 7, required: true });
  const draw = async () => {
    const { shares } = await ask(path);
    const others = shares.filter(({ id }) => ![...made.children].some((one) => one.dataset.id === id));
    list.replaceChildren(...others.map(entry));
    if (!shares.length) list.append(make("li", { class: "muted", text: "There are no links yet." }));
  };
  const entry = (share) => make("li", { class: "row spread", data: { id: share.id } },
    make("span", {}, `By ${share.user}, until ${new Date(share.expires_at).toLocaleDateString()}`),
    button("Revoke", async () => {
      try {
        await ask(`/shares/${share.id}`, undefined, { method: "DELETE" });
        await draw();
      } catch (error) { complain(error); }
    }, { class: "plain danger" }));
  const create = async () => {
    if (!days.reportValidity()) return;
    const { share, url } = await ask(path, { days: Number(days.value) });
    // A link is told once: only its hash is kept. It stays while the others are listed anew.
    made.prepend(make("li", { class: "row", data: { id: share.id } }, make("input", { class: "link", readonly: true, value: url, "aria-label": "The new link", onfocus: (event) => event.target.select() }),
      // Only pages over https, or of this machine, have a clipboard.
      navigator.clipboard && button("Copy", () => navigator.clipboard.writeText(url).then(() => say("Copied."), complain))));
    await draw();
  };
  let creating = false;
  const press = async () => {
    // A button that is disabled meanwhile would lose the focus.
    if (creating) return;
    creating = true;
    try { await create(); } catch (error) { complain(error); } finally { creating = false; }
  };
  await draw();
  openDialog("Share this sweep", [make("p", { text: "Whoever has a link sees the pictures of this sweep, and can change nothing." }),
    make("div", { class: "row" }, make("label", { class: "field" }, "Days until it expires", days), button("Make a link", press, { class: "main" })), made, list]);
}
