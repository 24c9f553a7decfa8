// The status line at the top of the page.

import { byId } from "./dom.js";

export function showStatus(text, isError = false) {
  byId("status").textContent = text;
  byId("status").className = isError ? "error" : "";
}

let nRunning = 0;

/** Run a task with the page marked as busy. Show the text first, and the error if the task fails. */
export async function runBusy(text, task) {
  showStatus(text);
  nRunning += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    await task();
  } catch (error) {
    showStatus(error.message, true);
  } finally {
    nRunning -= 1;
    if (!nRunning) document.body.removeAttribute("aria-busy");
  }
}
