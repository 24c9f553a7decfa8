// Search by a recording from the microphone.

import { byId } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { searchByFile } from "./sound_search.js";

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
    byId("record").textContent = `Stop and search (${seconds} s)`;
    if (seconds++ >= MAX_SECONDS) recorder.stop();
  };
  const timer = setInterval(showSeconds, 1_000);
  recorder.ondataavailable = (event) => chunks.push(event.data);
  recorder.onstop = () => {
    clearInterval(timer);
    stopStream();
    recording = null;
    byId("record").setAttribute("aria-pressed", "false");
    byId("record").textContent = "Record from the microphone";
    byId("discard").hidden = true;
    if (isDiscarded) showStatus("Recording discarded.");
    else searchByFile(new File(chunks, "the recording"));
  };
  byId("record").setAttribute("aria-pressed", "true");
  byId("discard").hidden = false;
  showSeconds();
  return {
    stop: () => recorder.stop(),
    discard: () => {
      isDiscarded = true;
      recorder.stop();
    },
  };
}

byId("record").onclick = async () => {
  if (recording) return recording.stop?.();
  recording = {}; // a second click does nothing while the browser asks for permission
  await runBusy("Recording. Press the button again to stop and search.", async () => {
    try {
      recording = await startRecording();
    } catch (error) {
      recording = null;
      throw error;
    }
  });
};
byId("discard").onclick = () => {
  recording?.discard?.();
  byId("record").focus();
};
