// The page of a sweep: its parts are made here and told of each other.

import { later } from "../lib/api.js";
import { complain, say } from "../lib/messages.js";
import { make } from "../lib/dom.js";
import { startTheme } from "../lib/theme.js";
import { measuredAspect } from "./aspect.js";
import { Desk } from "./desk.js";
import { follow } from "./feed.js";
import { Grid } from "./grid.js";
import { startKeys } from "./keys.js";
import { Ratings } from "./ratings.js";
import { SidePanel } from "./side_panel.js";
import { startStatus } from "./status.js";
import { Store } from "./store.js";
import { startTools } from "./tools.js";

const section = (name) => document.getElementById(name);

// The views that are not seen first are loaded when they are asked for.
const LATER = {
  loupe: () => import("./loupe.js").then(({ Loupe }) => Loupe),
  compare: () => import("./compare.js").then(({ Compare }) => Compare),
  survey: () => import("./survey.js").then(({ Survey }) => Survey),
  explore: () => import("./explore.js").then(({ Explore }) => Explore),
  vote: () => import("./vote.js").then(({ Vote }) => Vote),
};

async function start() {
  startTheme();
  const store = await Store.load();
  const desk = new Desk(store);
  const ratings = new Ratings(store, desk);
  const parts = { store, desk, ratings };
  const views = new Map();
  document.title = `${store.sweep.name} · stylefarm`;
  section("name").textContent = store.sweep.name;

  const grid = new Grid(store, desk, section("grid"));
  grid.aspect = await measuredAspect(store);
  views.set("grid", grid);
  parts.grid = grid;
  // Keys do not wait for a view that is being loaded.
  parts.view = () => views.get(desk.chosen.view) ?? views.get(document.body.dataset.view);

  async function showView() {
    const { view } = desk.chosen;
    if (!views.has(view)) {
      const View = await later(LATER[view]());
      if (!views.has(view)) views.set(view, new View(store, desk, section(view), ratings));
    }
    if (view !== desk.chosen.view) return;
    for (const [name, one] of views) {
      if (name === view || section(name).hidden) continue;
      section(name).hidden = true;
      one.leave?.();
    }
    document.body.dataset.view = view;
    section(view).hidden = false;
    views.get(view).shownAgain();
  }
  desk.on("view", () => showView().catch((error) => {
    complain(error);
    // From the view that is seen the other one can be asked for again.
    desk.show(document.body.dataset.view);
  }));

  parts.panel = new SidePanel(store, desk, section("panel"));
  startTools(parts);
  startStatus(parts);
  startKeys(parts);
  desk.arrange();
  document.body.classList.add("ready");
  await showView();
  let before = null;
  desk.on("feed", ({ state, sentence = "This sweep was deleted." }) => {
    if (state !== before && (state === "gone" || state === "refused")) say(sentence, { bad: true, seconds: 60 });
    before = state;
  });
  follow(store, (state, sentence) => desk.tell("feed", { state, sentence }));
}

start().catch((error) => {
  section("stage").replaceChildren(make("p", { class: "empty error", text: error.message }));
  complain(error);
});
