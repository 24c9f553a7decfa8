// The map view. What it shows is in the address: the position, the colors, a search and a track.

import { parseAddress, setAddress } from "./common/address.js";
import { createRequestSequence, fetchJson, postJson } from "./common/api.js";
import { loadDefaults } from "./common/defaults.js";
import { byId, createElement } from "./common/dom.js";
import { runBusy, showStatus } from "./common/status.js";
import { linkToSimilar } from "./find/query.js";
import { MapView } from "./map/view.js";
import { player, playTracks } from "./player/player.js";
import { currentTrack } from "./player/queue.js";
import { addSeed, startPlaylist } from "./playlist/seeds.js";
import { playlist, playlistChanges } from "./playlist/store.js";

const [MAX_PLAYED, MAX_SEEDS] = [100, 25]; // tracks taken from a larger choice
const ADDRESS_DELAY_MS = 300;
const NOT_ON_MAP = "This track isn't on the map. It may have been removed from the library.";
const ADVICE =
  "Tracks that sound alike are put close together. The first time, this takes about a minute. You can listen and search meanwhile.";
const [FIRST_DELAY_MS, PROGRESS_DELAY_MS] = [300, 1000]; // before a message, and between two questions for the progress

const startRequest = createRequestSequence();
let view = null;
let shownVersion = null; // of the map that is shown with all its parts
let loading = null; // resolves when the map that is being loaded is shown
let wanted = null; // the state that the last address names; null for the one that is shown
let addressTimer = 0;
let drawnTracks = null; // of the playlist that is drawn as a line

async function playTrack(id) {
  const isLatest = startRequest();
  const track = await fetchJson(`tracks/${id}`);
  if (isLatest()) playTracks([track], 0);
}

/** Return the chosen tracks, or if there are more than n, a sample that spreads over them. */
async function fetchSample(ids, n) {
  const { max_sampled_tracks: maxTracks } = await loadDefaults();
  const step = Math.ceil(ids.length / maxTracks);
  return (await fetchJson("tracks/sample", postJson({ tracks: ids.filter((_, index) => index % step === 0), n }))).tracks;
}

/** Show a message in place of the map. */
function showMessage(title, ...content) {
  byId("map-empty").hidden = false;
  byId("map-empty").replaceChildren(createElement("strong", {}, title), ...content);
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Until the map is loaded, show that it is being made, and how far it is. */
async function showProgress(isLoaded) {
  await wait(FIRST_DELAY_MS);
  if (isLoaded()) return;
  showMessage("Loading the map …");
  const progress = createElement("progress", { max: 1, ariaLabel: "Progress of the map" });
  const advice = createElement("p", {}, ADVICE);
  while (!isLoaded()) {
    const { share } = await fetchJson("map/progress");
    if (isLoaded()) return;
    if (share !== null && !progress.isConnected) showMessage("Making the map …", advice, progress);
    if (share) progress.value = share;
    await wait(PROGRESS_DELAY_MS);
  }
}

/** Load the map, points first, unless it is shown already. */
async function loadMap() {
  let isLoaded = false;
  if (!view) showProgress(() => isLoaded).catch(() => {}); // the request for the points fails too, and says why
  const points = await fetchJson("map/points").finally(() => (isLoaded = true));
  byId("map-empty").hidden = true;
  if (points.version === shownVersion) return;
  view ??= await createView();
  showPlaylist();
  view.setPoints(points);
  showWanted();
  const parts = { names: (names) => view.setNames(names), neighbours: (neighbors) => view.setNeighbors(neighbors) };
  for (const [part, show] of Object.entries(parts)) {
    const content = await fetchJson(`map/${part}`);
    if (content.version !== points.version) return loadMap(); // the tracks have changed meanwhile
    show(content);
  }
  shownVersion = points.version;
}

/** Draw the playlist as a line. Most changes of the playlist leave its tracks as they are. */
function showPlaylist() {
  if (!view || playlist.tracks === drawnTracks) return;
  drawnTracks = playlist.tracks;
  view.setPlaylist(drawnTracks.map(({ id }) => id));
}

/** Load the style sheet of the map. */
async function loadStyle() {
  const link = createElement("link", { rel: "stylesheet", href: "/page/map/map.css" });
  await new Promise((resolve) => {
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}

async function createView() {
  await loadStyle();
  const created = new MapView(byId("map-canvas"), {
    onPlay: (id) => runBusy("", () => playTrack(id)),
    onPlayTracks: (ids) => runBusy("", async () => playTracks(await fetchSample(ids, MAX_PLAYED), 0)),
    onMakePlaylist: (ids) => runBusy("", async () => startPlaylist(await fetchSample(ids, MAX_SEEDS))),
    onChange: () => {
      clearTimeout(addressTimer);
      addressTimer = setTimeout(writeAddress, ADDRESS_DELAY_MS);
    },
    actions: [
      { text: "More like this", run: (id) => (location.hash = linkToSimilar({ id })) },
      { text: "Start a playlist", run: (id) => runBusy("", async () => addSeed(await fetchJson(`tracks/${id}`))) },
    ],
  });
  markPlaying(created);
  return created;
}

const markPlaying = (map) => map?.setPlaying(currentTrack()?.id ?? null);

function writeAddress() {
  if (parseAddress().view !== "map") return;
  const { x, y, zoom, colorBy, search, track } = view.state;
  const parameters = new URLSearchParams({ x, y, zoom });
  for (const [name, value] of Object.entries({ color: colorBy, search, track })) if (value) parameters.set(name, value);
  setAddress("map", parameters);
}

function stateOf(parameters) {
  const number = (name) => (Number.isFinite(Number(parameters.get(name))) ? Number(parameters.get(name)) : 0);
  return {
    x: number("x"), y: number("y"), zoom: number("zoom"), track: number("track") || null,
    colorBy: parameters.get("color"), search: parameters.get("search") ?? "",
  };
}

function showWanted() {
  if (wanted) view.state = wanted;
}

/** Show the map that the parameters of an address describe. The page isn't busy meanwhile: it may take a minute. */
export function showMap(parameters) {
  wanted = String(parameters) ? stateOf(parameters) : null;
  if (view) showWanted();
  showCurrent();
}

async function showCurrent() {
  try {
    await (loading ??= loadMap().finally(() => (loading = null)));
    if (wanted?.track && !view.has(wanted.track)) showStatus(NOT_ON_MAP, true);
  } catch (error) {
    const retry = createElement("button", { type: "button", onclick: showCurrent }, "Try again");
    showMessage("There is no map", createElement("p", {}, error.message), retry);
  }
}

player.addEventListener("change", () => markPlaying(view));
playlistChanges.addEventListener("change", showPlaylist);
