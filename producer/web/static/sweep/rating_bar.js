// Stars and flags as buttons, for pointers and fingers.

import { glyph, make } from "../lib/dom.js";
import { PICK, REJECT } from "./store.js";

/**
 * Return `{element, draw(index)}`.
 * @param {Store} store
 * @param {function(object)} onRate is told the rating
 */
export function ratingBar(store, onRate) {
  const flag = (name, label, key) => make("button", { type: "button", class: `plain icon ${name}`, title: `${label} (${key})`, "aria-label": label,
    onclick: () => onRate({ flag: bar.flagged === name ? null : name }) }, glyph(name));
  const stars = [1, 2, 3, 4, 5].map((number) => make("button", { type: "button", class: "plain star", title: `${number} (${number})`, "aria-label": `${number} ${number === 1 ? "star" : "stars"}`,
    text: "★", onclick: () => onRate({ stars: bar.stars === number ? null : number }) }));
  const pick = flag("pick", "Pick", "P"), reject = flag("reject", "Reject", "X");
  const bar = {
    element: make("div", { class: "rating-bar", role: "group", "aria-label": "Rating" }, pick, make("span", { class: "stars" }, ...stars), reject),
    draw(index) {
      bar.flagged = { [PICK]: "pick", [REJECT]: "reject" }[store.flag[index]] ?? null;
      bar.stars = store.stars[index];
      pick.setAttribute("aria-pressed", bar.flagged === "pick");
      reject.setAttribute("aria-pressed", bar.flagged === "reject");
      stars.forEach((star, at) => {
        star.classList.toggle("on", at < bar.stars);
        star.setAttribute("aria-pressed", at + 1 === bar.stars);
      });
    },
  };
  return bar;
}
