// Playlists: what they begin with, how they are made, put in order, and downloaded.

import { actionsOf } from "./find.js";
import { $, ask, busy, counted, element, json, latest, say, sent } from "./server.js";
import { button, dock, nameOf, replaceItems, trackItem } from "./tracks.js";
import { show } from "./views.js";

const KEPT = "audiosearch.playlist"; // in the tab's storage: what a reload must not lose
const MOST_VIA = 20;

let seeds = [];
let list = [];

// Seeds

export function setSeeds(tracks) {
  seeds = tracks;
  $("no-seeds").hidden = seeds.length > 0;
  $("seeds").replaceChildren(...seeds.map((seed) => element("li", {}, button(`${nameOf(seed)} ×`, `Leave out ${nameOf(seed)}`, () => {
    setSeeds(seeds.filter((other) => other !== seed));
    ($("seeds").querySelector("button") || $("wanted").querySelector("[type=submit]")).focus();
  }))));
  keep();
}

export function addSeed(track) {
  if (!seeds.some((seed) => seed.id === track.id)) setSeeds([...seeds, track]);
  show("playlist");
  say(`${counted(seeds.length, "track")} to start from`);
}

// The list

function setList(tracks, name) {
  list = tracks;
  replaceItems($("list"), ...list.map(listItem));
  $("download").elements.name.value = name;
  changed();
}

function changed() {
  $("download").hidden = !list.length;
  $("n-playlist").hidden = !list.length;
  $("n-playlist").textContent = `(${list.length})`;
  keep();
}

let dragged = null;
function listItem(track) {
  const item = trackItem(track, [
    ["Up", (event) => move(placeOf(item), placeOf(item) - 1, event.target)],
    ["Down", (event) => move(placeOf(item), placeOf(item) + 1, event.target)],
    ["Remove", () => remove(placeOf(item))],
    ...actionsOf(track),
  ]);
  item.onpointerdown = (event) => (item.draggable = !event.target.closest("audio, button"));
  item.ondragstart = () => {
    dragged = item;
    item.classList.add("dragged");
  };
  item.ondragend = () => {
    dragged = null;
    item.classList.remove("dragged");
  };
  item.ondragover = (event) => {
    if (!dragged) return;
    event.preventDefault();
    item.classList.toggle("target", item !== dragged);
  };
  item.ondragleave = () => item.classList.remove("target");
  item.ondrop = (event) => {
    event.preventDefault();
    item.classList.remove("target");
    if (dragged) move(placeOf(dragged), placeOf(item));
  };
  return item;
}

const placeOf = (item) => [...$("list").children].indexOf(item);

/** Move a track past its neighbours, one after the other: none that plays is taken out of the page. */
function move(from, to, pressed = null) {
  if (to < 0 || to >= list.length) return;
  list.splice(to, 0, ...list.splice(from, 1));
  for (let place = from; place !== to; place += Math.sign(to - from)) {
    const upper = $("list").children[Math.min(place, place + Math.sign(to - from))];
    const lower = upper.nextElementSibling;
    if (lower.querySelector("audio").paused) upper.before(lower);
    else lower.after(upper);
  }
  pressed?.focus();
  say(`${nameOf(list[to])} is number ${to + 1} now.`);
  changed();
}

function remove(place) {
  const [track] = list.splice(place, 1);
  dock($("list").children[place]);
  $("list").children[place].remove();
  $("list").children[Math.min(place, list.length - 1)]?.focus();
  say(`${nameOf(track)} is out; ${counted(list.length, "track")} left.`);
  changed();
}

// Making it

async function wanted(form) {
  if (form.path.checked && seeds.length < 2) throw new Error("A path leads from one track to another: choose a second one.");
  if (form.path.checked && seeds.length > MOST_VIA + 2) throw new Error(`A path goes through ${MOST_VIA + 2} tracks at most.`);
  const number = (name) => (form[name].value === "" ? null : Number(form[name].value));
  const texts = (name) => form[name].value.split(";").map((text) => text.trim()).filter(Boolean);
  const which = (prefix) => ({
    artist: texts(`${prefix}artist`), album: texts(`${prefix}album`), genre: texts(`${prefix}genre`), under: texts(`${prefix}under`),
    year: form[`${prefix}year`].value.trim(), seconds: form[`${prefix}seconds`].value.trim(),
  });
  const ids = seeds.map((seed) => seed.id);
  const isPath = form.path.checked;
  return {
    tracks: isPath ? ids.slice(0, 1) : ids, via: isPath ? ids.slice(1, -1) : [], to: isPath ? ids.at(-1) : null,
    n: number("n"), minutes: number("minutes"), diversity: number("diversity"),
    max_per_artist: number("max_per_artist"), max_per_album: number("max_per_album"), artist_gap: number("artist_gap"),
    drift: form.drift.checked, vary: form.vary.checked, random_seed: number("random_seed"), seeds: form.seeds.checked,
    whiten: { yes: true, no: false }[form.whiten.value] ?? null,
    only: which(""), unless: which("not_"),
    exclude_playlists: await Promise.all([...form.exclude.files].map(async (file) => ({ name: file.name, text: await file.text() }))),
  };
}

const asks = latest();
$("wanted").onsubmit = async (event) => {
  event.preventDefault();
  if (!seeds.length) return say("Choose a track to start from first.", true);
  const isLatest = asks();
  await busy("Choosing …", async () => {
    const found = await json("playlist", sent(await wanted(event.target.elements)));
    if (!isLatest()) return;
    setList(found.tracks, found.name);
    say([counted(list.length, "track"), ...found.notes].join(". "));
  });
};

$("download").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target.elements;
  await busy("Writing …", async () => {
    const response = await ask("playlist/file", sent({ tracks: list.map((track) => track.id), name: form.name.value, format: form.format.value }));
    const link = element("a", { href: URL.createObjectURL(await response.blob()), download: `${form.name.value.replace(/[^\p{L}\p{N} _-]/gu, "_")}.${form.format.value}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say("Written.");
  });
};

// Over a reload

let library = null; // whose tracks they are: in another one, their ids name others

function keep() {
  const name = $("download").elements.name.value;
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ library, seeds, list, name }));
  } catch {
    // A browser that stores nothing: the list is there until the page is left.
  }
}
$("download").elements.name.onchange = keep;

/** Show what was kept of a library's tracks, if anything was. */
export function restore(served) {
  library = served;
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return; // nothing is kept, or nothing that this page wrote
  }
  if (kept?.library !== library) return;
  setList(kept.list, kept.name);
  setSeeds(kept.seeds);
}
