// A track as an item of a list: cover, tags, sounds, player and buttons.

import { createButton, createElement } from "./dom.js";
import { createPlayer } from "./player.js";

/** Return a time to a tenth of a second, such as 1:02:03.4. */
function formatTime(seconds) {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

const formatDuration = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

export const trackName = (track) => [track.artist, track.title || track.name].filter(Boolean).join(" – ");

/**
 * Return a track as a list item. Its player starts at the track's start, if it is a moment.
 *
 * @param track as /api/tracks/ID returns it; a moment also has a start and an end in seconds
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
  const name = track.start === undefined ? trackName(track) : `${trackName(track)} at ${formatTime(track.start)}`;
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
  if (track.start !== undefined) description.append(createElement("small", { className: "moment" }, `${formatTime(track.start)}-${formatTime(track.end)}`));
  if (track.sounds.length) description.append(createElement("small", { className: "sounds" }, `Heard: ${track.sounds.map((sound) => sound.name).join("; ")}`));
  return description;
}
