// The list of tracks found. Searches by sound and by text share it.

import { createRequestSequence } from "../common/api.js";
import { byId } from "../common/dom.js";
import { replaceItems } from "../common/player.js";

/** Mark the start of a search by sound or by text; see `createRequestSequence`. */
export const startSearch = createRequestSequence();

/**
 * Replace the listed tracks.
 *
 * @param showMore function that the "Show more" button calls, or null to hide the button
 */
export function showResults(title, items, showMore) {
  byId("hits-title").textContent = title;
  replaceItems(byId("hits"), items);
  setShowMore(showMore);
}

/** Add tracks after the listed ones. */
export function appendResults(items, showMore) {
  byId("hits").append(...items);
  setShowMore(showMore);
}

function setShowMore(showMore) {
  byId("more").hidden = showMore === null;
  byId("more").onclick = showMore;
}
