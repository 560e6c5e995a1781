// Links by which others see one sweep, and nothing else.

import { ask, page } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { complain, openDialog, say } from "../lib/messages.js";

/** Open the dialog with the links there are, and a way to make one. */
export async function shareDialog() {
  const path = `/sweeps/${page.sweep}/shares`;
  const list = make("ul", { class: "saved" });
  const days = make("input", { type: "number", min: 1, max: 365, value: 7, required: true });
  const draw = async () => {
    const { shares } = await ask(path);
    list.replaceChildren(...shares.map(entry));
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
    await draw();
    [...list.children].find((one) => one.dataset.id === share.id)?.remove();
    // A link is told once: only its hash is kept.
    list.prepend(make("li", { class: "row" }, make("input", { class: "link", readonly: true, value: url, "aria-label": "The new link", onfocus: (event) => event.target.select() }),
      // Only pages over https, or of this machine, have a clipboard.
      navigator.clipboard && button("Copy", () => navigator.clipboard.writeText(url).then(() => say("Copied."), complain))));
  };
  await draw();
  openDialog("Share this sweep", [make("p", { text: "Whoever has a link sees the pictures of this sweep, and can change nothing." }),
    make("div", { class: "row" }, make("label", { class: "field" }, "Days until it expires", days), button("Make a link", () => create().catch(complain), { class: "main" })), list]);
}
