// A field into which pictures are dropped, or chosen; each is uploaded at once.

import { ask } from "../lib/api.js";
import { button, make } from "../lib/dom.js";
import { complain } from "../lib/messages.js";

/** Return `{element, addresses(), uploading()}`; `onChange` is called when an upload begins or ends, or a picture is left out. */
export function pictureField(title, hint, onChange) {
  const list = make("ul", {});
  const file = make("input", { type: "file", accept: "image/*", multiple: true, "aria-label": title, onchange: () => { add(file.files); file.value = ""; } });
  const box = make("div", { class: "drop" }, make("span", { class: "muted", text: hint }), list, file);
  box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("over"); });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    add(event.dataTransfer.files);
  });

  let uploading = 0;
  async function add(files) {
    uploading += files.length;
    onChange();
    for (const one of [...files]) {
      try {
        const { image } = await ask(`/images?name=${encodeURIComponent(one.name)}`, one);
        list.append(item(one, image));
      } catch (error) { complain(error); }
      uploading -= 1;
      onChange();
    }
  }
  function item(one, image) {
    const shown = URL.createObjectURL(one);
    const entry = make("li", {}, make("img", { src: shown, alt: one.name, title: `${one.name}, ${image.width} × ${image.height}` }),
      button(`Leave out ${one.name}`, () => { URL.revokeObjectURL(shown); entry.remove(); onChange(); }, { icon: "close" }));
    entry.dataset.address = image.address;
    return entry;
  }
  return { element: make("fieldset", {}, make("legend", { text: title }), box), addresses: () => [...list.children].map((entry) => entry.dataset.address), uploading: () => uploading };
}
