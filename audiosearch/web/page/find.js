// Finding: by a clip, by a recording, by a track, by words.

import { addSeed } from "./playlist.js";
import { $, busy, counted, json, latest, say } from "./server.js";
import { nameOf, replaceItems, trackItem } from "./tracks.js";
import { show } from "./views.js";

const N_SHOWN = 50; // tracks at a time
const [N_HITS, MOST_HITS] = [10, 1_000];

export const actionsOf = (track) => [
  ["More like this", () => findLike(track)],
  ["Playlist from it", () => addSeed(track)],
];

let typing = 0; // the timer that waits for the end of it

// By sound

const asks = latest();

/** Show what a query finds: ten hits, and more of them when asked. */
async function showHits(title, form, k = N_HITS) {
  const isLatest = asks();
  clearTimeout(typing);
  $("words").value = "";
  form.set("k", k);
  await busy("Listening …", async () => {
    const found = await json("query", { method: "POST", body: form });
    if (!isLatest()) return; // something else was asked meanwhile
    $("hits-title").textContent = title;
    replaceItems($("hits"), ...found.hits.map((hit) => trackItem(hit.track, actionsOf(hit.track), hit.similarity)));
    $("more").hidden = found.hits.length < k || k >= MOST_HITS;
    $("more").onclick = () => showHits(title, form, Math.min(k + N_SHOWN, MOST_HITS));
    if (k === N_HITS) $("hits-title").focus();
    else $("hits").children[k - N_SHOWN]?.focus();
    say([counted(found.hits.length, "hit"), ...found.warnings].join(". "));
  });
}

export function findFile(file) {
  const form = new FormData();
  form.append("file", file, "clip");
  show("find");
  return showHits(`Most like ${file.name}`, form);
}

export function findLike(track) {
  const form = new FormData();
  form.append("track", track.id);
  show("find");
  return showHits(`Most like ${nameOf(track)}`, form);
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
  const isLatest = asks();
  await busy("", async () => {
    const found = await json(`tracks?limit=${N_SHOWN}&offset=${listed}&words=${encodeURIComponent(words)}`);
    if (!isLatest()) return;
    const items = found.tracks.map((track) => trackItem(track, actionsOf(track)));
    $("hits-title").textContent = words ? `Named ${words}` : "Tracks";
    if (listed) $("hits").append(...items);
    else replaceItems($("hits"), ...items);
    const shown = $("hits").children.length;
    const isAll = found.total === null ? found.tracks.length < N_SHOWN : shown >= found.total;
    $("more").hidden = isAll;
    $("more").onclick = () => findWords(words, shown);
    if (listed) items[0]?.focus();
    if ($("find").hidden) say("");
    else if (isAll) say(words ? `${counted(shown, "track")} found` : `${counted(shown, "track")} in all`);
    else say(found.total === null ? `The first ${shown}: more words find fewer.` : `The first ${shown} of ${found.total} tracks`);
  });
}

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
  const stopStream = () => stream.getTracks().forEach((track) => track.stop());
  let recorder;
  try {
    recorder = new MediaRecorder(stream);
    recorder.start();
  } catch (problem) {
    stopStream();
    throw problem;
  }
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
    stopStream();
    recording = null;
    $("record").setAttribute("aria-pressed", "false");
    $("record").textContent = "Record from the microphone";
    $("discard").hidden = true;
    if (isWanted) findFile(new File(parts, "the recording"));
    else say("The recording was discarded.");
  };
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
