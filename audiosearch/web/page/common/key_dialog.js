// The dialog that asks for the API key.

import { byId } from "./dom.js";

let asking = null; // several requests may need the key at once

/** Ask for the key until the server accepts it. Return false if the user closes the dialog. */
export const askForKey = () => (asking ??= ask().finally(() => (asking = null)));

async function ask() {
  const dialog = byId("key");
  byId("key-wrong").hidden = true;
  for (;;) {
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue !== "open") return false;
    const headers = { "X-API-Key": byId("key-text").value };
    const response = await fetch("/api/session", { method: "POST", headers }).catch(() => ({ ok: false }));
    if (response.ok) return true;
    byId("key-wrong").hidden = false;
  }
}
