// Making a playlist, and making it again.

import { fetchJson, postJson } from "../common/api.js";
import { byId } from "../common/dom.js";
import { formatCount, withPeriod } from "../common/format.js";
import { runBusy } from "../common/status.js";
import { changeList, startRequest } from "./list.js";
import { openPanel } from "./panels.js";
import { playlistRequest } from "./request.js";
import { firstProblem } from "./rules.js";
import { readSettings } from "./settings.js";
import { hasList, playlist } from "./store.js";

/** Make the playlist by the settings in the form. Tracks that were removed stay out. */
export async function makePlaylist() {
  const field = firstProblem();
  if (field) return showProblemOf(field);
  const isLatest = startRequest();
  const made = { settings: readSettings(), madeFrom: playlist.seeds, savedName: "" };
  await runBusy("Making the playlist …", async () => {
    const excluded = new Set(playlist.removed);
    const result = await fetchJson("playlist", postJson(await playlistRequest()));
    if (!isLatest()) return;
    const isRemoved = ({ id }) => playlist.removed.includes(id) && !excluded.has(id); // while it was made
    const tracks = result.tracks.filter((track) => !isRemoved(track));
    const name = [...result.name].slice(0, byId("playlist-name").maxLength).join("");
    changeList(`Made a playlist of ${formatCount(tracks.length, "track")}.`, { ...made, tracks, name, notes: result.notes.map((note) => withPeriod(`${note[0].toUpperCase()}${note.slice(1)}`)) });
    openPanel(null);
    byId("playlist-head").scrollIntoView({ block: "nearest" });
  });
}

/** Make the first list at once. Later changes of the settings wait for the button. */
export function makeFirst() {
  if (playlist.seeds.length && !hasList()) makePlaylist();
}

function showProblemOf(field) {
  openPanel("settings");
  const details = field.closest("details");
  if (details) details.open = true;
  field.focus();
}
