// The playlist of the tab: a list of tracks, and the settings in the form, which the list may not be made with yet.

import { readSession, writeSession } from "../common/session.js";

const STORAGE_KEY = "playlist";

// Undo and Back bring these fields back together. Their arrays are replaced, never changed.
const NO_LIST = {
  tracks: [], name: "", notes: [],
  removed: [], // ids of tracks that stay out when the playlist is made again
  settings: "", // parameters of the settings that it was made with
  madeFrom: [], // starting tracks that it was made from
  savedName: "", // name that it is saved under
  savedAt: "", // time when it was saved; "" if it has changed since
};

// seeds, draft: the starting tracks in the form, and the parameters of its settings
// added: ids of tracks that joined the queue while the playlist kept playing
export const playlist = { ...NO_LIST, seeds: [], draft: "", isEndless: false, added: [] };

/** Sends "change" after each change of the playlist. */
export const playlistChanges = new EventTarget();

const lists = new Map(); // all that were shown, by the parameters of their addresses

/** Return a copy of the list, without the settings in the form. */
export const copyOfList = () => Object.fromEntries(Object.keys(NO_LIST).map((name) => [name, playlist[name]]));

export const hasList = () => Boolean(playlist.tracks.length || addressOfList());

/** Return the list with an address's parameters, or undefined. */
export const listAt = (parameters) => lists.get(parameters);

const addressOfList = () => addressWith(playlist.savedName, playlist.settings);

/** Return the parameters of an address: of settings, and of the saved playlist that was made with them. */
export function addressWith(savedName, settings) {
  const saved = savedName ? [["saved", savedName]] : [];
  return String(new URLSearchParams([...saved, ...new URLSearchParams(settings)]));
}

/** Change some fields of the playlist, and keep it in the tab's session storage, so that it survives a reload. */
export function change(changes) {
  Object.assign(playlist, changes);
  if (addressOfList()) lists.set(addressOfList(), copyOfList());
  playlistChanges.dispatchEvent(new Event("change"));
  writeSession(STORAGE_KEY, playlist);
}

/** Set the name and the time of saving. The list has a new address, which takes the place of the old one. */
export function setSaved(savedName, savedAt) {
  lists.delete(addressOfList());
  change({ savedName, savedAt });
}

/** Return the playlist that the tab had before it was reloaded, or null. */
export function keptPlaylist() {
  const kept = readSession(STORAGE_KEY);
  return Array.isArray(kept?.seeds) && Array.isArray(kept.tracks) ? kept : null;
}
