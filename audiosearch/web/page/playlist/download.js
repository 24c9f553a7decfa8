// Download of the playlist as a file.

import { callApi, postJson } from "../common/api.js";
import { byId, createElement } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { playlist, savePlaylist } from "./store.js";

const URL_LIFETIME_MS = 10_000; // time for the browser to start the download

byId("download").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target.elements;
  const [name, format] = [form.name.value, form.format.value];
  await runBusy("Writing the file …", async () => {
    const tracks = playlist.tracks.map((track) => track.id);
    const response = await callApi("playlist/file", postJson({ tracks, name, format }));
    const fileName = `${name.replace(/[^\p{L}\p{N} _-]/gu, "_")}.${format}`;
    const link = createElement("a", { href: URL.createObjectURL(await response.blob()), download: fileName });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), URL_LIFETIME_MS);
    showStatus("Playlist downloaded.");
  });
};

byId("download").elements.name.onchange = (event) => {
  playlist.name = event.target.value;
  savePlaylist();
};
