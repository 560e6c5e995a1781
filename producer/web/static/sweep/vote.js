// Two pictures of one content: which is better? The farm makes a ranking of the answers.

import { ask, mayWrite, page, thumb } from "../lib/api.js";
import { announce, make } from "../lib/dom.js";
import { many, number } from "../lib/format.js";
import { complain } from "../lib/messages.js";
import { inTurn } from "../lib/timing.js";
import { fetchAhead, Zoom, ZoomedPicture } from "./zoom.js";

// Milliseconds after which is asked again where the farm did not answer.
const AGAIN = 2000;

/** The view of votes, and of the ranking that they make. */
export class Vote {
  constructor(store, desk, root, ratings) {
    Object.assign(this, { store, desk, root, ratings, advances: false, pair: null, cast: 0, sending: false });
    this.next = inTurn(() => this.#next());
    const zoom = new Zoom();
    this.sides = ["left", "right"].map((side) => {
      const picture = new ZoomedPicture(zoom);
      const caption = make("figcaption", { class: "muted" });
      return { side, picture, caption, element: make("figure", { class: "pane" }, picture.element,
        make("button", { type: "button", onclick: () => this.vote(side) }, ...(side === "left" ? better("Left", "Upper", "←") : better("Right", "Lower", "→")))) };
    });
    this.told = make("p", { class: "muted" });
    this.nothing = make("p", { class: "empty", hidden: true, text: "There is no pair to vote on: two pictures of the same content must be done." });
    this.pairElement = make("div", { class: "panes", data: { number: 2 } }, ...this.sides.map((side) => side.element));
    this.buttons = make("div", { class: "row vote-bar" }, make("button", { type: "button", onclick: () => this.vote("tie") }, "Equally good", key("↑")), make("button", { type: "button", class: "plain", onclick: () => this.vote("skip") }, "Skip", key("↓")),
      make("button", { type: "button", class: "plain", onclick: () => ratings.turn("undo") }, "Undo", key("Ctrl Z")), this.told);
    this.ranking = make("ol", { class: "ranking" });
    root.append(make("div", { class: "vote-stand" }, this.nothing, this.pairElement, this.buttons),
      make("aside", { class: "facts-panel", "aria-label": "Ranking" }, make("h2", { text: "Ranking" }), this.ranking));
    desk.on("vote undone", () => {
      // What was shown may not be what is voted on next, and an answer on its way may not know of this.
      this.pair = null;
      this.cast += 1;
      this.next().catch(complain);
    });
    desk.on("cells", () => { if (!root.hidden && !this.pair) this.next().catch(complain); });
  }

  shownAgain() {
    this.next().catch(complain);
    document.activeElement?.blur();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const outcome = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "tie", ArrowDown: "skip", " ": "skip" }[event.key];
    if (outcome) this.vote(outcome);
    return Boolean(outcome);
  }

  vote(outcome) {
    if (!this.pair || !mayWrite()) return;
    const [left, right] = this.pair.map((index) => this.store.job[index]);
    this.pair = null;
    this.cast += 1;
    this.sending = true;
    this.pairElement.dataset.chosen = outcome;
    announce({ left: "Left", right: "Right", tie: "Equally good", skip: "Skipped" }[outcome]);
    this.ratings.then(async () => {
      try { await ask(`/sweeps/${page.sweep}/votes`, { left, right, outcome }); } finally { this.sending = false; this.next().catch(complain); }
    });
  }

  /** Show the next pair; where there is none yet, that is tried again when cells change, and where the farm is away, soon. */
  async #next() {
    clearTimeout(this.timer);
    try {
      await this.#show();
    } catch (error) {
      if (error.status !== 404) this.timer = setTimeout(() => { if (!this.root.hidden && !this.pair) this.next().catch(complain); }, AGAIN);
      throw error;
    }
  }

  async #show() {
    const { cast } = this;
    const { pair, votes } = await ask(`/sweeps/${page.sweep}/votes/next`);
    // The answer may not know of a vote that was cast meanwhile, or is on its way; after that it is asked again.
    if (this.sending || this.cast !== cast) return;
    this.told.textContent = many(votes, "vote");
    const cells = pair && [pair.left, pair.right].map((position) => this.store.indexOf.get(position));
    // The farm may know of a result a moment before this page is told of it, which has a snapshot until then.
    this.pair = cells?.every((index) => this.store.picture[index] && this.store.states[this.store.state[index]] === "done") ? cells : null;
    this.nothing.hidden = Boolean(pair);
    this.pairElement.hidden = this.buttons.hidden = !this.pair;
    delete this.pairElement.dataset.chosen;
    if (this.pair) {
      fetchAhead(this.pair.map((index) => this.store.picture[index]));
      this.sides.forEach(({ picture, side }, at) => picture.show(this.store.picture[this.pair[at]], `${side} picture`));
    }
    await this.#rank();
  }

  async #rank() {
    const { ranking } = await ask(`/sweeps/${page.sweep}/ranking`);
    const ranked = ranking.filter(({ votes }) => votes > 0);
    this.ranking.replaceChildren(...ranked.slice(0, 50).map((entry) => {
      const index = this.store.indexOf.get(entry.position);
      const hash = this.store.picture[index];
      return make("li", {}, make("button", { type: "button", class: "plain ranked", onclick: () => { this.desk.go(index); this.desk.show("loupe"); } },
        hash && make("img", { src: thumb(hash, 64), alt: "", loading: "lazy", decoding: "async" }),
        make("span", { class: "rank-words" }, make("span", { text: this.store.nameOf(index) }), make("small", { text: `${number(entry.score)} ± ${number(entry.error)}, ${many(entry.votes, "vote")}` }))));
    }));
    if (!ranked.length) this.ranking.replaceChildren(make("li", { class: "muted", text: "No votes yet." }));
  }
}

// On a narrow screen, where the pair stands one above the other and is tapped, there is no left and no key.
const better = (beside, stacked, arrow) => [make("span", { class: "beside", text: `${beside} is better (${arrow})` }), make("span", { class: "stacked", text: `${stacked} is better` })];
const key = (name) => make("span", { class: "beside", text: `(${name})` });
