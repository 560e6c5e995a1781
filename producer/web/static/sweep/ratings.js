// Stars, flags and votes: shown at once, sent in order, taken back if the server refuses them.

import { announce } from "../lib/dom.js";
import { ask, page } from "../lib/api.js";
import { complain, say } from "../lib/messages.js";

/** Sends what the user judges, one action after the other, so that each can be undone by itself. */
export class Ratings {
  constructor(store, desk) {
    this.store = store;
    this.desk = desk;
    this.queue = Promise.resolve();
    this.waiting = 0;
    // Settled when the last undo or redo is answered; null when none is on its way.
    this.turning = null;
    // What was not sent would be lost with the page.
    addEventListener("beforeunload", (event) => { if (this.waiting) event.preventDefault(); });
  }

  /**
   * Rate cells; one call is one action, so one undo.
   * @param {number[]} indices
   * @param {{stars?: number|null, flag?: string|null}} rating what is left out stays as it is
   */
  rate(indices, rating) {
    const { store } = this;
    const jobs = [...new Set(indices.map((index) => store.job[index]))];
    if (!jobs.length) return;
    const ratings = jobs.map((job) => ({ job, ...rating }));
    store.rate(ratings, true);
    announce(inWords(rating, indices.length));
    this.#send(async () => {
      try {
        const answer = await ask("/ratings", { ratings }, { keepalive: ratings.length < 200 });
        store.release(ratings, answer.ratings);
      } catch (error) {
        store.release(ratings);
        say(`Not saved, and taken back: ${error.message}`, { bad: true });
      }
    });
  }

  /** Undo or redo the last action: "undo" or "redo". */
  turn(way) {
    const from = this.desk.current;
    const turning = this.#send(async () => {
      const answer = await ask(`/${way}`, { sweep: page.sweep });
      const action = answer.undone ?? answer.redone;
      if (!action) {
        say(`There is nothing to ${way}.`);
        return;
      }
      const did = way === "undo" ? "Undone" : "Done again";
      if (action.kind === "vote") {
        say(`${did}: a vote.`);
        this.desk.tell("vote undone");
        return;
      }
      this.store.stored(action.ratings);
      const first = this.store.cellsOf.get(action.ratings[0]?.job)?.[0] ?? -1;
      // Who has gone elsewhere meanwhile is not led away.
      if (this.desk.current === from) this.desk.go(first);
      say(`${did}: rating of ${action.ratings.length === 1 && first >= 0 ? this.store.nameOf(first) : `${action.ratings.length} pictures`}.`);
    }).finally(() => { if (this.turning === turning) this.turning = null; });
    this.turning = turning;
  }

  /** Send something else in the same order, such as a vote. */
  then(work) { return this.#send(work); }

  #send(work) {
    this.waiting += 1;
    this.queue = this.queue.then(work).catch(complain).finally(() => { this.waiting -= 1; });
    return this.queue;
  }
}

function inWords({ stars, flag }, number) {
  const what = [];
  if (stars !== undefined) what.push(stars === null ? "no stars" : `${stars} ${stars === 1 ? "star" : "stars"}`);
  if (flag !== undefined) what.push({ pick: "picked", reject: "rejected" }[flag] ?? "no flag");
  return number === 1 ? what.join(", ") : `${number} pictures: ${what.join(", ")}`;
}
