// Whether the panel of filters is open; the panel itself is loaded when it first is.

import { complain } from "../lib/messages.js";

const KEY = "stylefarm-panel";
const wide = matchMedia("(min-width: 1100px)");

/** The place beside the views in which the filters are. */
export class SidePanel {
  constructor(store, desk, root) {
    Object.assign(this, { store, desk, root, panel: null });
    // On a narrow screen it covers the cells, so that it is only opened on demand.
    if (wide.matches && localStorage.getItem(KEY) === "open") this.#show(true).catch(complain);
  }

  get open() { return !this.root.hidden; }

  /** Open it, or close it. */
  toggle() {
    const open = !this.open;
    localStorage.setItem(KEY, open ? "open" : "closed");
    this.#show(open).then(() => { if (open) this.root.querySelector("button").focus(); }, complain);
  }

  async #show(open) {
    if (open && !this.panel) {
      const { Panel } = await import("./panel.js");
      this.panel = new Panel(this.store, this.desk, this.root, () => this.toggle());
    }
    this.root.hidden = !open;
    this.panel?.draw();
    this.desk.tell("look");
  }
}
