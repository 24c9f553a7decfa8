// Entry point of the page: connects the views, then loads their first content.

import { fetchJson } from "./common/api.js";
import { loadDefaults } from "./common/defaults.js";
import { byId } from "./common/dom.js";
import { runBusy } from "./common/status.js";
import { addTrackAction } from "./common/track_actions.js";
import "./keyboard.js";
import "./map_view.js";
import "./playlist/download.js";
import "./playlist/form.js";
import { addSeed, setSeeds } from "./playlist/seeds.js";
import { loadPlaylist } from "./playlist/store.js";
import { setTracks } from "./playlist/tracks.js";
import "./search/recorder.js";
import { searchByTrack } from "./search/sound_search.js";
import { searchByText } from "./search/text_search.js";
import { showViewOfAddress } from "./views.js";

addTrackAction("More like this", searchByTrack);
addTrackAction("Playlist from this", addSeed);

await runBusy("", async () => {
  const { library, moments } = await fetchJson("health");
  byId("moments-switch").hidden = !moments;
  await loadDefaults();
  const saved = loadPlaylist(library);
  if (!saved) return;
  setTracks(saved.tracks, saved.name);
  setSeeds(saved.seeds);
});
showViewOfAddress();
searchByText("");
