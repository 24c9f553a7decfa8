// Peaks of waveforms, loaded once each.

import { fetchJson } from "../common/api.js";

const MAX_AT_ONCE = 3; // requests: older tracks are decoded for them
const MAX_KEPT = 2_000;

const kept = new Map(); // promises by track id
const waiting = [];
let nRunning = 0;

/**
 * Return the peaks of a track or clip, or null if they can't be had.
 *
 * @param isWanted function that tells, once it is this track's turn, whether it is still needed. Tracks without one go
 *   first and are always needed
 */
export function loadPeaks(track, isWanted = null) {
  if (track.peaks) return Promise.resolve(track.peaks);
  if (kept.has(track.id)) {
    if (!isWanted) hurry(track.id);
    return kept.get(track.id);
  }
  const promise = new Promise((resolve) => waiting[isWanted ? "push" : "unshift"]({ track, isWanted, resolve }));
  kept.set(track.id, promise);
  if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value);
  runNext();
  return promise;
}

/** Let a track go first. */
function hurry(id) {
  const position = waiting.findIndex(({ track }) => track.id === id);
  if (position >= 0) waiting.unshift({ ...waiting.splice(position, 1)[0], isWanted: null });
}

async function runNext() {
  if (nRunning >= MAX_AT_ONCE || !waiting.length) return;
  const { track, isWanted, resolve } = waiting.shift();
  if (isWanted && !isWanted()) {
    kept.delete(track.id);
    resolve(null);
    return runNext();
  }
  nRunning += 1;
  const waveform = await fetchJson(`tracks/${track.id}/waveform?missing=ok`).catch(() => null); // an empty answer isn't JSON
  nRunning -= 1;
  resolve(waveform && waveform.peaks);
  runNext();
}
