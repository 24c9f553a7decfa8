// Media keys, and the track on the lock screen.

import { coverOf, hasCover } from "../tracks/cover.js";
import { subtitleOf, titleOf } from "../tracks/names.js";
import { audio, currentLength, isPlaying, next, player, previous, seek, togglePlaying } from "./player.js";
import { currentTrack } from "./queue.js";

const STEP_S = 10;

const handlers = {
  play: () => isPlaying() || togglePlaying(),
  pause: () => audio.pause(),
  nexttrack: next,
  previoustrack: previous,
  seekto: ({ seekTime }) => seek(seekTime),
  seekbackward: ({ seekOffset }) => seek(audio.currentTime - (seekOffset || STEP_S)),
  seekforward: ({ seekOffset }) => seek(audio.currentTime + (seekOffset || STEP_S)),
};

function show() {
  const track = currentTrack();
  navigator.mediaSession.playbackState = track ? (isPlaying() ? "playing" : "paused") : "none";
  if (!track) return (navigator.mediaSession.metadata = null);
  const artwork = hasCover(track) ? [{ src: coverOf(track) }] : [];
  const artist = track.artist || subtitleOf(track);
  navigator.mediaSession.metadata = new MediaMetadata({ title: titleOf(track), artist, album: track.album ?? "", artwork });
}

function showPosition() {
  const [duration, position] = [currentLength(), audio.currentTime];
  if (duration > 0 && position <= duration) navigator.mediaSession.setPositionState({ duration, position });
}

if ("mediaSession" in navigator) {
  for (const [name, handle] of Object.entries(handlers)) navigator.mediaSession.setActionHandler(name, handle);
  player.addEventListener("change", show);
  for (const name of ["durationchange", "seeked", "play"]) audio.addEventListener(name, showPosition);
}
