// What the page asks of the server, and where pictures are.

/** What the page starts with: `user`, `role`, `read_only`, `base` (of the API), `root` (of pictures), `sweep`, `job`. */
export const page = JSON.parse(document.getElementById("page").textContent);

/** An answer that is none: `message` is a sentence for the user. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const unanswered = () => new Problem(0, "The farm does not answer: check that it runs, and your network.");

/** Return what a module has that is loaded when it is asked for. @throws {Problem} if it cannot be had now */
export function later(module) {
  return module.catch(() => { throw unanswered(); });
}

/**
 * Return the JSON answer of the API.
 * @param {string} path below the API's base, such as "/jobs/1"
 * @param {object} [body] is sent by POST unless `method` says otherwise
 * @throws {Problem} with the server's sentence, or one that says that no server answered
 */
export async function ask(path, body, { method = body === undefined ? "GET" : "POST", signal, keepalive = false } = {}) {
  const form = body instanceof FormData || body instanceof Blob;
  const options = { method, signal, keepalive, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.body = form ? body : JSON.stringify(body);
    if (!form) options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(page.base + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unanswered();
  }
  if (answer.status === 204) return null;
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson ? await answer.json() : null;
  if (answer.ok) return content;
  throw new Problem(answer.status, content?.detail ?? content?.title ?? `The farm answered with status ${answer.status}.`);
}

/** Ask for a file and let the browser save it, by the name that the farm gives it. */
export async function download(path, body) {
  const answer = await fetch(page.base + path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  if (!answer.ok) throw new Problem(answer.status, (await answer.json()).detail);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "stylefarm";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return the address of a small picture; `edge` is the longest side in CSS pixels. */
export function thumb(hash, edge = 192) {
  const pixels = edge * Math.min(2, devicePixelRatio);
  return `${page.root ?? ""}/thumbs/${hash}-${pixels > 230 ? 384 : 192}.webp`;
}

/** Return the address of the picture as it was stored. */
export function original(hash) {
  return `${page.root ?? ""}/pictures/${hash}`;
}

/** Return whether the user may change something here. */
export function mayWrite() {
  return !page.read_only && page.role !== "read";
}
