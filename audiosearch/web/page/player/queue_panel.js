// The panel of the queue: what plays, and what comes next.

import { byId, createElement, createIconButton, isolated } from "../common/dom.js";
import { formatCount, formatLength } from "../common/format.js";
import { createCover } from "../tracks/cover.js";
import { createName, subtitleOf, titleOf } from "../tracks/names.js";
import { player, removeTrack, start, togglePlaying } from "./player.js";
import { clearUpcoming, moveInQueue, queueChanges, queuedTracks, queuePosition } from "./queue.js";

const MAX_SHOWN = 200;

const panel = byId("queue-panel");
const list = byId("queue-list");

let firstShown = 0; // position in the queue of the first track in the list

function show() {
  if (panel.hidden) return;
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  const focusedPosition = firstShown + focused;
  const [tracks, position] = [queuedTracks(), queuePosition()];
  const upcoming = tracks.slice(position + 1);
  byId("queue-count").textContent = tracks.length ? `${formatCount(upcoming.length, "track")} to come` : "";
  byId("clear-queue").disabled = !upcoming.length;
  byId("queue-empty").hidden = tracks.length > 0;
  firstShown = Math.max(0, position);
  const shown = tracks.slice(firstShown, firstShown + MAX_SHOWN);
  list.replaceChildren(...shown.map((track, offset) => createItem(track, firstShown + offset)));
  if (focused >= 0) focusItem(focusedPosition - firstShown);
}

/** Focus an item of the list: the first one, or the last one, if the position is outside of it. */
function focusItem(position) {
  const item = list.children[Math.max(0, Math.min(position, list.children.length - 1))];
  (item?.querySelector(".queue-entry") ?? byId("close-queue")).focus();
}

function createItem(track, index) {
  const isNow = index === queuePosition();
  const button = createElement(
    "button",
    { type: "button", className: "queue-entry", onclick: () => jumpTo(index) },
    createCover(track),
    createName(isolated(titleOf(track)), isolated(subtitleOf(track))),
    createElement("span", { className: "length" }, formatLength(track.seconds)),
  );
  const remove = createIconButton("close", `Remove ${titleOf(track)} from the queue`, () => removeTrack(index));
  const item = createElement("li", { className: isNow ? "is-current" : "" }, button, remove);
  if (isNow) item.setAttribute("aria-current", "true");
  return item;
}

function jumpTo(index) {
  const step = index - queuePosition();
  if (!step) return togglePlaying();
  moveInQueue(step);
  start();
}

function toggleQueue(isOpen = panel.hidden) {
  panel.hidden = !isOpen;
  byId("queue").setAttribute("aria-expanded", String(isOpen));
  show();
  if (isOpen) byId("close-queue").focus();
  else byId("queue").focus();
}

byId("queue").onclick = () => toggleQueue();
byId("close-queue").onclick = () => toggleQueue(false);
byId("clear-queue").onclick = clearUpcoming;
// Narrow screens have these buttons in the panel only.
for (const button of panel.querySelectorAll("[data-presses]")) {
  button.onclick = () => byId(button.dataset.presses).click();
}
panel.addEventListener("keydown", (event) => event.key === "Escape" && toggleQueue(false));
queueChanges.addEventListener("change", show);
player.addEventListener("change", show);
