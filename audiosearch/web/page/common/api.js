// Requests to the server's HTTP interface.

import { askForKey } from "./key_dialog.js";

const NO_ANSWER = "The server doesn't answer. Check that it is still running.";

/**
 * Send a request to a path under /api. If the server needs a key, ask the user for it.
 *
 * @returns the response, if its status is a success
 * @throws Error with the server's message and hint
 */
export const callApi = (path, options = {}) => call(() => fetch(`/api/${path}`, options).catch(rejectUnanswered));

function rejectUnanswered(error) {
  throw error.name === "AbortError" ? error : new Error(NO_ANSWER);
}

/** Run a function that sends a request; again once the user has given the key, if the server needs one. */
async function call(send) {
  const response = await send();
  if (response.status === 401 && (await askForKey())) return call(send);
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Return the error of a response: the server's sentence and hint, with the status of HTTP. */
async function problemOf(response) {
  const problem = await response.json().catch(() => ({ error: response.statusText, hint: "" }));
  const sentence = (problem.error || "The server can't answer").replace(/[^.]$/, "$&.");
  const error = new Error(`${sentence} ${problem.hint ?? ""}`.trim());
  return Object.assign(error, { status: response.status });
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

const MAX_NAME_LENGTH = 200; // of an upload, in characters

/**
 * Upload a file as a clip to search with.
 *
 * @param onProgress function that gets the share that has been sent
 * @returns the upload: {id, name, seconds, peaks, expires}
 */
export async function uploadFile(file, { signal, onProgress }) {
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Error("The browser can't read it. Choose a file, not a folder.");
  });
  return (await call(() => sendFile(file, { signal, onProgress }))).json();
}

// fetch() tells nothing about the progress of an upload.
function sendFile(file, { signal, onProgress }) {
  const name = [...file.name].slice(0, MAX_NAME_LENGTH).join("");
  const form = new FormData();
  form.append("file", file, "clip");
  const request = new XMLHttpRequest();
  request.open("POST", `/api/uploads?name=${encodeURIComponent(name)}`);
  request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
  signal.addEventListener("abort", () => request.abort());
  return new Promise((resolve, reject) => {
    request.onload = () => {
      const { status, statusText } = request;
      resolve(new Response(request.response, { status, statusText }));
    };
    request.onerror = () => reject(new Error(NO_ANSWER));
    request.onabort = () => reject(new DOMException("canceled", "AbortError"));
    request.send(form);
  });
}
