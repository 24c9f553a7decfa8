// Seeds: the tracks that a playlist should sound like.

import { goBackTo, parseAddress } from "../common/address.js";
import { fetchJson } from "../common/api.js";
import { byId, createElement, createIconButton, isolated } from "../common/dom.js";
import { formatCount } from "../common/format.js";
import { showStatus } from "../common/status.js";
import { suggest } from "../common/suggestions.js";
import { createCover } from "../tracks/cover.js";
import { shortTitleOf, subtitleOf, titleOf, trackName } from "../tracks/names.js";
import { makeFirst, makePlaylist } from "./make.js";
import { openPanel } from "./panels.js";
import { applyRules } from "./rules.js";
import { change, hasList, playlist, playlistChanges } from "./store.js";

/** Return the seeds of an address's parameters. Those that can't be found are left out, and reported. */
export async function fetchSeeds(parameters) {
  const ids = new Set(parameters.getAll("track").map(Number).filter((id) => Number.isSafeInteger(id) && id > 0));
  if (!ids.size) return [];
  const { tracks } = await fetchJson(`tracks?${new URLSearchParams([...ids].map((id) => ["id", id]))}`);
  const nMissing = ids.size - tracks.length;
  if (nMissing) showStatus(`${formatCount(nMissing, "starting track")} can't be found in the library.`, true);
  return tracks;
}

let shown = null;

function show() {
  if (shown === playlist.seeds) return;
  shown = playlist.seeds;
  byId("seeds").replaceChildren(...playlist.seeds.map((seed) => {
    const remove = createIconButton("close", `Remove the starting track ${trackName(seed)}`, () => removeSeed(seed));
    return createElement("li", { title: trackName(seed) }, createCover(seed), isolated(trackName(seed)), remove);
  }));
  byId("seeds-hint").hidden = playlist.seeds.length > 0;
  applyRules();
}

/** Change the seeds. Those that are new may be in the list again. */
function setSeeds(seeds) {
  const added = new Set(seeds.filter((seed) => !playlist.seeds.includes(seed)).map(({ id }) => id));
  change({ seeds, removed: playlist.removed.filter((id) => !added.has(id)) });
}

/** Make a playlist of these seeds only, and show it. */
export function startPlaylist(tracks) {
  const isFirst = !hasList();
  setSeeds(tracks);
  goBackTo("playlist"); // which makes the first list
  if (!isFirst) makePlaylist();
}

/** Add a seed, and show it in the Playlist view. */
export function addSeed(track) {
  if (!playlist.seeds.some(({ id }) => id === track.id)) setSeeds([...playlist.seeds, track]);
  const isFirst = !hasList();
  if (parseAddress().view !== "playlist") goBackTo("playlist");
  else makeFirst();
  if (isFirst) return;
  openPanel("settings");
  const text = `${shortTitleOf(track)} is one of ${formatCount(playlist.seeds.length, "starting track")}.`;
  showStatus(text, false, { text: "Make playlist", run: makePlaylist });
}

function removeSeed(removed) {
  setSeeds(playlist.seeds.filter((seed) => seed !== removed));
  byId("add-seed").focus();
}

byId("swap-seeds").onclick = () => setSeeds(playlist.seeds.toReversed());
playlistChanges.addEventListener("change", show);

suggest(byId("add-seed"), {
  load: async (words, { limit, signal }) => {
    const { tracks } = await fetchJson(`tracks?${new URLSearchParams({ words, limit })}`, { signal });
    return tracks.map((track) => ({ field: "title", text: titleOf(track), note: subtitleOf(track), track }));
  },
  isFirstChosen: true,
  onChoose: ({ track }) => {
    byId("add-seed").value = "";
    addSeed(track);
  },
});
