// Filters and the order of results.

import { byId, createChip, createElement } from "../common/dom.js";
import { formatPosition, parseRange } from "../common/format.js";
import { setIcon } from "../common/icons.js";
import { suggest } from "../common/suggestions.js";
import { changeQuery, currentQuery, FILTER_NAMES, filterPairs, RANGE_NAMES, withValue } from "./query.js";

const LABELS = {
  artist: "Artist", album: "Album", genre: "Genre", sound: "Sound", folder: "Folder", year: "Years", seconds: "Length",
};
const panel = byId("filters");
const fieldOf = (name) => panel.querySelector(`[name="${name}"]`);

function addFilter(name, value) {
  fieldOf(name).value = "";
  if (value) changeQuery({ filters: withValue(currentQuery().filters, name, value) });
}

function removeFilter(name, value) {
  const { filters } = currentQuery();
  changeQuery({ filters: { ...filters, [name]: [filters[name]].flat().filter((other) => other !== value) } });
  byId("toggle-filters").focus();
}

/** Return the range in a field, and show whether it is none. */
function readRange(name) {
  const field = fieldOf(name);
  const range = parseRange(field.value);
  field.setAttribute("aria-invalid", String(range === null));
  panel.querySelector(`#${name}-problem`).hidden = range !== null;
  return range;
}

function setRange(name) {
  const range = readRange(name);
  if (range !== null) changeQuery({ filters: { ...currentQuery().filters, [name]: range } });
}

/** Show the filters and the order of a search. */
export function showFilters(query) {
  const pairs = filterPairs(query.filters);
  byId("filter-chips").replaceChildren(...pairs.map(createFilterChip));
  byId("filter-count").textContent = pairs.length || "";
  for (const name of RANGE_NAMES) {
    const isInvalid = fieldOf(name).getAttribute("aria-invalid") === "true"; // what was typed stays
    if (!isInvalid) fieldOf(name).value = rangeText(name, query.filters[name] ?? "");
  }
  byId("order").hidden = query.clips.length > 0;
  byId("sort").value = query.sort || (query.words ? "relevance" : "id");
  byId("sort").querySelector("[value=relevance]").hidden = !query.words;
  setIcon(byId("direction"), query.isDescending ? "descending" : "ascending");
  byId("direction").setAttribute("aria-pressed", String(query.isDescending));
}

/** Return a range as people write it, such as "1990-1999" or "1:00-5:00". */
function rangeText(name, range) {
  const endText = (end) => (name === "seconds" && /^\d+$/.test(end) ? formatPosition(Number(end)) : end);
  return range.split("..").map(endText).join("-");
}

function createFilterChip([name, value]) {
  const text = RANGE_NAMES.includes(name) ? rangeText(name, value) : value;
  const chip = createChip(text, `Remove the filter ${LABELS[name]}: ${text}`, () => removeFilter(name, value));
  chip.prepend(createElement("small", {}, LABELS[name]));
  return chip;
}

byId("toggle-filters").onclick = () => {
  panel.hidden = !panel.hidden;
  byId("toggle-filters").setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) fieldOf(FILTER_NAMES[0]).focus();
};
for (const name of FILTER_NAMES) {
  const field = fieldOf(name);
  suggest(field, {
    field: name,
    isFirstChosen: true,
    onChoose: ({ text }) => addFilter(name, text),
    onEnter: () => addFilter(name, field.value.trim()),
  });
}
for (const name of RANGE_NAMES) fieldOf(name).addEventListener("change", () => setRange(name));
panel.onsubmit = (event) => event.preventDefault();
byId("clear-filters").onclick = () => {
  panel.reset();
  RANGE_NAMES.forEach(readRange);
  changeQuery({ filters: {} });
};
byId("sort").onchange = (event) => changeQuery({ sort: event.target.value, isDescending: false });
byId("direction").onclick = () => changeQuery({ isDescending: !currentQuery().isDescending, sort: byId("sort").value });
byId("moments").onchange = (event) => changeQuery({ hasMoments: event.target.checked });
