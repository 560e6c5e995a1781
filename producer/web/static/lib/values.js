// Values of parameters as people write them: "1, 2, 5" or "1..5".

const MOST = 1000;

/** Return the values in a text; numbers become numbers, "true" and "false" truths. Whole ranges are written "1..5". */
export function readValues(text) {
  return text.split(",").map((part) => part.trim()).filter(Boolean).flatMap((part) => {
    const range = /^(-?\d+)\.\.(-?\d+)$/.exec(part);
    if (!range) return [readValue(part)];
    const [from, to] = [Number(range[1]), Number(range[2])];
    if (to < from || to - from >= MOST) return [part];
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

function readValue(text) {
  if (text === "true" || text === "false") return text === "true";
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
