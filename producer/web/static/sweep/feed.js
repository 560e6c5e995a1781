// Changes as they happen. One tab listens to the server and tells the others, since a browser opens only six connections.

import { ask, page } from "../lib/api.js";

const LONGEST_PAUSE = 30_000;

/**
 * Keep a store as new as the server.
 * @param {Store} store
 * @param {function(string)} onState is told "live", "waiting" (it will be tried again), or "gone" (the sweep was deleted)
 */
export function follow(store, onState) {
  const name = `stylefarm-sweep-${page.base}-${page.sweep}`;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
  const take = (message) => {
    if (message.changes) store.apply(message.changes);
    if (message.ratings) store.rate(message.ratings.filter(({ job }) => !store.held.has(job)));
    if (message.state) onState(message.state);
  };
  const tell = (message) => { take(message); channel?.postMessage(message); };
  if (channel) channel.onmessage = ({ data }) => take(data);
  if (!channel || !("locks" in navigator)) return listen(store, tell);

  // Followers miss what was told between their document and now.
  catchUp(store, (message) => take(message)).catch(() => onState("waiting"));
  let release = null;
  const queue = () => navigator.locks.request(name, () => new Promise((resolve) => {
    const stop = listen(store, tell);
    release = () => { stop(); resolve(); };
  }));
  queue();
  // A page that is kept for the way back holds neither the lock nor the connection.
  addEventListener("pagehide", () => { release?.(); release = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) { catchUp(store, take).catch(() => onState("waiting")); queue(); } });
  return undefined;
}

/** Fetch what has changed since the store's last change. */
async function catchUp(store, tell) {
  const changes = await ask(`/sweeps/${page.sweep}/cells?changed_since=${encodeURIComponent(store.cursor)}`);
  tell({ changes, state: "live" });
}

/** Listen to the stream until the returned function is called; after an error wait longer each time. */
function listen(store, tell) {
  let source, timer, pause = 500, stopped = false;
  function open() {
    source = new EventSource(`${page.base}/sweeps/${page.sweep}/stream?since=${encodeURIComponent(store.cursor)}`);
    source.onopen = () => {
      pause = 500;
      tell({ state: "live" });
    };
    source.addEventListener("ratings", ({ data }) => tell({ ratings: JSON.parse(data).ratings }));
    source.addEventListener("changes", ({ data }) => tell({ changes: JSON.parse(data), state: "live" }));
    source.addEventListener("gone", () => { stop(); tell({ state: "gone" }); });
    source.onerror = again;
  }
  function again() {
    source.close();
    clearTimeout(timer);
    if (stopped) return;
    tell({ state: "waiting" });
    timer = setTimeout(open, pause * (0.75 + Math.random() / 2));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  function stop() {
    stopped = true;
    source.close();
    clearTimeout(timer);
  }
  open();
  return stop;
}
