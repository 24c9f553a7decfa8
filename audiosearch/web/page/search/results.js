// The list of tracks found. Searches by sound and by text share it.

import { createRequestSequence } from "../common/api.js";
import { byId } from "../common/dom.js";
import { replaceItems } from "../common/player.js";

/** Mark the start of a search, of either kind; see `createRequestSequence`. */
export const startSearch = createRequestSequence();

/**
 * Show tracks in place of those listed before.
 *
 * @param showMore what the "Show more" button does, or null to hide it
 */
export function showResults(title, items, showMore) {
  byId("hits-title").textContent = title;
  replaceItems(byId("hits"), items);
  setShowMore(showMore);
}

/** Show tracks after those listed before. */
export function appendResults(items, showMore) {
  byId("hits").append(...items);
  setShowMore(showMore);
}

function setShowMore(showMore) {
  byId("more").hidden = showMore === null;
  byId("more").onclick = showMore;
}
