// Numbers and times as people read them.

/** Return a number and its noun, such as "1 track" or "2,000 tracks". */
export const formatCount = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** Return a text that ends as a sentence does. */
export const withPeriod = (text) => text.replace(/[^.!?]$/, "$&.");

/** Return a length: "0.28 s", "4.0 s", "3:05" or "1:02:03"; empty for 0, which stands for an unknown one. */
export function formatLength(seconds) {
  if (!seconds) return "";
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return formatPosition(Math.round(seconds));
}

/** Return a position in whole seconds, such as "0:07" or "1:02:03". */
export function formatPosition(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Return a position to a tenth of a second, such as "0:07.0". */
export function formatTime(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${formatPosition(Math.floor(tenths / 10))}.${tenths % 10}`;
}

/** Return a similarity as a percentage, such as "62 %". */
export const formatMatch = (similarity) => `${Math.round(100 * Math.max(0, similarity))} %`;

/**
 * Return a range as the server reads it, given one as people write it: "1990-1999" as "1990..1999".
 *
 * Times may be written as minutes and seconds, such as "1:30-5:00".
 *
 * @returns the range, "" for an empty text, or null if the text is no range
 */
export function parseRange(text) {
  const ends = text.trim().match(/^([\d.:]*?)\s*(?:(\.\.|[-–—])\s*([\d:]*(?:\.\d+)?))?$/);
  if (!ends) return null;
  const [first, last] = [toSeconds(ends[1]), toSeconds(ends[3] ?? "")];
  if (!text.trim()) return "";
  if (first === null || last === null || (first === "" && last === "")) return null;
  if (first !== "" && last !== "" && first > last) return null;
  return ends[2] ? `${first}..${last}` : String(first);
}

function toSeconds(text) {
  if (text === "") return "";
  if (!/^\d+(:[0-5]\d){0,2}(\.\d+)?$/.test(text)) return null;
  return text.split(":").reduce((total, part) => 60 * total + Number(part), 0);
}
