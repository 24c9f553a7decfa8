// Values kept in the tab's session storage, so that they survive a reload.

let library = null; // the index that is served: track ids mean nothing in another one

/** Tell which library is served, from /api/health. Call it before reading. */
export const setLibrary = (name) => (library = name);

export function writeSession(name, value) {
  try {
    sessionStorage.removeItem(`audiosearch.${name}`); // an older value must not come back
    sessionStorage.setItem(`audiosearch.${name}`, JSON.stringify({ library, value }));
  } catch {
    // A browser may refuse to store anything, or this much. Then a reload loses the value.
  }
}

/** Return the value kept for this library, or null if there is none. */
export function readSession(name) {
  try {
    const saved = JSON.parse(sessionStorage.getItem(`audiosearch.${name}`));
    return saved?.library === library ? (saved.value ?? null) : null;
  } catch {
    return null; // storage is refused, or its text is not JSON
  }
}
