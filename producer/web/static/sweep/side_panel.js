// Whether the panel of filters is open; the panel itself is loaded when it first is.

import { later } from "../lib/api.js";
import { complain } from "../lib/messages.js";

const KEY = "stylefarm-panel";
const wide = matchMedia("(min-width: 1100px)");

/** The place beside the views in which the filters are. */
export class SidePanel {
  constructor(store, desk, root) {
    Object.assign(this, { store, desk, root, panel: null, wanted: false });
    // On a narrow screen it covers the cells, so that it is only opened on demand.
    if (wide.matches && localStorage.getItem(KEY) === "open") this.#show(true).catch(complain);
  }

  get open() { return !this.root.hidden; }

  /** Open it, or close it. */
  toggle() {
    // While it is being loaded it is not open yet.
    const open = !this.wanted;
    localStorage.setItem(KEY, open ? "open" : "closed");
    this.#show(open).then(() => { if (this.open) this.root.querySelector("button").focus(); }).catch(complain);
  }

  async #show(open) {
    this.wanted = open;
    if (open && !this.panel) {
      const { Panel } = await later(import("./panel.js")).catch((error) => { this.wanted = false; throw error; });
      this.panel ??= new Panel(this.store, this.desk, this.root, () => this.toggle());
    }
    this.root.hidden = !this.wanted;
    this.panel?.draw();
    this.desk.tell("look");
  }
}
