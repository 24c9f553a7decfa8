// The form that a playlist is made with.

import { createRequestSequence, fetchJson, postJson } from "../common/api.js";
import { loadDefaults } from "../common/defaults.js";
import { byId, formatCount } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { playlist } from "./store.js";
import { setTracks } from "./tracks.js";

const startRequest = createRequestSequence();

byId("playlist-form").onsubmit = async (event) => {
  event.preventDefault();
  if (!playlist.seeds.length) return showStatus("Choose a seed track first.", true);
  const isLatest = startRequest();
  await runBusy("Making the playlist …", async () => {
    const request = { ...(await seedFields(event.target.elements.path.checked)), ...(await formFields(event.target.elements)) };
    const result = await fetchJson("playlist", postJson(request));
    if (!isLatest()) return;
    setTracks(result.tracks, result.name);
    showStatus([formatCount(result.tracks.length, "track"), ...result.notes].join(". "));
  });
};

/** Return the seeds for POST /api/playlist. A path starts at the first and ends at the last one. */
async function seedFields(isPath) {
  const ids = playlist.seeds.map((seed) => seed.id);
  if (!isPath) return { tracks: ids, via: [], to: null };
  const { max_waypoints: maxWaypoints } = await loadDefaults();
  if (ids.length < 2) throw new Error("A path needs at least two seeds. Add another one.");
  if (ids.length > maxWaypoints + 2) throw new Error(`A path takes at most ${maxWaypoints + 2} seeds. Remove some.`);
  return { tracks: ids.slice(0, 1), via: ids.slice(1, -1), to: ids.at(-1) };
}

/** Return the other fields for POST /api/playlist. */
async function formFields(form) {
  const number = (name) => (form[name].value === "" ? null : Number(form[name].value));
  const playlistFiles = [...form.exclude.files].map(async (file) => ({ name: file.name, base64: await readBase64(file) }));
  return {
    n: number("n"), minutes: number("minutes"), diversity: number("diversity"),
    max_per_artist: number("max_per_artist"), max_per_album: number("max_per_album"), artist_gap: number("artist_gap"),
    drift: form.drift.checked, vary: form.vary.checked, random_seed: number("random_seed"), seeds: form.seeds.checked,
    whiten: { yes: true, no: false }[form.whiten.value] ?? null,
    only: filterFields(form, ""), unless: filterFields(form, "not_"),
    exclude_playlists: await Promise.all(playlistFiles),
  };
}

/** Return the bytes of a file in Base64. Its text may be in any encoding, which the server finds out. */
function readBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function filterFields(form, prefix) {
  const text = (name) => form[prefix + name].value.trim();
  const values = (name) => text(name).split(";").map((value) => value.trim()).filter(Boolean);
  return {
    artist: values("artist"), album: values("album"), genre: values("genre"), under: values("under"),
    year: text("year"), seconds: text("seconds"),
  };
}
