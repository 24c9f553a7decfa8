// Playlists whose tracks are left out: files, and saved playlists.

import { fetchJson } from "../common/api.js";
import { byId, createChip } from "../common/dom.js";

let files = [];
let names = [];

/** Names of the saved playlists whose tracks are left out. */
export const skippedNames = () => names;

export function setSkipped(newNames) {
  names = [...new Set(newNames)];
  show();
}

/** Skip no files any more. An address can't name them, so that they stay when it changes. */
export function clearFiles() {
  files = [];
  show();
}

function show() {
  const chips = [
    ...names.map((name) => createSkippedChip(name, () => (names = names.filter((other) => other !== name)))),
    ...files.map((file) => createSkippedChip(file.name, () => (files = files.filter((other) => other !== file)))),
  ];
  byId("skipped").replaceChildren(...chips);
}

function createSkippedChip(text, remove) {
  return createChip(text, `Don't skip the tracks of ${text}`, () => {
    remove();
    changed();
    byId("skip-saved").focus();
  });
}

function changed() {
  show();
  byId("playlist-form").dispatchEvent(new Event("change", { bubbles: true }));
}

/** Offer saved playlists, by their names. */
export function offerSkipped(savedNames) {
  const options = [["Choose a saved playlist", ""], ...savedNames.map((name) => [name, name])];
  byId("skip-saved").replaceChildren(...options.map(([text, value]) => new Option(text, value)));
  byId("skip-saved").hidden = !savedNames.length;
}

/** Return the fields of POST /api/playlist that leave tracks out. */
export async function fetchSkipped() {
  const playlists = await Promise.all(names.map((name) => fetchJson(`playlists/${encodeURIComponent(name)}`)));
  const read = files.map(async (file) => ({ name: file.name, base64: await readBase64(file) }));
  return { exclude_tracks: playlists.flatMap(({ tracks }) => tracks.map(({ id }) => id)), exclude_playlists: await Promise.all(read) };
}

/** Return the bytes of a file in Base64. Its text may be in any encoding, which the server finds out. */
function readBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

byId("skip-files").onchange = ({ target }) => {
  files = [...files, ...target.files];
  target.value = "";
  changed();
};
byId("skip-saved").onchange = ({ target }) => {
  names = [...new Set([...names, target.value].filter(Boolean))];
  target.value = "";
  changed();
};
