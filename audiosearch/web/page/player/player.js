// The player: the only <audio> of the page. It plays the tracks of the queue.

import { callApi } from "../common/api.js";
import { byId } from "../common/dom.js";
import { showStatus } from "../common/status.js";
import { shortTitleOf } from "../tracks/names.js";
import {
  addToQueue, currentTrack, keyOf, moveInQueue, nextTrack, queuedTracks, queuePosition, removeFromQueue, setQueue,
} from "./queue.js";

const MP3_COPY = "?format=mp3";
const LOADED_EARLY_S = 20; // the next track starts to load this long before the end
const MAX_FAILED = 5; // tracks that are skipped before the player stops
const PLAYED_S = 1; // a track that got so far has played
const RESTART_S = 3; // "previous" starts the current track again once it has played this long

export const audio = byId("audio");

/** Sends "change" when another track is current, or it plays or pauses. */
export const player = new EventTarget();

let loadedKey = null; // of the track that is loaded
let isAdvancing = false; // whether the track before ended by itself
let nFailed = 0; // tracks one after another that didn't play
let early = null; // an element that loads the next track into the browser's cache

const sourceOf = (track) => (track.upload ? `/api/uploads/${track.upload}/audio` : `/api/tracks/${track.id}/audio`);

const changed = () => player.dispatchEvent(new Event("change"));

export const isPlaying = () => !audio.paused && !audio.ended;

export const isCurrent = (track) => currentTrack() !== null && keyOf(currentTrack()) === keyOf(track);

/** Length of the current track in seconds. */
export const currentLength = () =>
  loadedKey && Number.isFinite(audio.duration) ? audio.duration : (currentTrack()?.seconds ?? 0);

/** Play one track of a list, and then the ones after it. */
export function playTracks(tracks, index) {
  setQueue(tracks, index);
  start();
}

/**
 * Play the current track of the queue from its start.
 *
 * @param isAutomatic whether nobody has chosen the track: if it can't be played, the next one follows
 */
export function start({ isAutomatic = false } = {}) {
  isAdvancing = isAutomatic;
  load();
  play();
}

function load() {
  const track = currentTrack();
  loadedKey = keyOf(track);
  audio.src = sourceOf(track);
  if (track.start) audio.currentTime = track.start;
  changed();
}

// play() is rejected if the player is paused at once, if the browser wants a click first, and if the
// audio can't be played. onerror reports the last of these.
const play = () => audio.play().catch(() => {});

export function togglePlaying() {
  if (isPlaying()) return audio.pause();
  if (!currentTrack()) return;
  if (loadedKey !== keyOf(currentTrack())) load();
  play();
}

export function next() {
  if (moveInQueue(1)) start();
}

export function previous() {
  const from = currentTrack()?.start ?? 0;
  if (audio.currentTime - from > RESTART_S || !moveInQueue(-1)) return seek(from);
  start();
}

/** Continue at a position in seconds. */
export function seek(seconds) {
  if (!currentTrack()) return;
  if (loadedKey !== keyOf(currentTrack())) load();
  audio.currentTime = Math.max(0, Math.min(seconds, currentLength() || seconds));
}

/** Add a track to the end of the queue. If nothing is in it, the track plays. */
export function enqueue(track) {
  if (!queuedTracks().length) return playTracks([track], 0);
  addToQueue(track);
  showStatus(`Added ${shortTitleOf(track)} to the queue.`);
}

/** Take a track out of the queue. If it is the current one, the one after it takes its place. */
export function removeTrack(index) {
  const [isRemovedNow, wasPlaying] = [index === queuePosition(), isPlaying()];
  removeFromQueue(index);
  if (!isRemovedNow) return;
  if (wasPlaying && currentTrack()) return start();
  loadedKey = null;
  audio.removeAttribute("src");
  audio.load();
  if (!currentTrack()) setQueue([], -1);
  changed();
}

for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, changed);
audio.addEventListener("ended", advance);
audio.addEventListener("timeupdate", () => {
  if (audio.currentTime - (currentTrack()?.start ?? 0) > PLAYED_S) nFailed = 0;
  loadNextEarly();
});
audio.addEventListener("error", playCopy);

function advance() {
  if (moveInQueue(1)) start({ isAutomatic: true });
}

function loadNextEarly() {
  const track = nextTrack();
  if (!track || currentLength() - audio.currentTime > LOADED_EARLY_S) return;
  const source = new URL(sourceOf(track), location.href).href;
  if (early?.src === source) return;
  early = new Audio(source);
  early.preload = "auto";
}

/** Go on with an mp3 copy of a track that the browser can't play; else show why it doesn't play. */
async function playCopy() {
  const [track, path, position] = [currentTrack(), audio.getAttribute("src"), audio.currentTime];
  if (!track || !path) return;
  try {
    await callApi(path.replace("/api/", ""), { headers: { Range: "bytes=0-0" } });
    if (path.endsWith(MP3_COPY)) throw new Error("This browser can't play its mp3 copy either, or has no sound device.");
  } catch (error) {
    showStatus(`Can't play ${shortTitleOf(track)}. ${error.message}`, true);
    if (isAdvancing && ++nFailed < MAX_FAILED && audio.getAttribute("src") === path) advance();
    return;
  }
  if (audio.getAttribute("src") !== path) return; // another track plays by now
  audio.src = path + MP3_COPY;
  audio.currentTime = position;
  play();
}
