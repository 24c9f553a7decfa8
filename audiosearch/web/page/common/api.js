// Requests to the server's HTTP interface.

import { askForKey } from "./key_dialog.js";

/**
 * Send a request to a path under /api. If the server needs a key, ask the user for it.
 *
 * @returns the response, if its status is a success
 * @throws Error with the server's message and hint
 */
export async function callApi(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("The server doesn't answer. Check that it is still running.");
  }
  if (response.status === 401 && (await askForKey())) return callApi(path, options);
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ error: response.statusText, hint: "" }));
    const sentence = problem.error.replace(/[^.]$/, "$&.");
    throw new Error(`${sentence[0].toUpperCase()}${sentence.slice(1)} ${problem.hint}`.trim());
  }
  return response;
}

export const fetchJson = async (path, options) => (await callApi(path, options)).json();

/** Return the options of a request that posts a value as JSON. */
export const postJson = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

/**
 * Return a function that marks the start of a request.
 *
 * That function returns another one, `isLatest`. It is true until the next request starts, so that
 * a late response can be dropped.
 */
export function createRequestSequence() {
  let latest = 0;
  return () => {
    const current = ++latest;
    return () => current === latest;
  };
}
