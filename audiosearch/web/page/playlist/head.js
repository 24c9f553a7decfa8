// The head of the playlist: its name, and what can be done with all of it.

import { byId } from "../common/dom.js";
import { toggleMenu } from "../common/menu.js";
import { playTracks } from "../player/player.js";
import { copyPaths, download } from "./files.js";
import { isSaved, saveList } from "./saved.js";
import { change, playlist, playlistChanges } from "./store.js";
import { nextUndo, undoStep } from "./undo.js";

const FORMATS = ["m3u8", "xspf", "jspf", "pls"];
const HAS_UNDO = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea, dialog"; // the browser's own

function show() {
  const { name, tracks, isEndless } = playlist;
  if (byId("playlist-name").value !== name) byId("playlist-name").value = name;
  for (const id of ["play-all", "shuffle", "more-of-playlist"]) byId(id).disabled = !tracks.length;
  byId("save").disabled = isSaved() || !tracks.length || !name.trim();
  byId("save-text").textContent = isSaved() ? "Saved" : "Save";
  byId("endless").checked = isEndless;
  const text = nextUndo();
  byId("undo").disabled = !text;
  byId("undo").title = text ? `Undo (Ctrl+Z): ${text}` : "Nothing to undo";
}

byId("play-all").onclick = () => playTracks(playlist.tracks, 0);
byId("shuffle").onclick = () => playTracks(shuffled(playlist.tracks), 0);
byId("save").onclick = saveList;
byId("undo").onclick = undoStep;
byId("endless").onchange = (event) => change({ isEndless: event.target.checked });
byId("more-of-playlist").onclick = () => toggleMenu(byId("more-of-playlist"), [
  ...FORMATS.map((format) => ({ name: "download", text: `Download as ${format.toUpperCase()}`, run: () => download(format) })),
  { name: "copy", text: "Copy paths", run: copyPaths },
]);
byId("playlist-name").oninput = (event) => change({ name: event.target.value, savedAt: "" });
byId("playlist-name").onkeydown = (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (!byId("save").disabled) saveList();
};

/** Return the tracks in random order. */
function shuffled(tracks) {
  const result = [...tracks];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  if (byId("playlist").hidden || event.target.closest(HAS_UNDO)) return;
  event.preventDefault();
  undoStep();
});

playlistChanges.addEventListener("change", show);
show();
