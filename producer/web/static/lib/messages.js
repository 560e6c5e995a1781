// Short messages at the foot of the page, and dialogs.

import { button, make, sentence } from "./dom.js";

/**
 * Show a message for some seconds; a text that is still shown is not shown twice.
 * @param {string} text
 * @param {{bad?: boolean, action?: [string, function], seconds?: number}} [options] `action` is a button's label and what it does
 */
export function say(text, { bad = false, action = null, seconds = bad ? 9 : 4 } = {}) {
  const box = document.getElementById("messages");
  const close = () => message.remove();
  // What is said again takes the place of what was said before.
  for (const earlier of [...box.children]) if (earlier.firstElementChild.textContent === text.replaceAll("`", "")) earlier.remove();
  const message = make("div", { class: bad ? "message bad" : "message", role: bad ? "alert" : null }, make("span", {}, ...sentence(text)),
    action && button(action[0], () => { close(); action[1](); }), button("Close", close, { icon: "close" }));
  if (box.childElementCount >= 3) box.firstElementChild.remove();
  box.append(message);
  setTimeout(close, seconds * 1000);
}

/** Say what went wrong. */
export function complain(error) {
  if (error.name === "AbortError") return;
  say(error.message, { bad: true });
  if (!("status" in error)) console.error(error);
}

/**
 * Open a dialog; it is removed when it closes.
 * @param {string} title
 * @param {Node[]} inside
 * @param {Node[]} [foot] buttons
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, inside, foot = []) {
  const dialog = make("dialog", { "aria-label": title },
    make("header", {}, make("h2", { text: title }), button("Close", () => dialog.close(), { icon: "close" })),
    make("div", { class: "inside" }, ...inside), foot.length ? make("footer", {}, ...foot) : null);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask before something that is hard to undo; returns whether the user agreed. */
export function confirmed(title, sentence, label) {
  return new Promise((resolve) => {
    let agreed = false;
    const dialog = openDialog(title, [make("p", { text: sentence })], [
      button("Keep as it is", () => dialog.close()),
      button(label, () => { agreed = true; dialog.close(); }, { class: "main" }),
    ]);
    dialog.addEventListener("close", () => resolve(agreed));
  });
}
