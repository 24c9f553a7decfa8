// Names of tracks as people see them.

import { createElement } from "../common/dom.js";

const MAX_SHORT_LENGTH = 60; // characters

export const titleOf = (track) => track.title || track.file || track.name;

/** Return a title for a message, cut if it is long. */
export function shortTitleOf(track) {
  const characters = [...titleOf(track)];
  return characters.length > MAX_SHORT_LENGTH ? `${characters.slice(0, MAX_SHORT_LENGTH - 1).join("").trim()}…` : titleOf(track);
}

/** Return artist and album; of an untagged track its folder and file, of a clip what it is. */
export function subtitleOf(track) {
  if (track.upload) return "Your clip";
  const tags = [track.artist, track.album].filter(Boolean);
  if (tags.length) return tags.join(" – ");
  return [track.folder, track.title ? track.file : null].filter(Boolean).join(" / ");
}

/** Return a title and a subtitle, one above the other. */
export const createName = (title, ...subtitle) =>
  createElement(
    "span",
    { className: "name" },
    createElement("strong", { className: "title" }, title),
    createElement("small", { className: "subtitle" }, ...subtitle),
  );

/** Return artist and title in one line. */
export const trackName = (track) => [track.artist, titleOf(track)].filter(Boolean).join(" – ");
