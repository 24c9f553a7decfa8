// The tracks that play one after another, kept in the tab's session storage.

import { readSession, writeSession } from "../common/session.js";

const STORAGE_KEY = "queue";

let tracks = [];
let position = -1;

/** Sends "change" when the tracks or the position change. */
export const queueChanges = new EventTarget();

export const queuedTracks = () => tracks;
export const queuePosition = () => position;
export const currentTrack = () => tracks[position] ?? null;
export const nextTrack = () => tracks[position + 1] ?? null;

/** Return a text that is equal for equal tracks, moments and clips. */
export function keyOf({ upload, id, start }) {
  if (upload) return `upload ${upload}`;
  return start === undefined ? `${id}` : `${id} at ${start}`;
}

function changed() {
  writeSession(STORAGE_KEY, { tracks, position });
  queueChanges.dispatchEvent(new Event("change"));
}

export function setQueue(newTracks, newPosition) {
  [tracks, position] = [[...newTracks], newPosition];
  changed();
}

/** Restore the queue of the tab. */
export function restoreQueue() {
  const saved = readSession(STORAGE_KEY);
  if (Array.isArray(saved?.tracks)) setQueue(saved.tracks, saved.position);
}

/** Move by a number of tracks, and return whether there is one. */
export function moveInQueue(step) {
  if (!tracks[position + step]) return false;
  position += step;
  changed();
  return true;
}

export function playNext(track) {
  tracks.splice(position + 1, 0, track);
  changed();
}

export function addToQueue(track) {
  tracks.push(track);
  changed();
}

export function removeFromQueue(index) {
  tracks.splice(index, 1);
  if (index < position) position -= 1;
  changed();
}

/** Remove the tracks that have not played yet. */
export function clearUpcoming() {
  tracks.length = position + 1;
  changed();
}
