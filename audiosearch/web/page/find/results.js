// The results of a search: their title and number, the list, and what to do if there are none.

import { keepInEntry, keptInEntry } from "../common/address.js";
import { loadDefaults } from "../common/defaults.js";
import { byId, createButton, createElement, isolated } from "../common/dom.js";
import { formatCount, formatTime, withPeriod } from "../common/format.js";
import { runBusy, showStatus } from "../common/status.js";
import { titleOf } from "../tracks/names.js";
import { createRow } from "../tracks/row.js";
import { loadClip } from "./clips.js";
import { newQuery, search } from "./query.js";
import { fetchHits, fetchTracks } from "./request.js";

const MAX_RESTORED = 1_000; // rows that Back shows again at once

let controller = new AbortController();
let isAutomatic = false; // whether the list goes on by itself

/**
 * Show the results of a search. It ends a search that still runs.
 *
 * @param nListed rows in the list that stay; the next ones come after them
 */
export async function showResults(query, nListed = 0) {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  const fetchRows = query.clips.length ? fetchHitRows : fetchTrackRows;
  const isAskedFor = document.activeElement === byId("more");
  byId("more").hidden = true;
  if (!nListed) {
    showTitle(query, signal);
    if (!byId("find").hidden && keptInEntry().scrollY === undefined) scrollTo(0, 0);
  }
  byId("hits").setAttribute("aria-busy", "true");
  await runBusy("", async () => {
    const results = await fetchRows(query, nListed, signal).catch((error) => {
      if (!signal.aborted) showFailure(query, nListed);
      throw error;
    });
    if (signal.aborted) return;
    showRows(query, nListed, results);
    if (isAskedFor) byId("hits").children[nListed]?.focus();
    if (results.warnings.length) showStatus(results.warnings.map(withPeriod).join(" "));
  });
  if (!signal.aborted) byId("hits").removeAttribute("aria-busy");
}

function showRows(query, nListed, { rows, total, isComplete }) {
  if (nListed && !query.clips.length) byId("hits").append(...rows);
  else byId("hits").replaceChildren(...rows);
  const nShown = byId("hits").childElementCount;
  if (!byId("find").hidden) {
    if (!nListed) scrollTo(0, keptInEntry().scrollY ?? 0);
    keepInEntry({ nRows: nShown });
  }
  byId("count").textContent = nShown ? formatCount(total ?? nShown, query.clips.length ? "result" : "track") : "";
  byId("more").hidden = isComplete;
  byId("more").onclick = () => showResults(query, nShown);
  isAutomatic = !query.clips.length;
  showEmpty(query, nShown);
}

/** Let the user try again. The results of another search don't stay. */
function showFailure(query, nListed) {
  if (nListed) {
    byId("more").hidden = false;
    isAutomatic = false;
    return;
  }
  byId("hits").replaceChildren();
  byId("count").textContent = "";
  showInstead(["The search failed"], createButton("Try again", "Try again", () => showResults(query)));
}

async function fetchTrackRows(query, nListed, signal) {
  const { tracks_per_page: nNew } = await loadDefaults();
  const limit = nListed ? nNew : Math.min(Math.max(nNew, keptInEntry().nRows ?? 0), MAX_RESTORED);
  const { tracks, total } = await fetchTracks(query, { offset: nListed, limit, signal });
  return { rows: tracks.map((track) => createRow(track)), total, isComplete: nListed + tracks.length >= total, warnings: [] };
}

/** Return rows of all hits. Hits have no offset, and among more of them the first ones may be others. */
async function fetchHitRows(query, nListed, signal) {
  const { hits: nFirst, max_hits: maxHits, tracks_per_page: nMore } = await loadDefaults();
  const limit = Math.min(nListed ? nListed + nMore : Math.max(nFirst, keptInEntry().nRows ?? 0), maxHits);
  const { hits, warnings } = await fetchHits(query, { limit, signal });
  const similarities = shownSimilarities(hits);
  const rows = hits.map((hit, position) => createHitRow(hit, similarities[position]));
  return { rows, total: null, isComplete: hits.length < limit || limit >= maxHits, warnings };
}

/**
 * Return the similarities to show: that of a hit is at least that of the hits after it.
 *
 * A moment of the same recording as the clip comes before others, even if the clip sounds more like them.
 */
const shownSimilarities = (hits) =>
  hits.reduceRight((shown, { similarity, match }) => [Math.max(similarity, match ?? 0, shown[0] ?? 0), ...shown], []);

/** A moment is its track with a start and an end. */
const createHitRow = ({ track, start, end }, similarity) =>
  createRow(start === undefined ? track : { ...track, start, end }, { similarity });

async function showTitle(query, signal) {
  const title = byId("hits-title");
  const isAll = !query.words && !query.clips.length && !Object.keys(query.filters).length;
  const show = (...parts) => {
    if (signal.aborted) return;
    title.replaceChildren(...parts);
    title.classList.toggle("is-said", isAll || Boolean(query.words)); // narrow screens need no title: the search field says it
  };
  if (query.words) return show("Results for ", isolated(query.words));
  if (!query.clips.length) return show(isAll ? "All tracks" : "Filtered tracks");
  if (query.clips.length > 1) return show(`Results for ${query.clips.length} clips`);
  const clip = await loadClip(query.clips[0]).catch(() => null);
  show("Results for ", clip ? isolated(titleOf(clip)) : "a clip", partOf(query, clip));
}

/** Return the part of the clip that is searched with, as text; empty for all of it. */
function partOf({ from, to }, clip) {
  if (from === null && to === null) return "";
  const end = to ?? clip?.seconds;
  return `, ${formatTime(from ?? 0)}-${end === undefined ? "" : formatTime(end)}`;
}

// Without results

/** Show a title and what can be done in place of results. */
function showInstead(title, ...children) {
  byId("empty").hidden = false;
  byId("empty").replaceChildren(createElement("strong", {}, ...title), ...children);
}

const HOW_TO_ADD = [
  createElement("p", {}, "Add a folder of music or sounds on the command line, then reload this page:"),
  createElement("code", {}, "audiosearch add ~/Music"),
];

function adviceFor(query) {
  if (Object.keys(query.filters).length) return query.clips.length ? "Try fewer filters." : "Try fewer filters or other words.";
  if (query.clips.length) return "Try another clip.";
  return "Try other words: title, artist, album, folder, or a sound such as rain.";
}

function showEmpty(query, nShown) {
  byId("empty").hidden = nShown > 0;
  if (nShown) return;
  const isSearch = query.words || query.clips.length || Object.keys(query.filters).length;
  if (!isSearch) return showInstead(["There are no tracks yet"], ...HOW_TO_ADD);
  const title = query.words ? ["No results for ", isolated(query.words)] : ["No results"];
  const clear = createElement("button", { type: "button", onclick: () => search(newQuery()) }, "Show all tracks");
  showInstead(title, createElement("p", {}, adviceFor(query)), clear);
}

// Lists go on by themselves; hits of clips wait for the button, because they get less and less alike.
new IntersectionObserver(
  ([{ isIntersecting }]) => isIntersecting && isAutomatic && byId("more").click(),
  { rootMargin: "600px" },
).observe(byId("more"));
