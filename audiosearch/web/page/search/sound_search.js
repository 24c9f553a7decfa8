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
    const items = hits.map(createHitItem);
    const isComplete = hits.length < k || k >= defaults.max_hits;
    const nextHits = Math.min(k + defaults.tracks_per_page, defaults.max_hits);
    showResults(title, items, isComplete ? null : () => searchBySound(title, form, nextHits, hits.length));
    if (nListed) items[nListed]?.focus();
    else byId("hits-title").focus();
    showStatus([formatCount(hits.length, "hit"), ...warnings].join(". "));
  });
}

/** Return a hit as a list item. A moment is its track with a start and an end. */
function createHitItem({ track, similarity, start, end }) {
  const found = start === undefined ? track : { ...track, start, end };
  return createTrackItem(found, trackActions(found), similarity);
}

/** Return the form of a query, which asks for moments if the switch is on. */
function createForm() {
  const form = new FormData();
  if (byId("moments").checked && !byId("moments-switch").hidden) form.append("moments", "true");
  return form;
}

export function searchByFile(file) {
  const form = createForm();
  form.append("file", file, "clip");
  showView("find");
  return searchBySound(`Most similar to ${file.name}`, form);
}

export function searchByTrack(track) {
  const form = createForm();
  form.append("track", track.id);
  if (track.start !== undefined) {
    form.append("from", track.start);
    form.append("to", track.end);
  }
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
