// Light or dark: as the system has it, unless the user has chosen.

import { glyph } from "./dom.js";

const KEY = "stylefarm-theme";
const colors = new Map();
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");

/** Return "light" or "dark", as the page is now. */
export function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

/** Call `listener` whenever the theme has changed. */
export function onTheme(listener) {
  listeners.add(listener);
}

/** Return the color of a custom property such as "accent", as a canvas takes it. */
export function color(name) {
  if (!colors.has(name)) {
    probe.style.color = `var(--${name})`;
    colors.set(name, getComputedStyle(probe).color);
  }
  return colors.get(name);
}

/** Make the button at the top of the page switch between light and dark. */
export function startTheme() {
  const button = document.getElementById("theme");
  button.append(glyph("half"));
  button.addEventListener("click", () => {
    const other = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = other;
    localStorage.setItem(KEY, other);
    tell();
  });
  system.addEventListener("change", tell);
}

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function tell() {
  colors.clear();
  for (const listener of listeners) listener();
}
