// Requests for playlists, made of the settings.

import { byId } from "../common/dom.js";
import { parseRange } from "../common/format.js";
import { LIST_FILTERS, RANGE_FILTERS, valuesOf } from "./fields.js";
import { fetchSkipped } from "./skipped.js";
import { playlist } from "./store.js";

const MAX_EXCLUDED = 10_000; // the server's limit
const N_MORE = 10; // tracks that are asked for at once when the queue runs short
const NUMBERS = ["n", "minutes", "diversity", "max_per_artist", "max_per_album", "artist_gap", "random_seed"];

const { elements: fields } = byId("playlist-form");

/** Return the body of POST /api/playlist. */
export async function playlistRequest() {
  const ids = playlist.seeds.map((seed) => seed.id);
  const isJourney = fields.kind.value === "journey";
  const seeds = isJourney ? { tracks: ids.slice(0, 1), via: ids.slice(1, -1), to: ids.at(-1) } : { tracks: ids };
  const isOut = (id) => !isJourney || !ids.includes(id); // a journey goes through its starting tracks
  return withExcluded({ ...seeds, strategy: strategyOf(), ...(await commonFields()) }, playlist.removed, isOut);
}

/**
 * Return the body of POST /api/playlist for tracks that go on after others.
 *
 * @param tracks those that were played or are in the queue; they don't come again
 */
export async function moreRequest(tracks) {
  const strategy = strategyOf() === "similar" ? "similar" : "drift"; // a journey has arrived and drifts on
  const seeds = strategy === "similar" && playlist.seeds.length ? playlist.seeds : tracks.slice(-1);
  const request = { ...(await commonFields()), tracks: seeds.map(({ id }) => id), strategy, n: N_MORE, minutes: null, seeds: false };
  return withExcluded(request, [...playlist.removed, ...tracks.map(({ id }) => id)]);
}

const strategyOf = () => ({ similar: "similar", drift: "drift", journey: "path" })[fields.kind.value];

function withExcluded(request, ids, isOut = () => true) {
  const excluded = new Set([...request.exclude_tracks, ...ids].filter(isOut));
  return { ...request, exclude_tracks: [...excluded].slice(-MAX_EXCLUDED) };
}

async function commonFields() {
  const number = (name) => (fields[name].disabled || fields[name].value === "" ? undefined : Number(fields[name].value));
  const isChecked = (name) => (fields[name].disabled ? undefined : fields[name].checked);
  return {
    ...Object.fromEntries(NUMBERS.map((name) => [name, number(name)])),
    vary: isChecked("vary"),
    seeds: isChecked("seeds"),
    whiten: fields.whiten.disabled ? null : ({ yes: true, no: false }[fields.whiten.value] ?? null),
    only: filterFields(""),
    unless: filterFields("not_"),
    ...(await fetchSkipped()),
  };
}

function filterFields(prefix) {
  const lists = LIST_FILTERS.map((name) => [name, valuesOf(prefix + name)]);
  const ranges = RANGE_FILTERS.map((name) => [name, parseRange(fields[prefix + name].value)]);
  return Object.fromEntries([...lists, ...ranges]);
}
