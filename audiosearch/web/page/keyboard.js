// Keyboard shortcuts: / searches, the arrows move along a list, Space plays or pauses.

import { go, parseAddress } from "./common/address.js";
import { byId } from "./common/dom.js";
import { togglePlaying } from "./player/player.js";
import { playRow } from "./tracks/row.js";

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key !== "/")) return;
  const isInside = (selector) => event.target.closest(selector) !== null;
  const isTyping = isInside("input, select, textarea, dialog, [role=menu]");
  if (event.key !== "Escape" && (isTyping || (event.key !== "/" && isInside("button, a, summary, [role=slider]")))) return;
  const rows = [...document.querySelectorAll("section:not([hidden]) .rows > .row")];
  const position = rows.indexOf(document.activeElement.closest?.(".row"));
  if (event.key === "/") {
    if (parseAddress().view !== "find") go("find");
    byId("words").focus();
    byId("words").select();
  } else if (event.key === "Escape" && !byId("discard").hidden) {
    byId("discard").click();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && rows.length) {
    rows[Math.max(0, Math.min(rows.length - 1, position + (event.key === "ArrowDown" ? 1 : -1)))].focus();
  } else if (event.key === "Enter" && position >= 0) {
    playRow(rows[position]);
  } else if (event.key === " ") {
    if (position >= 0) playRow(rows[position]);
    else togglePlaying();
  } else return;
  event.preventDefault();
});
