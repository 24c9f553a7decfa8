// The map, in a frame of its own that may do nothing but draw.

import { actionsOf } from "./find.js";
import { setSeeds } from "./playlist.js";
import { $, ask, busy, counted, element, json, say } from "./server.js";
import { trackItem } from "./tracks.js";
import { show } from "./views.js";

const MOST_SEEDS = 100;

addEventListener("message", async (event) => {
  const frame = $("map").querySelector("iframe");
  if (!frame || event.source !== frame.contentWindow) return;
  const { chosen, lasso } = event.data;
  if (Number.isInteger(chosen)) await busy("", () => play(chosen));
  else if (Array.isArray(lasso)) await busy("", () => begin(lasso.filter(Number.isInteger)));
});

async function play(id) {
  const track = await json(`tracks/${id}`);
  const item = trackItem(track, actionsOf(track));
  $("playing").replaceChildren(element("ol", { className: "tracks" }, item));
  await item.querySelector("audio").play().catch(() => {}); // a browser may want a click in this page first
}

async function begin(ids) {
  if (!ids.length) return say("The lasso holds no track.", true);
  const seeds = await Promise.all(ids.slice(0, MOST_SEEDS).map((id) => json(`tracks/${id}`)));
  setSeeds(seeds);
  show("playlist");
  const rest = ids.length - seeds.length;
  say(`${counted(seeds.length, "track")} to start from${rest ? `; ${rest} more were left out` : ""}: make the playlist.`);
}

export async function loadMap() {
  if ($("map").querySelector("iframe")) return;
  const frame = element("iframe", { title: "Map of the library", onload: () => say("") });
  frame.setAttribute("sandbox", "allow-scripts");
  $("map").insertBefore(frame, $("playing"));
  try {
    await ask("health"); // which asks for the key, where there is one
    say("Laying out the map: the first time takes a while.");
    frame.src = "/map";
  } catch (problem) {
    frame.remove();
    say(problem.message, true);
  }
}
