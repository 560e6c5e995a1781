// How many pictures a sweep would be, and how long they take, asked while it is being written.

import { ask } from "./api.js";
import { make } from "./dom.js";
import { duration, many } from "./format.js";

const PAUSE = 350;

/**
 * Return `{element, check(sweep), wait(sentence)}`: `check` asks the farm after a pause, `wait` says what is missing; `onAnswer(answer or null)` is told
 * what the farm says.
 */
export function forecast(onAnswer) {
  const element = make("p", { class: "forecast", "aria-live": "polite" });
  let timer, asked = null;
  function check(sweep) {
    clearTimeout(timer);
    asked?.abort();
    onAnswer(null);
    timer = setTimeout(async () => {
      asked = new AbortController();
      try {
        const answer = await ask("/sweeps:validate", { sweep }, { signal: asked.signal });
        element.classList.remove("error");
        element.replaceChildren(make("strong", { text: many(answer.jobs, "picture") }), [answer.known ? `, ${answer.known} of them known already` : "",
          answer.seconds === null ? "" : `, about ${duration(answer.seconds)}`].join(""), ...(answer.notes ?? []).map((note) => make("small", { text: note })));
        onAnswer(answer);
      } catch (error) {
        if (error.name === "AbortError") return;
        element.classList.add("error");
        element.textContent = error.message;
      }
    }, PAUSE);
  }
  function wait(sentence) {
    clearTimeout(timer);
    asked?.abort();
    onAnswer(null);
    element.classList.remove("error");
    element.textContent = sentence;
  }
  return { element, check, wait };
}
