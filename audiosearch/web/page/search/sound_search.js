// Search by sound: by a file, or by a track of the index.

import { fetchJson } from "../common/api.js";
import { loadDefaults } from "../common/defaults.js";
import { byId, formatCount } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { trackActions } from "../common/track_actions.js";
import { createTrackItem, trackName } from "../common/track_item.js";
import { showView } from "../views.js";
import { showResults, startSearch } from "./results.js";
import { clearSearchField } from "./text_search.js";

/**
 * Show the hits of a query.
 *
 * @param form FormData with the query's file or track
 * @param nHits number of hits to request. Default: the server's default
 * @param nListed hits already in the list. The first new one gets the focus
 */
async function searchBySound(title, form, nHits = null, nListed = 0) {
  const isLatest = startSearch();
  clearSearchField();
  await runBusy("Searching …", async () => {
    const defaults = await loadDefaults();
    const k = nHits ?? defaults.hits;
    form.set("k", k);
    const { hits, warnings } = await fetchJson("query", { method: "POST", body: form });
    if (!isLatest()) return;
    const items = hits.map((hit) => createTrackItem(hit.track, trackActions(hit.track), hit.similarity));
    const isComplete = hits.length < k || k >= defaults.max_hits;
    const nextHits = Math.min(k + defaults.tracks_per_page, defaults.max_hits);
    showResults(title, items, isComplete ? null : () => searchBySound(title, form, nextHits, hits.length));
    if (nListed) items[nListed]?.focus();
    else byId("hits-title").focus();
    showStatus([formatCount(hits.length, "hit"), ...warnings].join(". "));
  });
}

export function searchByFile(file) {
  const form = new FormData();
  form.append("file", file, "clip");
  showView("find");
  return searchBySound(`Most similar to ${file.name}`, form);
}

export function searchByTrack(track) {
  const form = new FormData();
  form.append("track", track.id);
  showView("find");
  return searchBySound(`Most similar to ${trackName(track)}`, form);
}

byId("file").onchange = () => byId("file").files.length && searchByFile(byId("file").files[0]).then(() => (byId("file").value = ""));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    byId("drop").classList.toggle("is-dragged-over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) searchByFile(event.dataTransfer.files[0]);
  });
}
