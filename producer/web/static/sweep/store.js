// The sweep's cells, column by column in typed arrays, and how they change.

import { ask, page } from "../lib/api.js";
import { complain } from "../lib/messages.js";
import { words } from "../lib/format.js";
import { inTurn } from "../lib/timing.js";

/** Codes of the flags in `store.flag`. */
export const NO_FLAG = 0, PICK = 1, REJECT = 2;
const FLAGS = [null, "pick", "reject"];

/** A code of `store.flag` as the API has it, and back. */
export const flagName = (code) => FLAGS[code];
export const flagCode = (name) => Math.max(0, FLAGS.indexOf(name ?? null));

/** Stars of a cell that nobody has rated. */
export const UNRATED = -1;

/**
 * All cells of one sweep. A cell is known here by its index, which never changes; `position` is its place in the sweep.
 * Missing numbers are NaN, a missing value of an axis is -1.
 */
export class Store {
  /** @param {object} document the answer of /sweeps/{id}/cells */
  constructor(document) {
    this.sweep = document.sweep;
    this.axes = document.axes;
    this.metrics = document.metrics;
    this.states = document.states;
    this.counts = document.counts;
    this.cursor = document.cursor;
    this.length = 0;
    this.version = 0;
    this.indexOf = new Map();
    this.cellsOf = new Map();
    this.held = new Map();
    // Whether the sweep has grown, and the whole of it could not be had yet.
    this.behind = false;
    // The number of the last rating of each job, by which an answer that was asked for before it is known.
    this.ratings = 0;
    this.ratedAt = new Map();
    this.reload = inTurn(() => this.#reload());
    this.listeners = new Set();
    this.#allocate(Math.max(64, document.cells.position.length));
    this.#put(document);
  }

  /** Load the sweep of the page. */
  static async load() {
    return new Store(await ask(`/sweeps/${page.sweep}/cells`));
  }

  /** Call `listener({changed, added, columns})` after every change: two lists of indices, and whether there are other metrics or axes. */
  onChange(listener) {
    this.listeners.add(listener);
  }

  /** Take in what the stream has told. */
  apply(changes, asked = this.ratings) {
    const { cells } = changes;
    this.#advance(changes);
    const metric = Object.keys(cells.metrics).some((name) => !this.metric.has(name));
    // With a new cell, values of the axes may have other places than before: numbers are in order.
    const grown = this.behind || cells.position.some((place) => !this.indexOf.has(place))
      || cells.at.some((column, axis) => column.some((at) => at >= this.axes[axis].values.length));
    this.behind = grown;
    if (metric || grown) this.reload().catch(complain);
    if (!grown && cells.position.length) this.#tell(this.#put(changes, asked));
  }

  /** Fetch what has changed since a cursor. What is told or rated while the answer is on its way holds against it. */
  async catchUp(since) {
    const asked = this.ratings;
    this.apply(await ask(`/sweeps/${page.sweep}/cells?changed_since=${encodeURIComponent(since)}`), asked);
  }

  // A metric was measured for the first time, or the sweep has grown: metrics and axes are told only with the whole.
  async #reload() {
    const asked = this.ratings;
    const document = await ask(`/sweeps/${page.sweep}/cells`);
    const { axes } = this;
    for (const name of ["metrics", "axes"]) this[name] = document[name];
    this.behind = false;
    this.#advance(document);
    this.#allocate(this.capacity);
    this.#tell({ ...this.#put(document, asked), columns: axes });
  }

  // An answer may come after what was told later.
  #advance({ cursor, counts }) {
    if (cursor >= this.cursor) Object.assign(this, { cursor, counts });
  }

  /** Take in ratings that the server has stored; where another one is on its way there, that one is shown. */
  stored(ratings) {
    for (const rating of ratings) if (this.held.has(rating.job)) this.held.get(rating.job).rating = rating;
    this.rate(ratings.filter(({ job }) => !this.held.has(job)));
  }

  /** Show ratings at once; `ratings` are as the API has them. They hold against the stream until `release`. */
  rate(ratings, hold = false) {
    const changed = [];
    for (const rating of ratings) {
      if (hold) this.#hold(rating.job);
      this.ratedAt.set(rating.job, ++this.ratings);
      for (const index of this.cellsOf.get(rating.job) ?? []) {
        if (rating.stars !== undefined) this.stars[index] = rating.stars ?? UNRATED;
        if (rating.flag !== undefined) this.flag[index] = flagCode(rating.flag);
        changed.push(index);
      }
    }
    this.#tell({ changed, added: [] });
  }

  /**
   * The server has answered for these ratings: `told` is what it has stored, nothing if it refused. When nothing more is
   * on its way for a job, what the server has is shown.
   */
  release(ratings, told = []) {
    const stored = new Map(told.map((rating) => [rating.job, rating]));
    const settled = [];
    for (const { job } of ratings) {
      const hold = this.held.get(job);
      if (stored.has(job)) hold.rating = stored.get(job);
      hold.count -= 1;
      if (hold.count) continue;
      this.held.delete(job);
      // What was asked for until now may not know of it.
      this.ratedAt.set(job, ++this.ratings);
      const shown = this.ratingOf(this.cellsOf.get(job)[0]);
      if (shown.stars !== hold.rating.stars || shown.flag !== hold.rating.flag) settled.push(hold.rating);
    }
    if (settled.length) this.rate(settled);
  }

  #hold(job) {
    const hold = this.held.get(job);
    if (hold) hold.count += 1;
    else this.held.set(job, { count: 1, rating: this.ratingOf(this.cellsOf.get(job)[0]) });
  }

  /** Return the rating of a cell as the API has it. */
  ratingOf(index) {
    return { job: this.job[index], stars: this.stars[index] === UNRATED ? null : this.stars[index], flag: flagName(this.flag[index]) };
  }

  /** Return the label of a cell's value on an axis, or null. */
  labelAt(axis, index) {
    const at = this.at[axis][index];
    return at < 0 ? null : this.axes[axis].labels[at];
  }

  /** Return a cell in words: the values of the axes that have more than one. */
  nameOf(index) {
    const parts = this.axes.flatMap((axis, number) => {
      const label = this.labelAt(number, index);
      if (axis.values.length < 2 || label === null) return [];
      return [axis.pictures.some(Boolean) ? label : `${words(axis.name)} ${label}`];
    });
    return parts.join(", ") || `cell ${this.position[index] + 1}`;
  }

  /** Return the numbers of a metric, or of "loss", "stars" or "iteration", by index. */
  column(name) {
    return this.metric.get(name) ?? this[name];
  }

  #allocate(capacity) {
    const grown = (Type, old, empty) => {
      const array = new Type(capacity).fill(empty);
      if (old) array.set(old.subarray(0, this.length));
      return array;
    };
    this.capacity = capacity;
    for (const name of ["position", "iteration", "iterations", "picture_iteration"]) this[name] = grown(Int32Array, this[name], -1);
    this.state = grown(Uint8Array, this.state, 0);
    this.flag = grown(Uint8Array, this.flag, 0);
    this.stars = grown(Int8Array, this.stars, UNRATED);
    this.loss = grown(Float64Array, this.loss, NaN);
    this.at = this.axes.map((_, axis) => grown(Int32Array, this.at?.[axis], -1));
    this.metric = new Map(this.metrics.map(({ name }) => [name, grown(Float64Array, this.metric?.get(name), NaN)]));
    for (const name of ["job", "picture", "error", "told"]) this[name] ??= [];
  }

  // `asked` is the number of the last rating that the answer may know of.
  #put({ cursor, cells }, asked = this.ratings) {
    const changed = [], added = [];
    const { position, metrics } = cells;
    if (this.length + position.length > this.capacity) {
      const more = position.filter((place) => !this.indexOf.has(place)).length;
      if (this.length + more > this.capacity) this.#allocate(2 * (this.length + more));
    }
    const measured = [...this.metric].filter(([name]) => metrics[name]).map(([name, column]) => [column, metrics[name]]);
    for (let i = 0; i < position.length; i++) {
      let index = this.indexOf.get(position[i]);
      if (index === undefined) {
        index = this.length++;
        this.indexOf.set(position[i], index);
        added.push(index);
      } else changed.push(index);
      if (!(this.told[index] > cursor)) {
        this.told[index] = cursor;
        this.#putCell(index, cells, i);
        for (const [column, told] of measured) column[index] = told[i] ?? NaN;
      }
      if (this.held.has(cells.job[i]) || this.ratedAt.get(cells.job[i]) > asked) continue;
      // What is streamed to all users has nobody's ratings in it.
      if (cells.stars) this.stars[index] = cells.stars[i] ?? UNRATED;
      if (cells.flag) this.flag[index] = flagCode(cells.flag[i]);
    }
    return { changed, added };
  }

  #putCell(index, cells, i) {
    this.position[index] = cells.position[i];
    this.#name(index, cells.job[i]);
    this.state[index] = cells.state[i];
    this.iteration[index] = cells.iteration[i] ?? 0;
    this.iterations[index] = cells.iterations[i] ?? 0;
    this.loss[index] = cells.loss[i] ?? NaN;
    this.picture[index] = cells.picture[i];
    this.picture_iteration[index] = cells.picture_iteration[i] ?? -1;
    // Errors are not in what a share link shows.
    this.error[index] = cells.error?.[i] ?? null;
    for (let axis = 0; axis < this.at.length; axis++) this.at[axis][index] = cells.at[axis][i] ?? -1;
  }

  #name(index, job) {
    if (this.job[index] === job) return;
    this.job[index] = job;
    const known = this.cellsOf.get(job);
    if (known) known.push(index);
    else this.cellsOf.set(job, [index]);
  }

  #tell(change) {
    this.version += 1;
    for (const listener of this.listeners) listener(change);
  }
}
