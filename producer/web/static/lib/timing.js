// When work is done: once a frame, after a pause, one run at a time.

const PAUSE = 250;

/** Run `work` at most once a frame, however often the returned function is called. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; work(); });
  };
}

/** Run `work` once after the next frame is on the screen, for what may come a moment later. */
export function afterFrame(work) {
  return oncePerFrame(() => setTimeout(work));
}

/** Return a function that runs `work` when it has not been called again for a quarter of a second. */
export function afterPause(work) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), PAUSE);
  };
}

/**
 * Return a function that runs asynchronous `work`, never two runs at once. Called during a run, it makes one more follow, so that
 * nothing is missed that has changed meanwhile; its promise is that of the run that begins after the call.
 */
export function inTurn(work) {
  let last = Promise.resolve(), next = null;
  return () => {
    next ??= last = last.catch(() => {}).then(() => { next = null; return work(); });
    return next;
  };
}
