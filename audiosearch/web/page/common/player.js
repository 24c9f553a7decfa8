// Audio players. At most one of them plays at a time.

import { callApi } from "./api.js";
import { byId, createButton, createElement } from "./dom.js";
import { showStatus } from "./status.js";

const MP3_COPY = "?format=mp3";

let lastPlayed = null;

/** Return the audio player of a track or moment, which then plays the next one of its list. */
export function createPlayer(track, trackName) {
  const audio = createElement("audio", { controls: true, preload: "none", src: `/api/tracks/${track.id}/audio` });
  audio.setAttribute("aria-label", `Play ${trackName}`);
  audio.dataset.name = trackName;
  if (track.start) audio.currentTime = track.start;
  listen(audio);
  return audio;
}

function listen(audio) {
  audio.onplay = pauseOthers;
  audio.onended = () => play(audio.closest("li")?.nextElementSibling?.querySelector("audio"));
  audio.onerror = () => playCopy(audio);
}

/** Go on with an mp3 copy of a track that the browser can't play; else show why it doesn't play. */
async function playCopy(audio) {
  const [path, position] = [audio.getAttribute("src"), audio.currentTime];
  try {
    await callApi(path.replace("/api/", ""), { headers: { Range: "bytes=0-0" } });
    if (path.endsWith(MP3_COPY)) throw new Error("This browser can't play its mp3 copy either.");
  } catch (error) {
    return showStatus(`Can't play ${audio.dataset.name}. ${error.message}`, true);
  }
  audio.src = path + MP3_COPY;
  audio.currentTime = position;
  if (audio === lastPlayed) play(audio);
}

function pauseOthers(event) {
  lastPlayed = event.target;
  document.querySelectorAll("audio").forEach((audio) => audio !== event.target && audio.pause());
}

const findPlaying = (players) => [...players].find((audio) => !audio.paused);

/** Start a player, if there is one. */
export function play(audio) {
  // play() is rejected if the player is paused at once, if the browser wants a click first, and if
  // the audio can't be played. onerror reports the last of these.
  audio?.play().catch(() => {});
}

/**
 * Pause the player that plays, or start one.
 *
 * @param requested the player to start, unless it plays already. Default: the last one that played
 */
export function togglePlaying(requested = null) {
  const current = findPlaying(document.querySelectorAll("audio"));
  if (current && (!requested || current === requested)) return current.pause();
  const last = lastPlayed?.isConnected ? lastPlayed : document.querySelector("section:not([hidden]) audio");
  play(requested || last);
}

/** Move playback from an element that will be hidden or emptied to the bottom of the page. */
export function moveToFooter(container) {
  const playing = findPlaying(container.querySelectorAll("audio"));
  if (!playing) return;
  const item = playing.closest("li").cloneNode(true);
  const audio = item.querySelector("audio");
  listen(audio);
  audio.currentTime = playing.currentTime;
  item.querySelector(".actions").replaceChildren(createButton("Close", "Close the player", () => byId("player").replaceChildren()));
  item.querySelector(".similarity")?.remove();
  item.draggable = false;
  byId("player").replaceChildren(item);
  playing.pause();
  play(audio);
}

/** Replace the items of a list. A track that plays in it continues at the bottom of the page. */
export function replaceItems(list, items) {
  moveToFooter(list);
  list.replaceChildren(...items);
}
