// The tracks of the playlist: show, reorder and remove them.

import { byId, formatCount } from "../common/dom.js";
import { moveToFooter, replaceItems } from "../common/player.js";
import { showStatus } from "../common/status.js";
import { trackActions } from "../common/track_actions.js";
import { createTrackItem, trackName } from "../common/track_item.js";
import { playlist, savePlaylist } from "./store.js";

export function setTracks(tracks, name) {
  playlist.tracks = tracks;
  playlist.name = name;
  replaceItems(byId("playlist-tracks"), tracks.map(createItem));
  byId("download").elements.name.value = name;
  tracksChanged();
}

function tracksChanged() {
  const nTracks = playlist.tracks.length;
  byId("download").hidden = !nTracks;
  byId("playlist-count").hidden = !nTracks;
  byId("playlist-count").textContent = `(${nTracks})`;
  savePlaylist();
}

let draggedItem = null;
function createItem(track) {
  const item = createTrackItem(track, [
    ["Up", (event) => moveTrack(positionOf(item), positionOf(item) - 1, event.target)],
    ["Down", (event) => moveTrack(positionOf(item), positionOf(item) + 1, event.target)],
    ["Remove", () => removeTrack(positionOf(item))],
    ...trackActions(track),
  ]);
  item.onpointerdown = (event) => (item.draggable = !event.target.closest("audio, button"));
  item.ondragstart = () => {
    draggedItem = item;
    item.classList.add("is-dragged");
  };
  item.ondragend = () => {
    draggedItem = null;
    item.classList.remove("is-dragged");
  };
  item.ondragover = (event) => {
    if (!draggedItem) return;
    event.preventDefault();
    item.classList.toggle("is-drop-target", item !== draggedItem);
  };
  item.ondragleave = () => item.classList.remove("is-drop-target");
  item.ondrop = (event) => {
    event.preventDefault();
    item.classList.remove("is-drop-target");
    if (draggedItem) moveTrack(positionOf(draggedItem), positionOf(item));
  };
  return item;
}

const positionOf = (item) => [...byId("playlist-tracks").children].indexOf(item);

/**
 * Move a track to another position.
 *
 * Its item swaps with one neighbor after another. In each swap, an item that isn't playing is moved,
 * because an item taken out of the document stops playing.
 */
function moveTrack(from, to, pressedButton = null) {
  const { tracks } = playlist;
  if (to < 0 || to >= tracks.length) return;
  tracks.splice(to, 0, ...tracks.splice(from, 1));
  const items = byId("playlist-tracks").children;
  const step = Math.sign(to - from);
  for (let position = from; position !== to; position += step) {
    const upper = items[Math.min(position, position + step)];
    const lower = upper.nextElementSibling;
    if (lower.querySelector("audio").paused) upper.before(lower);
    else lower.after(upper);
  }
  pressedButton?.focus();
  showStatus(`Moved ${trackName(tracks[to])} to position ${to + 1}.`);
  tracksChanged();
}

function removeTrack(position) {
  const { tracks } = playlist;
  const [track] = tracks.splice(position, 1);
  const items = byId("playlist-tracks").children;
  moveToFooter(items[position]);
  items[position].remove();
  items[Math.min(position, tracks.length - 1)]?.focus();
  showStatus(`Removed ${trackName(track)}. ${formatCount(tracks.length, "track")} left.`);
  tracksChanged();
}
