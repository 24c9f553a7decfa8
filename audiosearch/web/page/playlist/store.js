// The playlist and its seeds, kept in the tab's session storage so that they survive a reload.

const STORAGE_KEY = "audiosearch.playlist";

export const playlist = { seeds: [], tracks: [], name: "" };

let library = null; // the index that is served: track ids mean nothing in another one

export function savePlaylist() {
  const { seeds, tracks, name } = playlist;
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ library, seeds, list: tracks, name }));
  } catch {
    // A browser may refuse to store anything. Then a reload loses the playlist.
  }
}

/**
 * Return the saved seeds, tracks and name, or null if nothing was saved for this library.
 *
 * @param currentLibrary the library's identifier, from /api/health
 */
export function loadPlaylist(currentLibrary) {
  library = currentLibrary;
  try {
    const saved = JSON.parse(sessionStorage.getItem(STORAGE_KEY));
    return saved?.library === library ? { seeds: saved.seeds, tracks: saved.list, name: saved.name } : null;
  } catch {
    return null; // storage is refused, or its text is not JSON
  }
}
