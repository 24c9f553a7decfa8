// The page: what it shows, it asks of /api. No text of a tag is ever taken for HTML.

const $ = (id) => document.getElementById(id);
const MOST_SHOWN = 50;
const VIEWS = ["find", "playlist", "map"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function say(text, failed = false) {
  $("status").textContent = text;
  $("status").className = failed ? "failed" : "";
}

// What is asked of the server

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (response.status === 401 && (await openWithKey())) return ask(path, options);
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ error: response.statusText, hint: "" }));
    const sentence = problem.error.replace(/[^.]$/, "$&.");
    throw new Error(`${sentence[0].toUpperCase()}${sentence.slice(1)} ${problem.hint}`.trim());
  }
  return response;
}

const json = async (path, options) => (await ask(path, options)).json();
const sent = (value) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

async function openWithKey() {
  const dialog = $("key");
  for (;;) {
    if (!dialog.open) dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    if (dialog.returnValue !== "open") return false;
    const opened = await fetch("/api/session", { method: "POST", headers: { "X-API-Key": $("key-text").value } });
    if (opened.ok) return true;
    $("key-wrong").hidden = false;
  }
}

/** Do something that takes a while, and say what became of it. */
async function busy(text, work) {
  say(text);
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (problem) {
    say(problem.message, true);
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

// Tracks

const minutes = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;
const nameOf = (track) => [track.artist, track.title || track.name].filter(Boolean).join(" – ");

function cover(track) {
  const image = element("img", { alt: "", loading: "lazy", src: `/api/tracks/${track.id}/cover` });
  image.onerror = () => image.replaceWith("♪");
  return element("span", { className: "cover", ariaHidden: "true" }, image);
}

function player(track) {
  const audio = element("audio", { controls: true, preload: "none", src: `/api/tracks/${track.id}/audio` });
  audio.setAttribute("aria-label", `Play ${nameOf(track)}`);
  audio.onplay = () => document.querySelectorAll("audio").forEach((other) => other !== audio && other.pause());
  audio.onended = () => audio.closest("li")?.nextElementSibling?.querySelector("audio")?.play();
  audio.onerror = () => say(`${nameOf(track)} cannot be played.`, true);
  return audio;
}

function action(text, label, run) {
  const button = element("button", { type: "button", onclick: run }, text);
  button.setAttribute("aria-label", label);
  return button;
}

function described(track) {
  const about = [track.artist, track.album, track.year, minutes(track.seconds)].filter(Boolean).join(" · ");
  return element("span", { className: "name" }, element("strong", {}, track.title || track.name), element("small", {}, about));
}

function trackItem(track, similarity) {
  const item = element("li", { tabIndex: -1 }, cover(track), described(track));
  if (similarity !== undefined) {
    const bar = element("meter", { min: 0, max: 1, value: Math.max(0, similarity) });
    bar.setAttribute("aria-label", "Similarity");
    item.append(element("span", { className: "similarity" }, bar, similarity.toFixed(3)));
  }
  item.append(player(track), element("span", { className: "actions" },
    action("More like this", `More like ${nameOf(track)}`, () => findLike(track)),
    action("Playlist from it", `Playlist from ${nameOf(track)}`, () => addSeed(track))));
  return item;
}

// Finding

let asked = 0;
async function showHits(title, request) {
  asked += 1; // what was asked by words before comes too late
  await busy("Listening …", async () => {
    const found = await request();
    $("hits-title").textContent = title;
    $("hits").replaceChildren(...found.hits.map((hit) => trackItem(hit.track, hit.similarity)));
    say([`${found.hits.length} hits`, ...found.warnings].join(". "));
  });
}

const query = (form) => json("query", { method: "POST", body: form });

function findFile(file) {
  const form = new FormData();
  form.append("file", file, "clip");
  return showHits(`Most like ${file.name || "the recording"}`, () => query(form));
}

function findLike(track) {
  const form = new FormData();
  form.append("track", track.id);
  show("find");
  return showHits(`Most like ${nameOf(track)}`, () => query(form)).then(() => $("hits-title").focus());
}

async function findWords(words) {
  const number = ++asked;
  await busy("", async () => {
    const found = await json(`tracks?limit=${MOST_SHOWN}&words=${encodeURIComponent(words)}`);
    if (number !== asked) return; // more was typed meanwhile
    $("hits-title").textContent = words ? `Named ${words}` : "Tracks";
    $("hits").replaceChildren(...found.tracks.map((track) => trackItem(track)));
    const shown = found.tracks.length;
    if (words) say(shown < MOST_SHOWN ? `${shown} found` : `The first ${shown}: more words find fewer.`);
    else say(shown < found.total ? `The first ${shown} of ${found.total} tracks` : `${found.total} tracks in all`);
  });
}

$("file").onchange = () => $("file").files.length && findFile($("file").files[0]).then(() => ($("file").value = ""));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) {
      show("find");
      findFile(event.dataTransfer.files[0]);
    }
  });
}
let typing = 0;
$("words").oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(() => findWords($("words").value.trim()), 150);
};
$("by-words").onsubmit = (event) => event.preventDefault();
$("words").onkeydown = (event) => {
  if (["ArrowDown", "Enter"].includes(event.key)) $("hits").firstElementChild?.focus();
};

// Recording

let recorder = null;
$("record").onclick = async () => {
  if (recorder) return recorder.stop?.();
  recorder = {}; // while the browser asks whether it may
  await busy("Listening to the microphone: press again to search.", async () => {
    const stream = await navigator.mediaDevices?.getUserMedia({ audio: true }).catch(() => null);
    if (!stream) {
      recorder = null;
      throw new Error("The microphone is not to be had: the browser forbids it, or wants HTTPS.");
    }
    const parts = [];
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      stream.getTracks().forEach((track) => track.stop());
      recorder = null;
      $("record").setAttribute("aria-pressed", "false");
      $("record").textContent = "Record from the microphone";
      findFile(new File(parts, "the recording"));
    };
    recorder.start();
    $("record").setAttribute("aria-pressed", "true");
    $("record").textContent = "Stop, and find what sounds like it";
  });
};

// Playlists

let seeds = [];
let list = [];

function addSeed(track) {
  if (!seeds.some((seed) => seed.id === track.id)) seeds.push(track);
  showSeeds();
  show("playlist");
}

function showSeeds() {
  $("no-seeds").hidden = seeds.length > 0;
  $("seeds").replaceChildren(...seeds.map((seed) => element("li", {}, action(`${nameOf(seed)} ×`, `Leave out ${nameOf(seed)}`, () => {
    seeds = seeds.filter((other) => other !== seed);
    showSeeds();
  }))));
}

function move(from, to, pressed) {
  if (to < 0 || to >= list.length) return;
  list.splice(to, 0, ...list.splice(from, 1));
  showList();
  const button = [...$("list").children[to].querySelectorAll(".actions button")].find((one) => one.textContent === pressed);
  (button || $("list").children[to]).focus();
}

let dragged = null;
function listItem(track, place) {
  const item = element("li", { draggable: true, tabIndex: -1 }, cover(track), described(track), element("span", { className: "similarity" }, String(place + 1)), player(track),
    element("span", { className: "actions" },
      action("Up", `Move ${nameOf(track)} up`, () => move(place, place - 1, "Up")),
      action("Down", `Move ${nameOf(track)} down`, () => move(place, place + 1, "Down")),
      action("Remove", `Remove ${nameOf(track)}`, () => { list.splice(place, 1); showList(); $("list").children[Math.min(place, list.length - 1)]?.focus(); }),
      action("More like this", `More like ${nameOf(track)}`, () => findLike(track))));
  item.ondragstart = () => { dragged = place; item.classList.add("dragged"); };
  item.ondragend = () => { dragged = null; item.classList.remove("dragged"); };
  item.ondragover = (event) => dragged !== null && event.preventDefault();
  item.ondrop = (event) => { event.preventDefault(); if (dragged !== null) move(dragged, place); };
  return item;
}

function showList() {
  $("list").replaceChildren(...list.map(listItem));
  $("download").hidden = !list.length;
  $("n-playlist").hidden = !list.length;
  $("n-playlist").textContent = `(${list.length})`;
}

$("wanted").onsubmit = async (event) => {
  event.preventDefault();
  if (!seeds.length) return say("Choose a track to start from first.", true);
  const form = event.target.elements;
  const number = (name) => (form[name].value === "" ? null : Number(form[name].value));
  const texts = (name) => form[name].value.split(";").map((text) => text.trim()).filter(Boolean);
  const ids = seeds.map((seed) => seed.id);
  const wanted = {
    tracks: form.path.checked ? ids.slice(0, 1) : ids, n: number("n"), minutes: number("minutes"), diversity: number("diversity"),
    max_per_artist: number("max_per_artist"), max_per_album: number("max_per_album"), artist_gap: number("artist_gap"),
    drift: form.drift.checked, vary: form.vary.checked, seeds: form.seeds.checked,
    only: { artist: texts("artist"), genre: texts("genre"), year: form.year.value.trim() }, unless: { genre: texts("not_genre") },
  };
  if (form.path.checked && ids.length > 1) Object.assign(wanted, { via: ids.slice(1, -1), to: ids.at(-1) });
  await busy("Choosing …", async () => {
    const found = await json("playlist", sent(wanted));
    list = found.tracks;
    $("download").elements.name.value = found.name;
    showList();
    say([`${list.length} tracks`, ...found.notes].join(". "));
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

// The map, in a frame of its own that may do nothing but draw

addEventListener("message", async (event) => {
  const frame = $("map").querySelector("iframe");
  if (!frame || event.source !== frame.contentWindow) return;
  const { chosen, lasso } = event.data;
  await busy("", async () => {
    if (Number.isInteger(chosen)) {
      const item = trackItem(await json(`tracks/${chosen}`));
      $("playing").replaceChildren(element("ol", { className: "tracks" }, item));
      await item.querySelector("audio").play().catch(() => {});
    } else if (Array.isArray(lasso) && lasso.length) {
      seeds = await Promise.all(lasso.slice(0, 100).filter(Number.isInteger).map((id) => json(`tracks/${id}`)));
      showSeeds();
      show("playlist");
      const rest = lasso.length - seeds.length;
      say(`${seeds.length} tracks are the seeds${rest ? `, ${rest} more are not` : ""}: make the playlist.`);
    }
  });
});

async function loadMap() {
  if ($("map").querySelector("iframe")) return;
  try {
    await ask("health"); // which asks for the key, where there is one
  } catch (problem) {
    return say(problem.message, true);
  }
  if ($("map").querySelector("iframe")) return;
  say("Laying out the map: the first time takes a while.");
  const frame = element("iframe", { title: "Map of the library", src: "/map", onload: () => say("") });
  frame.setAttribute("sandbox", "allow-scripts");
  $("map").insertBefore(frame, $("playing"));
}

// Views and keys

function show(view) {
  if (location.hash !== `#${view}`) location.hash = view;
  for (const name of VIEWS) {
    $(name).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view === "map") loadMap();
}

addEventListener("hashchange", () => VIEWS.includes(location.hash.slice(1)) && show(location.hash.slice(1)));
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const within = (names) => event.target.closest(names) !== null;
  if (event.key !== "Escape" && (within("input, select, textarea, dialog, iframe") || (event.key !== "/" && within("button, a, audio")))) return;
  const items = [...document.querySelectorAll("section:not([hidden]) .tracks > li")];
  const place = items.indexOf(document.activeElement.closest?.("li"));
  if (event.key === "/") {
    show("find");
    $("words").focus();
  } else if (event.key === "Escape") {
    document.activeElement.blur();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && items.length) {
    items[Math.max(0, Math.min(items.length - 1, place + (event.key === "ArrowDown" ? 1 : -1)))].focus();
  } else if (event.key === " " && items.length) {
    const audio = items[Math.max(0, place)].querySelector("audio");
    if (audio.paused) audio.play();
    else audio.pause();
  } else return;
  event.preventDefault();
});

show(VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "find");
findWords("");
