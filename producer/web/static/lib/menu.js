// A button that opens a menu, by pointer and by keyboard.

import { button, make } from "./dom.js";
import { complain } from "./messages.js";

/**
 * Return a menu button.
 * @param {string} label
 * @param {function(): Promise<Array<[string, function]|null>>} entries is asked each time it opens; null is a line between two groups
 */
export function menu(label, entries, attributes = {}) {
  const opener = button(label, () => (box.lastElementChild === list ? close() : open().catch(complain)), { "aria-haspopup": "menu", "aria-expanded": "false", ...attributes });
  const list = make("div", { role: "menu", "aria-label": label });
  const box = make("div", { class: "menu" }, opener);

  function close(back = true) {
    list.remove();
    opener.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside, true);
    if (back) opener.focus();
  }
  function outside(event) {
    if (!box.contains(event.target)) close(false);
  }
  async function open() {
    list.replaceChildren(...(await entries()).map((entry) => entry
      ? make("button", { type: "button", role: "menuitem", text: entry[0], onclick: () => { close(); entry[1](); } }) : make("hr")));
    box.append(list);
    opener.setAttribute("aria-expanded", "true");
    addEventListener("pointerdown", outside, true);
    list.querySelector("button")?.focus();
  }
  list.addEventListener("keydown", (event) => {
    const items = [...list.querySelectorAll("button")];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    event.stopPropagation();
    if (event.key === "Escape") close();
    else if (event.key === "Tab") close(false);
    else if (to !== undefined) {
      event.preventDefault();
      items.at(to % items.length).focus();
    }
  });
  return box;
}
