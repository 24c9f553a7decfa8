// A search, and its form in the address: "#find?words=rain&artist=Band", "#find?track=3&unlike=9".

import { addressOf, go, parseAddress } from "../common/address.js";

export const FILTER_NAMES = ["artist", "album", "genre", "sound", "folder"]; // each may have several values
export const RANGE_NAMES = ["year", "seconds"];

// Parameters of clips, by kind of clip and by whether the search moves away from it. The server has the same.
const CLIP_NAMES = { track: ["track", false], upload: ["upload", false], unlike: ["track", true], unlike_upload: ["upload", true] };

/** Return a search for everything, with some fields changed. */
export const newQuery = (changes = {}) => ({
  words: "", clips: [], from: null, to: null, hasMoments: false, sort: "", isDescending: false, filters: {}, ...changes,
});

/** Return a text that is equal for equal clips. */
export const clipKey = ({ kind, id }) => `${kind} ${id}`;

/** Return the filters of a search as a list of [name, value]. */
export const filterPairs = (filters) =>
  Object.entries(filters).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));

/** Return filters with a value added to one that may have several. */
export const withValue = (filters, name, value) => ({ ...filters, [name]: [...new Set([...(filters[name] ?? []), value])] });

/** Return the search of an address's parameters. */
export function queryOf(parameters) {
  const clips = [...parameters].flatMap(([name, id]) => (name in CLIP_NAMES ? clipsOf(...CLIP_NAMES[name], id) : []));
  const filters = {};
  for (const name of FILTER_NAMES) if (parameters.has(name)) filters[name] = parameters.getAll(name);
  for (const name of RANGE_NAMES) if (parameters.get(name)) filters[name] = parameters.get(name);
  return {
    words: clips.length ? "" : (parameters.get("words") ?? ""),
    clips,
    from: numberOf(parameters.get("from")),
    to: numberOf(parameters.get("to")),
    hasMoments: parameters.has("moments"),
    sort: parameters.get("sort") ?? "",
    isDescending: parameters.has("descending"),
    filters,
  };
}

const numberOf = (text) => (text !== null && Number.isFinite(Number(text)) ? Number(text) : null);

/** Return a clip in a list; an empty list if there can't be such a clip. */
function clipsOf(kind, isUnlike, id) {
  if (!{ track: /^[1-9]\d{0,14}$/, upload: /^[\w-]{1,100}$/ }[kind].test(id)) return [];
  return [{ kind, isUnlike, id: kind === "track" ? Number(id) : id }];
}

/** Return the name of the parameter of a clip. */
export const nameOfClip = (clip) =>
  Object.keys(CLIP_NAMES).find((name) => CLIP_NAMES[name][0] === clip.kind && CLIP_NAMES[name][1] === clip.isUnlike);

/** Return the parameters of a search's address. */
export function parametersOf(query) {
  const parameters = new URLSearchParams();
  if (query.words) parameters.set("words", query.words);
  for (const clip of query.clips) parameters.append(nameOfClip(clip), clip.id);
  if (query.clips.length === 1) for (const name of ["from", "to"]) if (query[name] !== null) parameters.set(name, query[name]);
  if (query.hasMoments && query.clips.length) parameters.set("moments", "yes");
  if (query.sort) parameters.set("sort", query.sort);
  if (query.isDescending) parameters.set("descending", "yes");
  for (const [name, value] of filterPairs(query.filters)) if (value) parameters.append(name, value);
  return parameters;
}

/** Return the search that the page shows; outside Find, one for everything. */
export function currentQuery() {
  const { view, parameters } = parseAddress();
  return view === "find" ? queryOf(parameters) : newQuery();
}

/** Show a search. */
export const search = (query, options) => go("find", parametersOf(query), options);

/** Change some fields of the search that the page shows. */
export const changeQuery = (changes, options) => search({ ...currentQuery(), ...changes }, options);

/** Return a link to what sounds like a track, moment or clip. */
export function linkToSimilar(track) {
  const clip = track.upload ? { kind: "upload", id: track.upload } : { kind: "track", id: track.id };
  const isMoment = track.start !== undefined;
  const part = isMoment ? { from: track.start, to: track.end, hasMoments: true } : {};
  return addressOf("find", parametersOf(newQuery({ clips: [{ ...clip, isUnlike: false }], ...part })));
}

/** Add clips to the search. Words give way to clips. */
export function addClips(clips) {
  const query = currentQuery();
  const known = new Set(query.clips.map(clipKey));
  const added = clips.filter((clip) => !known.has(clipKey(clip)));
  search({ ...query, words: "", from: null, to: null, clips: [...query.clips, ...added] });
}
