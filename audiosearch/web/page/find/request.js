// Requests of searches.

import { fetchJson } from "../common/api.js";
import { filterPairs, nameOfClip } from "./query.js";

// Names of the server for filters that have another one in addresses of the page
const SERVER_NAMES = { folder: "under" };

function appendFilters(target, filters) {
  for (const [name, value] of filterPairs(filters)) target.append(`only.${SERVER_NAMES[name] ?? name}`, value);
}

/** Return tracks by words, filters and order: {tracks, total}. */
export function fetchTracks(query, { offset, limit, signal }) {
  const parameters = new URLSearchParams({ limit, offset });
  if (query.words) parameters.set("words", query.words);
  if (query.sort) parameters.set("sort", query.sort);
  if (query.isDescending) parameters.set("descending", "true");
  appendFilters(parameters, query.filters);
  return fetchJson(`tracks?${parameters}`, { signal });
}

/** Return what sounds like the clips of a search: {hits, warnings}. */
export function fetchHits(query, { limit, signal }) {
  const form = new FormData();
  for (const clip of query.clips) form.append(nameOfClip(clip), clip.id);
  if (query.clips.length === 1) for (const name of ["from", "to"]) if (query[name] !== null) form.append(name, query[name]);
  if (query.hasMoments) form.append("moments", "true");
  appendFilters(form, query.filters);
  form.append("k", limit);
  return fetchJson("query", { method: "POST", body: form, signal });
}
