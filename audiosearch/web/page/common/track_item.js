// A track as an item of a list: cover, tags, sounds, player and buttons.

import { createButton, createElement } from "./dom.js";
import { createPlayer } from "./player.js";

const formatDuration = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

export const trackName = (track) => [track.artist, track.title || track.name].filter(Boolean).join(" – ");

/**
 * Return a track as a list item.
 *
 * @param track as /api/tracks/ID returns it
 * @param actions pairs of a button's text and its function. The button's label also names the track
 * @param similarity the track's similarity to the query, at most 1. Left out if there is no query
 */
export function createTrackItem(track, actions, similarity) {
  const item = createElement("li", { tabIndex: -1 }, createCover(track), createDescription(track));
  if (similarity !== undefined) {
    const bar = createElement("meter", { min: 0, max: 1, value: Math.max(0, similarity) });
    bar.setAttribute("aria-label", "Similarity");
    item.append(createElement("span", { className: "similarity" }, bar, similarity.toFixed(3)));
  }
  const name = trackName(track);
  const buttons = actions.map(([text, run]) => createButton(text, `${text}: ${name}`, run));
  item.append(createPlayer(track, name), createElement("span", { className: "actions" }, ...buttons));
  return item;
}

function createCover(track) {
  const image = createElement("img", { alt: "", loading: "lazy", src: `/api/tracks/${track.id}/cover` });
  image.onerror = () => image.replaceWith("♪");
  return createElement("span", { className: "cover", ariaHidden: "true" }, image);
}

function createDescription(track) {
  const details = [track.artist, track.album, track.year, formatDuration(track.seconds)].filter(Boolean).join(" · ");
  const description = createElement("span", { className: "name" }, createElement("strong", {}, track.title || track.name), createElement("small", {}, details));
  if (track.sounds.length) description.append(createElement("small", { className: "sounds" }, `Heard: ${track.sounds.map((sound) => sound.name).join("; ")}`));
  return description;
}
