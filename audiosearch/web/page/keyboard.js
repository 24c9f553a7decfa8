// Keyboard shortcuts.

import { byId } from "./common/dom.js";
import { togglePlaying } from "./common/player.js";
import { showView } from "./views.js";

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key !== "/")) return;
  const isInside = (selector) => event.target.closest(selector) !== null;
  const isTyping = isInside("input, select, textarea, dialog, iframe");
  if (event.key !== "Escape" && (isTyping || (event.key !== "/" && isInside("button, a, audio, summary")))) return;
  const items = [...document.querySelectorAll("section:not([hidden]) .tracks > li")];
  const position = items.indexOf(document.activeElement.closest?.("li"));
  if (event.key === "/") {
    showView("find");
    byId("words").focus();
  } else if (event.key === "Escape" && !byId("discard").hidden) {
    byId("discard").click();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && items.length) {
    items[Math.max(0, Math.min(items.length - 1, position + (event.key === "ArrowDown" ? 1 : -1)))].focus();
  } else if (event.key === " " && items.length) {
    togglePlaying(items[position]?.querySelector("audio"));
  } else return;
  event.preventDefault();
});
