// Saved playlists: save and open them.

import { callApi, createRequestSequence, fetchJson, postJson } from "../common/api.js";
import { formatCount } from "../common/format.js";
import { runBusy } from "../common/status.js";
import { changeList, startRequest } from "./list.js";
import { openPanel } from "./panels.js";
import { fetchSeeds } from "./seeds.js";
import { fillForm, readSettings } from "./settings.js";
import { offerSkipped } from "./skipped.js";
import { change, copyOfList, playlist, setSaved } from "./store.js";
import { addStep, inTurn } from "./undo.js";

const startLoading = createRequestSequence();
const byName = new Intl.Collator(undefined, { numeric: true }); // List 2 comes before List 10

let summaries = null; // of the saved playlists, once they are known

/** Return the saved playlists: {name, tracks, seconds, saved}. */
export const savedPlaylists = () => summaries ?? [];

/** Load the saved playlists, which other tabs and the command line change too. Return their names. */
export async function loadSaved() {
  const isLatest = startLoading();
  const { playlists } = await fetchJson("playlists");
  const names = playlists.map(({ name }) => name);
  if (isLatest()) {
    summaries = playlists.sort((one, other) => byName.compare(one.name, other.name));
    offerSkipped(summaries.map(({ name }) => name));
    change();
  }
  return names;
}

/** Return whether the list is stored as it is shown. */
export function isSaved() {
  const isListed = () => summaries.some(({ name, saved }) => name === playlist.savedName && saved === playlist.savedAt);
  return Boolean(playlist.savedAt) && (summaries === null || isListed());
}

/** Return a name as the server stores it. */
function nameOf(text) {
  const name = text.toWellFormed().normalize("NFC").trim();
  if ([".", ".."].includes(name)) throw new Error(`A playlist can't have the name ${name}.`); // fetch() takes them for folders
  return name;
}

const pathOf = (name) => `playlists/${encodeURIComponent(name)}`;
const put = (name, content) => fetchJson(pathOf(name), { ...postJson(content), method: "PUT" });
const remove = (name) => callApi(pathOf(name), { method: "DELETE" });

// Settings are stored as the parameters of an address, and ids of removed tracks with them.
const contentOf = ({ tracks, settings, removed }) => ({ tracks: tracks.map(({ id }) => id), settings: { address: settings, removed } });

/** Return what is stored under a name, as it can be stored again. */
async function fetchContent(name) {
  const { tracks, settings } = await fetchJson(pathOf(name));
  return { tracks: tracks.map(({ id }) => id), settings };
}

const writing = (task) => inTurn(() => runBusy("", task));

/** Save the playlist under its name. */
export const saveList = () => writing(async () => {
  const names = await loadSaved();
  const [name, list] = [nameOf(playlist.name), copyOfList()];
  const replaced = names.includes(name) ? await fetchContent(name) : null;
  const { saved } = await put(name, contentOf(list));
  if (playlist.tracks === list.tracks && playlist.name === list.name) setSaved(name, saved); // else it has changed meanwhile
  await loadSaved();
  addStep(replaced ? `Saved ${name} in place of what it was.` : `Saved ${name}.`, async () => {
    if (replaced) await put(name, replaced);
    else await removeStored(name);
    await loadSaved();
  });
});

/** Show a saved playlist, with the settings that it was made with. */
export const openSaved = (name) => runBusy("", async () => {
  const isLatest = startRequest();
  const { tracks, missing, settings, saved } = await fetchJson(pathOf(name)).catch(async (error) => {
    await loadSaved();
    throw error;
  });
  const parameters = new URLSearchParams(String(settings.address ?? ""));
  const seeds = await fetchSeeds(parameters);
  if (!isLatest()) return;
  fillForm(parameters);
  const notes = missing ? [`${formatCount(missing, "track")} of it ${missing === 1 ? "is" : "are"} no longer in the library.`] : [];
  const removed = [settings.removed].flat().filter(Number.isSafeInteger);
  const list = { tracks, name, notes, removed, settings: readSettings(seeds), madeFrom: seeds };
  changeList(`Opened ${name}.`, { ...list, savedName: name, savedAt: saved, seeds });
  openPanel(null);
  await loadSaved();
});

async function removeStored(name) {
  await remove(name);
  if (playlist.savedName === name) setSaved("", "");
}

/** Remove a saved playlist. */
export const removeSaved = (name) => writing(async () => {
  const removed = await fetchContent(name);
  await removeStored(name);
  await loadSaved();
  addStep(`Removed the saved playlist ${name}.`, async () => {
    await put(name, removed);
    await loadSaved();
  });
});

/** Rename a saved playlist. */
export const renameSaved = (name, text) => writing(async () => {
  const names = await loadSaved();
  const newName = nameOf(text);
  if (!newName || newName === name) return;
  if (names.includes(newName)) throw new Error(`There is a saved playlist ${newName} already. Choose another name.`);
  await rename(name, newName);
  addStep(`Renamed ${name} to ${newName}.`, () => rename(newName, name));
});

async function rename(name, newName) {
  await callApi(pathOf(name), { ...postJson({ name: newName }), method: "PATCH" });
  if (playlist.savedName === name) {
    change({ name: newName });
    setSaved(newName, playlist.savedAt);
  }
  await loadSaved();
}
