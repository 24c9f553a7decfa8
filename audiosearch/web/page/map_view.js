// The map view. The map runs in a sandboxed frame, which sends messages about clicks and the lasso.

import { callApi, createRequestSequence, fetchJson } from "./common/api.js";
import { loadDefaults } from "./common/defaults.js";
import { byId, createElement, formatCount } from "./common/dom.js";
import { play, togglePlaying } from "./common/player.js";
import { runBusy, showStatus } from "./common/status.js";
import { trackActions } from "./common/track_actions.js";
import { createTrackItem } from "./common/track_item.js";
import { setSeeds } from "./playlist/seeds.js";
import { onShow, showView } from "./views.js";

const startRequest = createRequestSequence();

addEventListener("message", async (event) => {
  const frame = byId("map").querySelector("iframe");
  if (!frame || event.source !== frame.contentWindow) return;
  const { selectedId, lassoIds, isPlayToggle } = event.data;
  if (isPlayToggle) togglePlaying();
  else if (Number.isInteger(selectedId)) await runBusy("", () => playTrack(selectedId));
  else if (Array.isArray(lassoIds)) await runBusy("", () => useAsSeeds(lassoIds.filter(Number.isInteger)));
});

async function playTrack(id) {
  const isLatest = startRequest();
  const track = await fetchJson(`tracks/${id}`);
  if (!isLatest()) return;
  const item = createTrackItem(track, trackActions(track));
  byId("map-player").replaceChildren(createElement("ol", { className: "tracks" }, item));
  play(item.querySelector("audio"));
}

async function useAsSeeds(ids) {
  if (!ids.length) return showStatus("The lasso contains no tracks.", true);
  const { max_seeds: maxSeeds } = await loadDefaults();
  const seeds = await Promise.all(ids.slice(0, maxSeeds).map((id) => fetchJson(`tracks/${id}`)));
  setSeeds(seeds);
  showView("playlist");
  const nLeftOut = ids.length - seeds.length;
  const leftOut = nLeftOut ? ` ${formatCount(nLeftOut, "more track")} left out.` : "";
  showStatus(`${formatCount(seeds.length, "seed")} from the map.${leftOut} Press “Make playlist” next.`);
}

/** Show the map. Load it again if the number of tracks has changed. */
async function loadMap() {
  await runBusy("", async () => {
    const { tracks: nTracks } = await fetchJson("health");
    let frame = byId("map").querySelector("iframe");
    if (frame?.dataset.nTracks === String(nTracks)) return;
    frame?.remove();
    frame = createElement("iframe", { title: "Map of the library" });
    frame.dataset.nTracks = nTracks;
    frame.setAttribute("sandbox", "allow-scripts");
    byId("map").insertBefore(frame, byId("map-player"));
    showStatus("Computing the map. The first time takes a while.");
    try {
      // Wait until the map is ready. A response to HEAD has no error text, so ask again with GET.
      await callApi("map", { method: "HEAD" }).catch(() => callApi("map"));
    } catch (error) {
      frame.remove();
      throw error;
    }
    frame.src = "/map";
    showStatus("");
  });
}

onShow("map", loadMap);
