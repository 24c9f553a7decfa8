// The playlist as a file, and its paths on the clipboard.

import { callApi, postJson } from "../common/api.js";
import { byId, createElement } from "../common/dom.js";
import { formatCount } from "../common/format.js";
import { runBusy, showStatus } from "../common/status.js";
import { playlist } from "./store.js";

const URL_LIFETIME_MS = 10_000; // time for the browser to start the download

const nameOfList = () => playlist.name || "Playlist";

function fetchFile(format) {
  const tracks = playlist.tracks.map(({ id }) => id);
  return callApi("playlist/file", postJson({ tracks, name: nameOfList(), format }));
}

/** Download the playlist in a format: m3u8, xspf, jspf or pls. */
export const download = (format) => runBusy("Writing the file …", async () => {
  const fileName = `${nameOfList().replace(/[^\p{L}\p{M}\p{N} _-]/gu, "_")}.${format}`;
  const file = await (await fetchFile(format)).blob();
  const link = createElement("a", { href: URL.createObjectURL(file), download: fileName });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), URL_LIFETIME_MS);
  showStatus(`Downloaded ${fileName}.`);
});

/** Copy the paths of the tracks, one a line. */
export const copyPaths = () => runBusy("", async () => {
  const text = await (await fetchFile("m3u8")).text();
  const paths = text.split(/\r?\n/).filter((line) => line && !line.startsWith("#"));
  await copy(paths.join("\n"));
  showStatus(`Copied ${formatCount(paths.length, "path")}.`);
});

/** Copy a text. Browsers have navigator.clipboard only over HTTPS and on this computer. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).catch(() => copySelected(text));
  copySelected(text);
}

function copySelected(text) {
  const area = createElement("textarea", { value: text, className: "visually-hidden" });
  byId("playlist").append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("Can't copy the paths: the browser doesn't allow it. Download the playlist as M3U8 instead.");
}
