// Search by the words of tags and file names.

import { fetchJson } from "../common/api.js";
import { loadDefaults } from "../common/defaults.js";
import { byId, formatCount } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { trackActions } from "../common/track_actions.js";
import { createTrackItem } from "../common/track_item.js";
import { appendResults, showResults, startSearch } from "./results.js";

const TYPING_PAUSE_MS = 150; // search once nothing was typed for this long

let typingTimer = 0;

/**
 * List the tracks that match some words, or all tracks if there are no words.
 *
 * @param nListed tracks already in the list. The next ones are added after them
 */
export async function searchByText(words, nListed = 0) {
  const isLatest = startSearch();
  await runBusy("", async () => {
    const { tracks_per_page: limit } = await loadDefaults();
    const result = await fetchJson(`tracks?limit=${limit}&offset=${nListed}&words=${encodeURIComponent(words)}`);
    if (!isLatest()) return;
    const items = result.tracks.map((track) => createTrackItem(track, trackActions(track)));
    const nShown = nListed + items.length;
    const isComplete = result.total === null ? items.length < limit : nShown >= result.total;
    const showMore = isComplete ? null : () => searchByText(words, nShown);
    if (nListed) {
      appendResults(items, showMore);
      items[0]?.focus();
    } else {
      showResults(words ? `Tracks matching ${words}` : "Tracks", items, showMore);
    }
    if (byId("find").hidden) showStatus("");
    else showStatus(describeCount(nShown, result.total, isComplete, words));
  });
}

function describeCount(nShown, total, isComplete, words) {
  if (isComplete) return words ? `${formatCount(nShown, "track")} found` : formatCount(nShown, "track");
  if (total !== null) return `Showing ${nShown} of ${total} tracks`;
  return `Showing the first ${nShown} tracks. Type more words to narrow the search.`;
}

/** Empty the search field, and drop a search that waits for the end of typing. */
export function clearSearchField() {
  clearTimeout(typingTimer);
  byId("words").value = "";
}

byId("words").oninput = () => {
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => searchByText(byId("words").value.trim()), TYPING_PAUSE_MS);
};
byId("text-search").onsubmit = (event) => event.preventDefault();
byId("words").onkeydown = (event) => {
  if (["ArrowDown", "Enter"].includes(event.key)) byId("hits").firstElementChild?.focus();
};
