// Numbers, times and names as they are shown.

/** Return a measured number with three digits that count. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(+value.toPrecision(3));
}

const counted = new Intl.NumberFormat("en");

/** Return a count with its thousands apart. */
export function count(value) {
  return counted.format(value);
}

/** Return "1 cell" or "12 cells". */
export function many(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Return a length of time in the two largest units that it has. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${+seconds.toFixed(1)} s`;
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, unit]) => seconds >= unit);
  let rest = Math.round(seconds);
  return parts.slice(first, first + 2).map(([name, unit]) => {
    const whole = Math.floor(rest / unit);
    rest -= whole * unit;
    return whole ? `${whole} ${name}` : "";
  }).filter(Boolean).join(" ");
}

/** Return how long ago a moment was. */
export function ago(moment) {
  if (!moment) return "–";
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  return seconds < 45 ? "just now" : `${duration(seconds).split(" ").slice(0, 2).join(" ")} ago`;
}

/** Return a size in bytes as people say it. */
export function bytes(size) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (size >= 1000 && at < units.length - 1) { size /= 1000; at += 1; }
  return `${number(size)} ${units[at]}`;
}

/** Return a name of the farm in words: "style_weight" is "style weight". */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** Return any value of a parameter as text. */
export function value(thing) {
  if (thing === null || thing === undefined) return "–";
  if (typeof thing === "number") return String(thing);
  return typeof thing === "string" ? thing : JSON.stringify(thing);
}
