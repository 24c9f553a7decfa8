// Covers, and the colored squares in place of absent ones.

import { createElement } from "../common/dom.js";
import { titleOf } from "./names.js";

/** Return a track's cover. Tracks of one album or folder share a color if they have no cover. */
export function createCover(track) {
  const cover = createElement("span", { className: "cover", ariaHidden: "true" });
  const album = track.album || track.folder || track.artist || titleOf(track);
  cover.style.setProperty("--hue", hueOf(album));
  const initial = [...album.replace(/^the /i, "").replace(/[^\p{L}\p{N}]/gu, "")][0]?.toUpperCase() ?? "";
  const showInitial = () => (cover.dataset.initial = initial); // drawn by the style sheet: it is no text
  if (hasCover(track)) {
    const image = createElement("img", { alt: "", loading: "lazy", decoding: "async", src: coverOf(track) });
    image.onerror = () => {
      image.remove();
      showInitial();
    };
    cover.append(image);
  } else {
    showInitial();
  }
  return cover;
}

/** Return whether a track has a cover, as far as that is known. */
export const hasCover = (track) => !track.upload && track.has_cover !== false;

export const coverOf = (track) => `/api/tracks/${track.id}/cover?missing=ok`;

function hueOf(text) {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + character.codePointAt(0)) | 0;
  return ((hash >>> 0) * 0.618033988749895 * 360) % 360;
}
