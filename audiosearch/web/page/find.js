// Finding: by a clip, by a recording, by a track, by words.

import { addSeed } from "./playlist.js";
import { $, busy, counted, element, json, say } from "./server.js";
import { nameOf, trackItem } from "./tracks.js";
import { show } from "./views.js";

const N_SHOWN = 50; // tracks at a time

export const actionsOf = (track) => [
  ["More like this", () => findLike(track)],
  ["Playlist from it", () => addSeed(track)],
];

// By sound

let asked = 0;
async function showHits(title, form) {
  asked += 1; // what was asked by words before comes too late
  await busy("Listening …", async () => {
    const found = await json("query", { method: "POST", body: form });
    $("hits-title").textContent = title;
    $("hits").replaceChildren(...found.hits.map((hit) => trackItem(hit.track, actionsOf(hit.track), hit.similarity)));
    $("more").hidden = true;
    say([counted(found.hits.length, "hit"), ...found.warnings].join(". "));
  });
}

export function findFile(file) {
  const form = new FormData();
  form.append("file", file, "clip");
  show("find");
  return showHits(`Most like ${file.name}`, form);
}

export async function findLike(track) {
  const form = new FormData();
  form.append("track", track.id);
  show("find");
  await showHits(`Most like ${nameOf(track)}`, form);
  $("hits-title").focus();
}

$("file").onchange = () => $("file").files.length && findFile($("file").files[0]).then(() => ($("file").value = ""));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) findFile(event.dataTransfer.files[0]);
  });
}

// By words

/** List the tracks that words name; with those that are listed already, go on after them. */
export async function findWords(words, listed = 0) {
  const number = ++asked;
  await busy("", async () => {
    const found = await json(`tracks?limit=${N_SHOWN}&offset=${listed}&words=${encodeURIComponent(words)}`);
    if (number !== asked) return; // more was typed meanwhile
    const items = found.tracks.map((track) => trackItem(track, actionsOf(track)));
    $("hits-title").textContent = words ? `Named ${words}` : "Tracks";
    if (listed) $("hits").append(...items);
    else $("hits").replaceChildren(...items);
    const shown = $("hits").children.length;
    const isAll = found.total === null ? found.tracks.length < N_SHOWN : shown >= found.total;
    $("more").hidden = isAll;
    $("more").onclick = () => findWords(words, shown);
    if (listed) items[0]?.focus();
    if (isAll) say(words ? `${counted(shown, "track")} found` : `${counted(shown, "track")} in all`);
    else say(found.total === null ? `The first ${shown}: more words find fewer.` : `The first ${shown} of ${found.total} tracks`);
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

// By the microphone

const MOST_RECORDED = 60; // seconds
let recording = null;

async function record() {
  const stream = await navigator.mediaDevices?.getUserMedia({ audio: true }).catch(() => null);
  if (!stream) throw new Error("The microphone is not to be had: the browser forbids it, or wants HTTPS.");
  const recorder = new MediaRecorder(stream);
  const parts = [];
  let seconds = 0;
  let isWanted = true;
  const tell = () => {
    $("record").textContent = `Stop, and find what sounds like it (${seconds} s)`;
    if (seconds++ >= MOST_RECORDED) recorder.stop();
  };
  const clock = setInterval(tell, 1_000);
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    clearInterval(clock);
    stream.getTracks().forEach((track) => track.stop());
    recording = null;
    $("record").setAttribute("aria-pressed", "false");
    $("record").textContent = "Record from the microphone";
    $("discard").hidden = true;
    if (isWanted) findFile(new File(parts, "the recording"));
    else say("The recording was discarded.");
  };
  recorder.start();
  $("record").setAttribute("aria-pressed", "true");
  $("discard").hidden = false;
  tell();
  return {
    stop: () => recorder.stop(),
    discard: () => {
      isWanted = false;
      recorder.stop();
    },
  };
}

$("record").onclick = async () => {
  if (recording) return recording.stop?.();
  recording = {}; // while the browser asks whether it may
  await busy("Listening to the microphone: press again to search.", async () => {
    try {
      recording = await record();
    } catch (problem) {
      recording = null;
      throw problem;
    }
  });
};
$("discard").onclick = () => {
  recording?.discard?.();
  $("record").focus();
};
