// A track as it is shown: its cover, its tags, a player, and what can be done with it.

import { $, element, say } from "./server.js";

const minutes = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

export const nameOf = (track) => [track.artist, track.title || track.name].filter(Boolean).join(" – ");

/**
 * Return a track as an item of a list.
 *
 * @param track as /api/tracks/ID gives it
 * @param actions pairs of what a button says, and what it does; the track's name is told to those
 *   who only hear it
 * @param similarity to what was searched with, if anything was
 */
export function trackItem(track, actions, similarity) {
  const item = element("li", { tabIndex: -1 }, cover(track), described(track));
  if (similarity !== undefined) {
    const bar = element("meter", { min: 0, max: 1, value: Math.max(0, similarity) });
    bar.setAttribute("aria-label", "Similarity");
    item.append(element("span", { className: "similarity" }, bar, similarity.toFixed(3)));
  }
  const buttons = actions.map(([text, run]) => button(text, `${text}: ${nameOf(track)}`, run));
  item.append(player(track), element("span", { className: "actions" }, ...buttons));
  return item;
}

export function button(text, label, run) {
  const made = element("button", { type: "button", onclick: run }, text);
  made.setAttribute("aria-label", label);
  return made;
}

function cover(track) {
  const image = element("img", { alt: "", loading: "lazy", src: `/api/tracks/${track.id}/cover` });
  image.onerror = () => image.replaceWith("♪");
  return element("span", { className: "cover", ariaHidden: "true" }, image);
}

function described(track) {
  const about = [track.artist, track.album, track.year, minutes(track.seconds)].filter(Boolean).join(" · ");
  return element("span", { className: "name" }, element("strong", {}, track.title || track.name), element("small", {}, about));
}

/** Show other items in a list; what plays in it goes on at the foot of the page. */
export function replaceItems(list, ...items) {
  dock(list);
  list.replaceChildren(...items);
}

/** Let what plays within an element that is about to be hidden go on at the foot of the page. */
export function dock(within) {
  const playing = [...within.querySelectorAll("audio")].find((audio) => !audio.paused);
  if (!playing) return;
  const item = playing.closest("li").cloneNode(true);
  const audio = item.querySelector("audio");
  audio.onplay = onlyThis;
  audio.currentTime = playing.currentTime;
  item.querySelector(".actions").replaceChildren(button("Close", "Close the player", () => $("dock").replaceChildren()));
  item.querySelector(".similarity")?.remove();
  item.draggable = false;
  $("dock").replaceChildren(item);
  playing.pause();
  play(audio);
}

/** Let a player play, if there is one: not where it is paused at once, or the browser wants a click first. */
export function play(audio) {
  audio?.play().catch(() => {}); // what cannot be played, its onerror says
}

/** Pause what plays, or play on; a player that is named plays unless it does. */
export function togglePlaying(named = null) {
  const current = [...document.querySelectorAll("audio")].find((audio) => !audio.paused);
  if (current && (!named || current === named)) return current.pause();
  const last = lastPlayed?.isConnected ? lastPlayed : document.querySelector("section:not([hidden]) audio");
  play(named || last);
}

let lastPlayed = null;
function onlyThis(event) {
  lastPlayed = event.target;
  document.querySelectorAll("audio").forEach((other) => other !== event.target && other.pause());
}

function player(track) {
  const audio = element("audio", { controls: true, preload: "none", src: `/api/tracks/${track.id}/audio` });
  audio.setAttribute("aria-label", `Play ${nameOf(track)}`);
  audio.onplay = onlyThis;
  audio.onended = () => play(audio.closest("li")?.nextElementSibling?.querySelector("audio"));
  audio.onerror = () => say(`${nameOf(track)} cannot be played.`, true);
  return audio;
}
