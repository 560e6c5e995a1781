// One picture as large as it goes, to be judged by keys.

import { announce, button, make, renew } from "../lib/dom.js";
import { mayWrite, page } from "../lib/api.js";
import { count } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { afterPause, inTurn, oncePerFrame } from "../lib/timing.js";
import { describe } from "./cell.js";
import { facts } from "./facts.js";
import { Filmstrip } from "./filmstrip.js";
import { rate } from "./keys.js";
import { ratingBar } from "./rating_bar.js";
import { snapshotsOf } from "./snapshots.js";
import { fetchAhead, Zoom, ZoomedPicture } from "./zoom.js";

/** The zoom that loupe and compare share, so that it is kept from one to the other. */
export const sharedZoom = new Zoom();

/** The view of one cell. */
export class Loupe {
  constructor(store, desk, root, ratings) {
    Object.assign(this, { store, desk, root, single: true, snapshots: [], step: null, listed: undefined });
    this.picture = new ZoomedPicture(sharedZoom, { onSwipe: (by) => this.go(by) });
    this.strip = new Filmstrip(store, desk);
    this.words = make("p", { class: "no-picture" });
    this.aside = make("aside", { class: "facts-panel", "aria-label": "About this picture" });
    this.slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Snapshot", oninput: (event) => this.showStep(Number(event.target.value)) });
    this.time = make("output", { class: "muted" });
    this.times = make("div", { class: "times" }, this.slider, this.time);
    this.place = make("span", { class: "muted" });
    this.bar = ratingBar(store, (rating) => rate({ desk, ratings, view: () => this }, rating));
    this.more = button("About", () => root.classList.toggle("told"), { class: "about" });
    const zoomed = button("1:1", () => sharedZoom.toggle(), { title: "1:1, or the whole (Z)" });
    root.append(make("div", { class: "stand" }, make("div", { class: "frame" }, this.picture.element, this.words,
      button("The picture before", () => this.go(-1), { icon: "left", class: "plain icon before" }), button("The next picture", () => this.go(1), { icon: "right", class: "plain icon after" })),
    make("div", { class: "loupe-bar" }, this.place, mayWrite() ? this.bar.element : make("span"), make("span", { class: "row ends" }, this.times, zoomed, this.more)), this.strip.element), this.aside);
    this.fetch = inTurn(() => this.#fetch());
    this.askSnapshots = afterPause(() => this.fetch().catch(complain));
    this.draw = oncePerFrame(() => { if (!root.hidden) this.#draw(); });
    sharedZoom.listeners.add(() => zoomed.setAttribute("aria-pressed", sharedZoom.scale !== null));
    desk.on("current", () => { this.step = null; this.snapshots = []; this.listed = undefined; if (!root.hidden) { this.#draw(); this.strip.reveal(); announce(describe(store, desk.current)); } });
    desk.on("cells", () => { this.draw(); if (!root.hidden) this.strip.redraw(); });
    desk.on("arranged", () => { if (!root.hidden) { this.strip.arranged(); this.#draw(); } });
    desk.on("selected", () => { if (!root.hidden) this.strip.redraw(); });
  }

  shownAgain() {
    this.strip.arranged();
    this.#draw();
    if (document.activeElement?.closest("[role=grid]") || document.activeElement === document.body) this.root.focus();
  }

  targets() { return this.desk.current >= 0 ? [this.desk.current] : []; }

  go(by) { this.desk.go(this.desk.arrangement.step(this.desk.current, by)); }

  key(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (key === "ArrowRight" || key === "ArrowDown") this.go(1);
    else if (key === "ArrowLeft" || key === "ArrowUp") this.go(-1);
    else if (key === "Home") this.go(-1e9);
    else if (key === "End") this.go(1e9);
    else if (key === "z" || key === "Z") sharedZoom.toggle();
    else if (key === "+" || key === "=") this.picture.by(1.25);
    else if (key === "-") this.picture.by(0.8);
    else if (key === "[" || key === "]") this.stepBy(key === "]" ? 1 : -1);
    else if (key === " ") this.desk.toggle(this.desk.current);
    else if (key === "i") this.root.classList.toggle("told");
    else return false;
    return true;
  }

  async stepBy(by) {
    if (page.read_only) return;
    try {
      if (!this.snapshots.length) await this.fetch();
    } catch (error) { complain(error); }
    const last = this.snapshots.length;
    if (last) this.showStep(Math.max(0, Math.min(last, (this.step ?? last) + by)));
  }

  /** Show a snapshot by its number; the number after the last is the newest picture. */
  showStep(step) {
    this.step = step >= this.snapshots.length ? null : step;
    this.#drawPicture();
  }

  async #fetch() {
    const { store, desk } = this, index = desk.current;
    if (index < 0) return;
    const picture = store.picture[index];
    const snapshots = await snapshotsOf(store, index);
    if (index !== desk.current) return;
    this.listed = picture;
    this.snapshots = snapshots.filter(({ sha256 }) => sha256 !== store.picture[index]);
    if (!(this.step < this.snapshots.length)) this.step = null;
    this.#drawTimes();
  }

  #draw() {
    const { store, desk } = this, index = desk.current;
    if (index < 0) return;
    const at = desk.arrangement.orderOf(index);
    this.place.textContent = at < 0 ? "not among those shown" : `${count(at + 1)} of ${count(desk.arrangement.sequence.length)}`;
    this.#drawPicture();
    this.bar.draw(index);
    renew(this.aside, make("h2", { text: store.nameOf(index) }), ...facts(store, index));
    this.root.dataset.flag = store.flag[index];
    // A share link shows results alone.
    if (this.listed !== store.picture[index] && !page.read_only) this.askSnapshots();
    const { sequence } = desk.arrangement;
    if (at >= 0) fetchAhead([sequence[at + 1], sequence[at - 1], sequence[at + 2]].map((next) => store.picture[next]));
  }

  #drawPicture() {
    const { store, desk } = this, index = desk.current;
    const hash = this.step === null ? store.picture[index] : this.snapshots[this.step].sha256;
    this.picture.show(hash, describe(store, index), index === this.shownIndex);
    this.shownIndex = index;
    this.words.hidden = Boolean(hash);
    this.words.textContent = hash ? "" : store.error[index] ?? `No picture yet: ${store.states[store.state[index]]}`;
    this.#drawTimes();
  }

  #drawTimes() {
    const { store, desk, snapshots } = this;
    this.times.hidden = !snapshots.length;
    this.slider.max = snapshots.length;
    this.slider.value = this.step ?? snapshots.length;
    const newest = store.picture_iteration[desk.current];
    const iteration = this.step === null ? newest : snapshots[this.step].iteration;
    this.time.textContent = iteration >= 0 ? `iteration ${count(iteration)}` : "";
    this.slider.setAttribute("aria-valuetext", this.time.textContent);
  }
}
