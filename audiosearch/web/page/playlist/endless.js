// "Keep playing": when the queue of the playlist runs short, more tracks by the same rules join it.

import { fetchJson, postJson } from "../common/api.js";
import { formatCount } from "../common/format.js";
import { showStatus } from "../common/status.js";
import { addToQueue, currentTrack, queueChanges, queuedTracks, queuePosition } from "../player/queue.js";
import { moreRequest } from "./request.js";
import { change, playlist, playlistChanges } from "./store.js";

const MIN_UPCOMING = 2; // tracks; with fewer, more are asked for
const MAX_KEPT = 1_000; // ids of added tracks

let isAsking = false;
let exhausted = null; // the last track of a queue that nothing could be added to, and the settings

const isOfPlaylist = ({ id }) => playlist.added.includes(id) || playlist.tracks.some((track) => track.id === id);

async function extendQueue() {
  const queued = queuedTracks();
  const last = queued.at(-1);
  const key = `${last?.id} ${playlist.settings}`;
  if (!playlist.isEndless || isAsking || !currentTrack() || currentTrack().upload || !isOfPlaylist(currentTrack())) return;
  if (queued.length - 1 - queuePosition() >= MIN_UPCOMING || exhausted === key) return;
  isAsking = true;
  try {
    const { tracks } = await fetchJson("playlist", postJson(await moreRequest(queued.filter(({ upload }) => !upload))));
    if (queuedTracks().at(-1) !== last) return; // another list plays by now
    if (!tracks.length) throw new Error("No other tracks fit the settings of the playlist.");
    change({ added: [...playlist.added, ...tracks.map(({ id }) => id)].slice(-MAX_KEPT) });
    tracks.forEach(addToQueue);
    showStatus(`Keep playing: ${formatCount(tracks.length, "more track")} in the queue.`);
  } catch (error) {
    exhausted = key;
    showStatus(`Can't keep playing after ${formatCount(queued.length, "track")}. ${error.message}`, true);
  } finally {
    isAsking = false;
  }
}

queueChanges.addEventListener("change", extendQueue);
playlistChanges.addEventListener("change", () => {
  if (!playlist.isEndless) exhausted = null; // switched on again, it tries again
  extendQueue();
});
