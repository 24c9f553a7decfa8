// The map, in a frame of its own that may do nothing but draw.

import { actionsOf } from "./find.js";
import { setSeeds } from "./playlist.js";
import { $, ask, busy, counted, element, json, latest, say } from "./server.js";
import { play, togglePlaying, trackItem } from "./tracks.js";
import { show } from "./views.js";

const MOST_SEEDS = 100;

addEventListener("message", async (event) => {
  const frame = $("map").querySelector("iframe");
  if (!frame || event.source !== frame.contentWindow) return;
  const { chosen, lasso, toggle } = event.data;
  if (toggle) togglePlaying();
  else if (Number.isInteger(chosen)) await busy("", () => playTrack(chosen));
  else if (Array.isArray(lasso)) await busy("", () => begin(lasso.filter(Number.isInteger)));
});

const asks = latest();
async function playTrack(id) {
  const isLatest = asks();
  const track = await json(`tracks/${id}`);
  if (!isLatest()) return;
  const item = trackItem(track, actionsOf(track));
  $("playing").replaceChildren(element("ol", { className: "tracks" }, item));
  play(item.querySelector("audio"));
}

async function begin(ids) {
  if (!ids.length) return say("The lasso holds no track.", true);
  const seeds = await Promise.all(ids.slice(0, MOST_SEEDS).map((id) => json(`tracks/${id}`)));
  setSeeds(seeds);
  show("playlist");
  const rest = ids.length - seeds.length;
  say(`${counted(seeds.length, "track")} to start from${rest ? `; ${rest} more were left out` : ""}: make the playlist.`);
}

/** Show the map; anew where there are more tracks, or fewer, than there were. */
export async function loadMap() {
  await busy("", async () => {
    const { tracks } = await json("health");
    let frame = $("map").querySelector("iframe");
    if (frame?.dataset.tracks === String(tracks)) return;
    frame?.remove();
    frame = element("iframe", { title: "Map of the library" });
    frame.dataset.tracks = tracks;
    frame.setAttribute("sandbox", "allow-scripts");
    $("map").insertBefore(frame, $("playing"));
    say("Laying out the map: the first time takes a while.");
    try {
      await ask("map", { method: "HEAD" }).catch(() => ask("map")); // whose refusal has words
    } catch (problem) {
      frame.remove();
      throw problem;
    }
    frame.src = "/map";
    say("");
  });
}
