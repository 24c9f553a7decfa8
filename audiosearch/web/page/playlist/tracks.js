// The tracks of the playlist: show, reorder and remove them.

import { byId, createElement, createIconButton } from "../common/dom.js";
import { formatCount, formatPosition } from "../common/format.js";
import { shortTitleOf, trackName } from "../tracks/names.js";
import { createRow } from "../tracks/row.js";
import { makeDraggable } from "./dragging.js";
import { changeList } from "./list.js";
import { hasList, playlist, playlistChanges } from "./store.js";

const list = byId("playlist-tracks");
const items = new WeakMap(); // by track, so that a change of the order keeps the rows

let shown = null;

function show() {
  const { tracks, notes, removed } = playlist;
  if (shown !== tracks) list.replaceChildren(...tracks.map(itemOf));
  shown = tracks;
  byId("playlist").classList.toggle("has-list", hasList());
  byId("playlist-head").hidden = !hasList();
  byId("playlist-empty").hidden = hasList();
  for (const element of document.querySelectorAll("#playlist-empty [data-has-seeds]")) element.hidden = element.dataset.hasSeeds !== String(playlist.seeds.length > 0);
  byId("playlist-count").hidden = !tracks.length;
  byId("playlist-count").textContent = tracks.length;
  const seconds = tracks.reduce((total, track) => total + (track.seconds ?? 0), 0);
  const length = `${formatCount(tracks.length, "track")} · ${formatPosition(Math.round(seconds))}`;
  byId("playlist-length").textContent = tracks.length ? length : "No tracks";
  byId("playlist-notes").replaceChildren(...notes.map((note) => createElement("li", {}, note)));
  byId("playlist-removed").hidden = !removed.length;
  byId("removed-text").textContent = `${formatCount(removed.length, "removed track")} ${removed.length === 1 ? "stays" : "stay"} out.`;
}

function itemOf(track) {
  if (!items.has(track)) items.set(track, createItem(track));
  return items.get(track);
}

function createItem(track) {
  const item = createRow(track, {
    actions: [
      { name: "remove", text: "Remove", isQuick: true, run: () => removeTrack(positionOf(item)) },
      { name: "up", text: "Move up", run: () => moveTrack(positionOf(item), positionOf(item) - 1) },
      { name: "down", text: "Move down", run: () => moveTrack(positionOf(item), positionOf(item) + 1) },
    ],
  });
  const grip = createIconButton("grip", `Move ${trackName(track)}: drag it, or press the arrow keys`, null);
  grip.classList.add("grip");
  grip.title = "Drag to move, or press the arrow keys";
  item.prepend(grip);
  item.addEventListener("keydown", (event) => moveByKey(event, item));
  return item;
}

/** Arrow keys on the grip, and Alt with arrow keys on the row, move a track. Delete removes it. */
function moveByKey(event, item) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const isOnGrip = event.target.closest(".grip") !== null;
  if (step && (isOnGrip || event.altKey)) moveTrack(positionOf(item), positionOf(item) + step, event.target);
  else if (event.key === "Delete" && (isOnGrip || event.target === item)) removeTrack(positionOf(item));
  else return;
  event.preventDefault();
  event.stopPropagation();
}

const positionOf = (item) => [...list.children].indexOf(item);

/** Move a track to another position, and focus its row or a control in it. */
function moveTrack(from, to, focused = list.children[from]) {
  if (to < 0 || to >= playlist.tracks.length || from === to) return;
  const tracks = [...playlist.tracks];
  tracks.splice(to, 0, ...tracks.splice(from, 1));
  changeList(`Moved ${shortTitleOf(tracks[to])} to position ${to + 1}.`, { tracks });
  focused.focus();
}

function removeTrack(position) {
  const track = playlist.tracks[position];
  const tracks = playlist.tracks.filter((_, index) => index !== position);
  changeList(`Removed ${shortTitleOf(track)}.`, { tracks, removed: [...new Set([...playlist.removed, track.id])] });
  (list.children[Math.min(position, tracks.length - 1)] ?? byId("undo")).focus();
}

byId("allow-removed").onclick = () => {
  changeList("Removed tracks may come back.", { removed: [] });
  byId("make").focus();
};

makeDraggable(list, moveTrack);
playlistChanges.addEventListener("change", show);
