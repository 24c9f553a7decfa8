// Search by a recording from the microphone.

import { byId } from "../common/dom.js";
import { formatPosition } from "../common/format.js";
import { setIcon } from "../common/icons.js";
import { runBusy, showStatus } from "../common/status.js";
import { searchByFiles } from "./uploads.js";

const MAX_SECONDS = 60;

let recording = null;

/** Start to record. Return functions that stop the recording, and search with it or discard it. */
async function startRecording() {
  const stream = await navigator.mediaDevices?.getUserMedia({ audio: true }).catch(() => null);
  if (!stream) throw new Error("Can't use the microphone. Allow it in the browser, or open the page over HTTPS.");
  const stopStream = () => stream.getTracks().forEach((track) => track.stop());
  let recorder;
  try {
    recorder = new MediaRecorder(stream);
    recorder.start();
  } catch (error) {
    stopStream();
    throw error;
  }
  const chunks = [];
  let seconds = 0;
  let isDiscarded = false;
  const showSeconds = () => {
    byId("record-text").textContent = `Stop and search (${formatPosition(seconds)})`;
    if (seconds++ >= MAX_SECONDS) recorder.stop();
  };
  const timer = setInterval(showSeconds, 1_000);
  recorder.ondataavailable = (event) => chunks.push(event.data);
  recorder.onstop = () => {
    clearInterval(timer);
    stopStream();
    recording = null;
    showRecording(false);
    if (isDiscarded) showStatus("Recording discarded.");
    else searchByFiles([new File(chunks, "Recording")]);
  };
  showRecording(true);
  showSeconds();
  return {
    stop: () => recorder.stop(),
    discard: () => {
      isDiscarded = true;
      recorder.stop();
    },
  };
}

function showRecording(isRecording) {
  byId("record").setAttribute("aria-pressed", String(isRecording));
  byId("record-text").textContent = "Record";
  byId("discard").hidden = !isRecording;
  setIcon(byId("record"), isRecording ? "stop" : "microphone");
}

byId("record").onclick = async () => {
  if (recording) return recording.stop?.();
  recording = {}; // a second click does nothing while the browser asks for permission
  await runBusy("", async () => (recording = await startRecording()));
  if (!recording?.stop) recording = null; // it has failed
};
byId("discard").onclick = () => {
  recording?.discard?.();
  byId("record").focus();
};
