// The line that tells which folders are being watched.

import { fetchJson } from "./api.js";
import { byId, createElement, isolated } from "./dom.js";

const SECONDS = 30;

/** Show the folders that a process keeps the index up to date with, from /api/health. */
export function showWatching(watching) {
  const line = byId("watching") ?? byId("top").appendChild(createElement("small", { id: "watching" }));
  const folders = (watching ?? []).flatMap((watch) => watch.folders);
  line.hidden = !folders.length;
  line.replaceChildren("Watching ", ...folders.flatMap((name, i) => [i ? ", " : "", isolated(name)]));
  line.title = "Files that are added to these folders, or change, are found within a minute.";
}

setInterval(async () => {
  if (document.hidden) return;
  const health = await fetchJson("health").catch(() => null); // the next request says that the server is gone
  if (health) showWatching(health.watching);
}, 1000 * SECONDS);
