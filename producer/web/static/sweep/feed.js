// Changes as they happen. One tab listens to the server and tells the others, since a browser opens only six connections.

import { ask, page } from "../lib/api.js";

const PAUSE = 500, LONGEST_PAUSE = 30_000;
// Who asks may not look any more, or what is asked for is gone.
const REFUSALS = [401, 403, 404];

/**
 * Keep a store as new as the server.
 * @param {Store} store
 * @param {function(string, string?)} onState is told "live", "waiting" (it will be tried again), "gone" (the sweep was deleted),
 *   or "refused" with the server's sentence (it will be tried again, but is of use only if somebody signs in)
 */
export function follow(store, onState) {
  const name = `stylefarm-sweep-${page.base}-${page.sweep}`;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
  const take = (message) => {
    if (message.changes) store.apply(message.changes);
    if (message.ratings) store.stored(message.ratings);
    if (message.state) onState(message.state, message.sentence);
  };
  const tell = (message) => { take(message); channel?.postMessage(message); };
  if (channel) channel.onmessage = ({ data }) => take(data);
  if (!channel || !("locks" in navigator)) return listen(store, tell);

  // Followers miss what was told between their document and now.
  catchUp(store, onState);
  let release = null;
  const queue = () => navigator.locks.request(name, () => new Promise((resolve) => {
    const stop = listen(store, tell);
    release = () => { stop(); resolve(); };
  }));
  queue();
  // A page that is kept for the way back holds neither the lock nor the connection.
  addEventListener("pagehide", () => { release?.(); release = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) { catchUp(store, onState); queue(); } });
  return undefined;
}

// Fetch what has changed up to now, however often that must be tried.
async function catchUp(store, onState, since = store.cursor, pause = PAUSE) {
  try {
    await store.catchUp(since);
    onState("live");
  } catch (error) {
    onState(...reason(error));
    setTimeout(() => catchUp(store, onState, since, Math.min(2 * pause, LONGEST_PAUSE)), pause);
  }
}

const reason = (error) => (REFUSALS.includes(error.status) ? ["refused", error.message] : ["waiting"]);

/** Listen to the stream until the returned function is called; after an error wait longer each time. */
function listen(store, tell) {
  let source, timer, pause = PAUSE, stopped = false;
  function open() {
    source = new EventSource(`${page.base}/sweeps/${page.sweep}/stream?since=${encodeURIComponent(store.cursor)}`);
    source.onopen = () => {
      pause = PAUSE;
      tell({ state: "live" });
    };
    source.addEventListener("ratings", ({ data }) => tell({ ratings: JSON.parse(data).ratings }));
    source.addEventListener("changes", ({ data }) => tell({ changes: JSON.parse(data), state: "live" }));
    source.addEventListener("gone", () => { stop(); tell({ state: "gone" }); });
    source.onerror = () => {
      source.close();
      if (!stopped) again("waiting");
    };
  }
  function again(state, sentence) {
    clearTimeout(timer);
    tell({ state, sentence });
    timer = setTimeout(reopen, pause * (0.75 + Math.random() / 2));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  // A stream does not tell why it was refused.
  async function reopen() {
    try {
      await ask(`/sweeps/${page.sweep}/cells?changed_since=${encodeURIComponent(store.cursor)}`);
    } catch (error) {
      if (!stopped) again(...reason(error));
      return;
    }
    if (!stopped) open();
  }
  function stop() {
    stopped = true;
    source.close();
    clearTimeout(timer);
  }
  open();
  return stop;
}
