// The page: it begins here. And its keys.

import { findWords } from "./find.js";
import { restore } from "./playlist.js";
import { $, busy, json } from "./server.js";
import { togglePlaying } from "./tracks.js";
import { show, showNamed } from "./views.js";

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key !== "/")) return;
  const within = (names) => event.target.closest(names) !== null;
  const isTyping = within("input, select, textarea, dialog, iframe");
  if (event.key !== "Escape" && (isTyping || (event.key !== "/" && within("button, a, audio, summary")))) return;
  const items = [...document.querySelectorAll("section:not([hidden]) .tracks > li")];
  const place = items.indexOf(document.activeElement.closest?.("li"));
  if (event.key === "/") {
    show("find");
    $("words").focus();
  } else if (event.key === "Escape" && !$("discard").hidden) {
    $("discard").click();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && items.length) {
    items[Math.max(0, Math.min(items.length - 1, place + (event.key === "ArrowDown" ? 1 : -1)))].focus();
  } else if (event.key === " " && items.length) {
    togglePlaying(items[place]?.querySelector("audio"));
  } else return;
  event.preventDefault();
});

await busy("", async () => restore((await json("health")).library));
showNamed();
findWords("");
