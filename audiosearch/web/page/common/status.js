// Messages: a line above the player, which goes away by itself. An error stays until the user goes on.

import { byId } from "./dom.js";

const SHOWN_MS = 6_000;
const SHOWN_WITH_ACTION_MS = 10_000;

let timer = 0;
let errorAt = null; // time of the error that is shown

/**
 * Show a message.
 *
 * @param action a button beside it: {text, run}
 */
export function showStatus(text, isError = false, action = null) {
  clearTimeout(timer);
  byId("status-action").hidden = !action;
  byId("status-action").textContent = action?.text ?? "";
  byId("status-action").onclick = () => (showStatus(""), action?.run());
  byId("status").textContent = text;
  byId("toast").className = isError ? "error" : "";
  byId("toast").hidden = !text;
  errorAt = text && isError ? performance.now() : null;
  if (text && !isError) timer = setTimeout(() => showStatus(""), action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
}

byId("close-status").onclick = () => showStatus("");

function closeReadError(event) {
  const isRead = errorAt !== null && performance.now() - errorAt > SHOWN_MS;
  if (isRead && !byId("toast").contains(event.target)) showStatus("");
}
for (const name of ["pointerdown", "keydown"]) addEventListener(name, closeReadError, { capture: true });

let nRunning = 0;

/** Run a task with the page marked as busy. Show a text, if there is one, and the error if the task fails. */
export async function runBusy(text, task) {
  if (text) showStatus(text);
  nRunning += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    await task();
  } catch (error) {
    if (error.name !== "AbortError") showStatus(error.message, true);
  } finally {
    nRunning -= 1;
    if (!nRunning) document.body.removeAttribute("aria-busy");
  }
}
