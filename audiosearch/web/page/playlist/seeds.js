// Seeds: the tracks that a playlist should sound like.

import { byId, createButton, createElement, formatCount } from "../common/dom.js";
import { showStatus } from "../common/status.js";
import { trackName } from "../common/track_item.js";
import { showView } from "../views.js";
import { playlist, savePlaylist } from "./store.js";

export function setSeeds(tracks) {
  playlist.seeds = tracks;
  byId("seeds-hint").hidden = tracks.length > 0;
  byId("seeds").replaceChildren(...tracks.map((seed) => {
    const label = `Remove the seed ${trackName(seed)}`;
    return createElement("li", {}, createButton(`${trackName(seed)} ×`, label, () => removeSeed(seed)));
  }));
  savePlaylist();
}

export function addSeed(track) {
  if (!playlist.seeds.some((seed) => seed.id === track.id)) setSeeds([...playlist.seeds, track]);
  showView("playlist");
  showStatus(formatCount(playlist.seeds.length, "seed"));
}

function removeSeed(removed) {
  setSeeds(playlist.seeds.filter((seed) => seed !== removed));
  (byId("seeds").querySelector("button") || byId("playlist-form").querySelector("[type=submit]")).focus();
}
