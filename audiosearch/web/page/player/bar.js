// The bar at the bottom of the page: what plays, and the controls of the player.

import { byId, isolated } from "../common/dom.js";
import { formatPosition } from "../common/format.js";
import { setIcon } from "../common/icons.js";
import { createCover } from "../tracks/cover.js";
import { subtitleOf, titleOf } from "../tracks/names.js";
import { loadPeaks } from "../tracks/peaks.js";
import { Waveform } from "../tracks/waveform.js";
import { audio, currentLength, isPlaying, next, player, previous, seek, togglePlaying } from "./player.js";
import { currentTrack, keyOf, nextTrack, queueChanges } from "./queue.js";

const STEP_S = 5;
const LARGE_STEP_S = 30;
const VOLUME_KEY = "audiosearch.volume";

const slider = byId("seek");
const waveform = new Waveform(slider.querySelector("canvas"));
let shownKey = null;
let isSeeking = false;

function showTrack() {
  const track = currentTrack();
  const key = track && keyOf(track);
  byId("player").classList.toggle("is-empty", !track);
  for (const control of ["play", "previous", "like-current"]) byId(control).disabled = !track;
  byId("next").disabled = !nextTrack();
  slider.setAttribute("aria-disabled", String(!track));
  setIcon(byId("play"), isPlaying() ? "pause" : "play");
  byId("play").setAttribute("aria-label", isPlaying() ? "Pause" : "Play");
  if (key === shownKey) return;
  shownKey = key;
  document.title = track ? `${titleOf(track)} · audiosearch` : "audiosearch";
  byId("now-cover").replaceChildren(...(track ? [createCover(track)] : []));
  byId("now-title").replaceChildren(track ? isolated(titleOf(track)) : "Nothing is playing");
  byId("now-subtitle").replaceChildren(track ? isolated(subtitleOf(track)) : "Choose a track");
  waveform.set({ peaks: null, progress: 0 });
  if (track) loadPeaks(track).then((peaks) => shownKey === key && waveform.set({ peaks }));
  showPosition();
}

function showPosition() {
  const [position, length] = [audio.currentTime, currentLength()];
  byId("position").textContent = formatPosition(position);
  byId("length").textContent = formatPosition(Math.round(length));
  slider.setAttribute("aria-valuemax", Math.round(length));
  slider.setAttribute("aria-valuenow", Math.round(position));
  slider.setAttribute("aria-valuetext", `${formatPosition(position)} of ${formatPosition(Math.round(length))}`);
  if (!isSeeking) waveform.set({ progress: length ? position / length : 0 });
}

// Seeking

slider.onpointerdown = (event) => {
  if (!currentTrack() || event.button) return;
  isSeeking = true;
  slider.setPointerCapture(event.pointerId);
  waveform.set({ progress: waveform.shareAt(event) });
};
slider.addEventListener("pointermove", (event) => isSeeking && waveform.set({ progress: waveform.shareAt(event) }));
slider.onpointerup = (event) => {
  if (!isSeeking) return;
  isSeeking = false;
  seek(waveform.shareAt(event) * currentLength());
};
slider.onpointercancel = () => (isSeeking = false);
slider.onkeydown = (event) => {
  const [position, length] = [audio.currentTime, currentLength()];
  const [back, forward] = [position - STEP_S, position + STEP_S];
  const target = {
    ArrowLeft: back, ArrowDown: back, ArrowRight: forward, ArrowUp: forward,
    PageDown: position - LARGE_STEP_S, PageUp: position + LARGE_STEP_S, Home: 0, End: length,
  }[event.key];
  if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  seek(target);
};

// Buttons and volume

byId("play").onclick = togglePlaying;
byId("next").onclick = next;
byId("previous").onclick = previous;
byId("mute").onclick = () => {
  if (audio.volume === 0) audio.volume = 1;
  else audio.muted = !audio.muted;
};
byId("volume").oninput = (event) => {
  audio.muted = false;
  audio.volume = Number(event.target.value) ** 2; // loudness grows slower than the amplitude
};
audio.addEventListener("volumechange", () => {
  const isMuted = audio.muted || audio.volume === 0;
  setIcon(byId("mute"), isMuted ? "muted" : "volume");
  byId("mute").setAttribute("aria-pressed", String(isMuted));
  byId("volume").value = audio.muted ? 0 : Math.sqrt(audio.volume);
  writeVolume(String(audio.volume));
});

function writeVolume(volume) {
  try {
    localStorage.setItem(VOLUME_KEY, volume);
  } catch {
    // A browser may refuse to store anything. Then the volume is the full one next time.
  }
}

function readVolume() {
  try {
    return Number(localStorage.getItem(VOLUME_KEY) ?? 1);
  } catch {
    return 1;
  }
}

audio.volume = Math.max(0, Math.min(1, readVolume() || 0));
byId("volume").value = Math.sqrt(audio.volume);
player.addEventListener("change", showTrack);
queueChanges.addEventListener("change", showTrack);
for (const name of ["timeupdate", "durationchange", "seeking"]) audio.addEventListener(name, showPosition);
showTrack();
