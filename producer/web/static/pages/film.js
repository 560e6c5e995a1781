// The picture of a job over its iterations.

import { make } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { Zoom, ZoomedPicture } from "../sweep/zoom.js";

/** The newest picture, with a slider back through the snapshots. */
export class Film {
  constructor() {
    this.zoom = new Zoom();
    this.picture = new ZoomedPicture(this.zoom);
    this.frames = [];
    this.at = null;
    this.none = make("p", { class: "no-picture", text: "No picture yet." });
    this.slider = make("input", { type: "range", min: 0, "aria-label": "Snapshot", oninput: () => this.show(Number(this.slider.value)) });
    this.time = make("output", { class: "muted" });
    this.times = make("div", { class: "times whole" }, this.slider, this.time);
    this.element = make("div", { class: "film" }, make("div", { class: "job-picture" }, this.picture.element, this.none), this.times);
    document.addEventListener("keydown", (event) => {
      if (event.target.closest?.("input, select, dialog") || event.ctrlKey || event.metaKey) return;
      if (event.key === "[" || event.key === "]") this.show(Math.max(0, Math.min(this.frames.length - 1, (this.at ?? this.frames.length - 1) + (event.key === "]" ? 1 : -1))));
      if (event.key === "z") this.zoom.toggle();
    });
  }

  draw(snapshots, result) {
    const frames = snapshots.map(({ iteration, sha256 }) => ({ sha256, name: `iteration ${count(iteration)}` }));
    if (result && frames.at(-1)?.sha256 !== result) frames.push({ sha256: result, name: "result" });
    this.frames = frames;
    this.none.hidden = frames.length > 0;
    this.times.hidden = frames.length < 2;
    this.slider.max = frames.length - 1;
    this.show(this.at ?? frames.length - 1);
  }

  show(at) {
    this.at = at >= this.frames.length - 1 ? null : at;
    const frame = this.frames[Math.min(at, this.frames.length - 1)];
    if (!frame) {
      this.picture.show(null);
      return;
    }
    this.picture.show(frame.sha256, `The picture: ${frame.name}`, true);
    this.slider.value = at;
    this.time.textContent = frame.name;
    this.slider.setAttribute("aria-valuetext", frame.name);
  }
}
