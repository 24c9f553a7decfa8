// The Playlist view. Its settings are in the address, and each address shows the list made with it.

import { onAddress, parseAddress, setAddress } from "../common/address.js";
import { byId } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import "./endless.js";
import "./head.js";
import { showList, startRequest } from "./list.js";
import { makeFirst, makePlaylist } from "./make.js";
import { applyRules, followInput } from "./rules.js";
import { loadSaved, openSaved } from "./saved.js";
import "./saved_list.js";
import { fetchSeeds } from "./seeds.js";
import { clearFiles } from "./skipped.js";
import { countAdvanced, fillForm, form, readSettings } from "./settings.js";
import { addressWith, change, keptPlaylist, listAt, playlist, playlistChanges } from "./store.js";
import "./tracks.js";

/** Return the parameters of the address: the settings in the form, and the saved playlist that was made with them. */
const currentAddress = () => addressWith(playlist.draft === playlist.settings ? playlist.savedName : "", playlist.draft);

let written = null; // the last address that was written; a link that is being opened stays in the address

/** Write the settings into the address. Back leads to the last list, not to each change of a setting. */
function writeAddress() {
  playlist.draft = readSettings();
  byId("advanced-count").textContent = countAdvanced() || "";
  if (currentAddress() === written) return;
  written = currentAddress();
  const { parameters } = parseAddress();
  setAddress("playlist", new URLSearchParams(written), { isReplaced: !listAt(String(parameters)) });
}

function showAddress(parameters) {
  loadSaved().catch((error) => showStatus(error.message, true));
  const address = String(parameters);
  if (!address) written = null; // the address of what is shown is written
  if (!address || address === currentAddress()) {
    writeAddress();
    return makeFirst();
  }
  if (listAt(address)) return showList(listAt(address));
  runBusy("", () => showLink(parameters));
}

/** Show an address that this tab has no list of: from a link, or from before a reload. */
async function showLink(parameters) {
  const isLatest = startRequest();
  const seeds = await fetchSeeds(parameters);
  if (!isLatest() || String(parseAddress().parameters) !== String(parameters)) return; // the user has gone on or back
  fillForm(parameters);
  change({ seeds });
  if (parameters.has("saved")) await openSaved(parameters.get("saved"));
  else if (seeds.length) await makePlaylist();
}

form.onsubmit = (event) => {
  event.preventDefault();
  makePlaylist();
};
form.addEventListener("input", (event) => {
  followInput(event.target);
  applyRules();
});
form.addEventListener("change", () => {
  applyRules();
  change();
});
byId("reset-settings").onclick = () => {
  clearFiles();
  fillForm(new URLSearchParams());
  change();
};

/** Show the playlist that the tab had before it was reloaded. */
export function restorePlaylist() {
  const kept = keptPlaylist();
  if (kept) {
    fillForm(new URLSearchParams(kept.draft));
    change(kept);
  }
  if (parseAddress().view === "playlist") written = currentAddress(); // the address decides what is shown
  else writeAddress();
  playlistChanges.addEventListener("change", writeAddress);
}

onAddress("playlist", showAddress);
