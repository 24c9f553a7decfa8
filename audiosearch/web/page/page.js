// The page: it begins here. And its keys.

import { findWords } from "./find.js";
import { restore } from "./playlist.js";
import { $ } from "./server.js";
import { show, showNamed } from "./views.js";

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const within = (names) => event.target.closest(names) !== null;
  const isTyping = within("input, select, textarea, dialog, iframe");
  if (event.key !== "Escape" && (isTyping || (event.key !== "/" && within("button, a, audio, summary")))) return;
  const items = [...document.querySelectorAll("section:not([hidden]) .tracks > li")];
  const place = items.indexOf(document.activeElement.closest?.("li"));
  if (event.key === "/") {
    show("find");
    $("words").focus();
  } else if (event.key === "Escape" && !within("dialog")) {
    $("discard").click();
    document.activeElement.blur();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && items.length) {
    items[Math.max(0, Math.min(items.length - 1, place + (event.key === "ArrowDown" ? 1 : -1)))].focus();
  } else if (event.key === " " && items.length) {
    const audio = items[Math.max(0, place)].querySelector("audio");
    if (audio.paused) audio.play();
    else audio.pause();
  } else return;
  event.preventDefault();
});

restore();
showNamed();
findWords("");
