// Entry point of the page: connects the views, then shows what the address names.

import { addTrackAction } from "./common/actions.js";
import { addressOf, onAddress, showAddress } from "./common/address.js";
import { fetchJson } from "./common/api.js";
import { loadDefaults } from "./common/defaults.js";
import { byId } from "./common/dom.js";
import { setLibrary } from "./common/session.js";
import { runBusy, showStatus } from "./common/status.js";
import { showWatching } from "./common/watching.js";
import { setClipProblem, setHasMoments } from "./find/clip_support.js";
import { addClips, currentQuery, linkToSimilar, newQuery, parametersOf } from "./find/query.js";
import "./find/view.js";
import "./keyboard.js";
import "./player/bar.js";
import "./player/media_session.js";
import { enqueue } from "./player/player.js";
import { currentTrack, playNext, restoreQueue } from "./player/queue.js";
import "./player/queue_panel.js";
import { addSeed } from "./playlist/seeds.js";
import { restorePlaylist } from "./playlist/view.js";
import { shortTitleOf } from "./tracks/names.js";

const isTrack = (track) => !track.upload;
const linkToFilter = (name, value) => addressOf("find", parametersOf(newQuery({ filters: { [name]: [value] } })));

addTrackAction({ name: "similar", text: "More like this", href: linkToSimilar, isQuick: true });
addTrackAction({
  name: "less", text: "Less like this",
  isOffered: (track) => isTrack(track) && currentQuery().clips.some((clip) => !clip.isUnlike),
  run: ({ id }) => addClips([{ kind: "track", id, isUnlike: true }]),
});
addTrackAction({
  name: "more", text: "Add to the search",
  isOffered: (track) => isTrack(track) && currentQuery().clips.length > 0,
  run: ({ id }) => addClips([{ kind: "track", id, isUnlike: false }]),
});
addTrackAction({ name: "queue", text: "Add to queue", run: enqueue, isQuick: true });
addTrackAction({ name: "next", text: "Play next", run: playAfterCurrent });
addTrackAction({ name: "seed", text: "Start a playlist", run: addSeed, isQuick: true });
addTrackAction({ name: "map", text: "Show on map", href: ({ id }) => addressOf("map", new URLSearchParams({ track: id })) });
addTrackAction({
  name: "artist", text: "Go to artist", isOffered: ({ artists }) => Boolean(artists?.length),
  href: ({ artists }) => linkToFilter("artist", artists[0]),
});
addTrackAction({
  name: "album", text: "Go to album", isOffered: ({ album }) => Boolean(album), href: ({ album }) => linkToFilter("album", album),
});

function playAfterCurrent(track) {
  if (!currentTrack()) return enqueue(track);
  playNext(track);
  showStatus(`${shortTitleOf(track)} plays next.`);
}

// The map is loaded when it is first shown.
onAddress("map", (parameters) => runBusy("", async () => (await import("./map_view.js")).showMap(parameters)));

byId("like-current").onclick = () => (location.hash = linkToSimilar(currentTrack()));

await runBusy("", async () => {
  const [{ library, moments, clips_problem, watching }] = await Promise.all([fetchJson("health"), loadDefaults()]);
  setHasMoments(moments);
  setClipProblem(clips_problem);
  setLibrary(library);
  showWatching(watching);
  restoreQueue();
  restorePlaylist();
});
showAddress();
