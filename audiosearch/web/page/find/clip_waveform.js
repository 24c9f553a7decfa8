// The waveform of a clip: a click plays from there, dragging chooses a part to search with.

import { createElement } from "../common/dom.js";
import { formatTime } from "../common/format.js";
import { Waveform } from "../tracks/waveform.js";

const MIN_DRAG_PX = 5;
const MIN_PART_S = 0.1;
const STEP_S = 0.5;

/**
 * Return the element of a clip's waveform, with functions that show its state.
 *
 * @param seconds length of the clip
 * @param onPlay function that gets the position in seconds of a click
 * @param onPart function that gets the start and end in seconds of a chosen part, or two nulls
 */
export function createClipWaveform(seconds, { onPlay, onPart }) {
  const canvas = createElement("canvas", { ariaHidden: "true" });
  const thumbs = ["Start", "End"].map((name, side) => createThumb(name, side));
  const element = createElement("span", { className: "clip-waveform" }, canvas, ...thumbs);
  const waveform = new Waveform(canvas);
  let part = [0, seconds];
  let canChoose = true;
  let drag = null; // where it began, in pixels and seconds, and the part before

  function createThumb(name, side) {
    const thumb = createElement("span", { className: "thumb", tabIndex: 0 });
    thumb.setAttribute("role", "slider");
    thumb.setAttribute("aria-label", `${name} of the part`);
    thumb.onkeydown = (event) => {
      const steps = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S, Home: -seconds, End: seconds };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const next = [...part];
      const [low, high] = side ? [part[0] + MIN_PART_S, seconds] : [0, part[1] - MIN_PART_S];
      next[side] = Math.max(low, Math.min(high, part[side] + step));
      show(next);
      choose();
    };
    return thumb;
  }

  function choose() {
    const rounded = part.map((time) => Math.floor(time * 100 + 1e-6) / 100); // never beyond the end
    onPart(part[0] > 0 ? rounded[0] : null, part[1] < seconds ? rounded[1] : null);
  }

  function show(newPart) {
    part = newPart;
    const isWhole = part[0] <= 0 && part[1] >= seconds;
    element.classList.toggle("has-part", !isWhole);
    waveform.set({ part: isWhole ? null : part.map((time) => time / seconds) });
    thumbs.forEach((thumb, side) => {
      thumb.style.left = `${(100 * part[side]) / seconds}%`;
      const values = { min: 0, max: seconds, now: part[side].toFixed(2), text: formatTime(part[side]) };
      for (const [name, value] of Object.entries(values)) thumb.setAttribute(`aria-value${name}`, value);
    });
  }

  const timeAt = (event) => seconds * waveform.shareAt(event);
  element.onpointerdown = (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    drag = { x: event.clientX, time: timeAt(event), isPart: false, before: part };
  };
  element.onpointermove = (event) => {
    if (!drag || !canChoose || (!drag.isPart && Math.abs(event.clientX - drag.x) < MIN_DRAG_PX)) return;
    drag.isPart = true;
    show([drag.time, timeAt(event)].sort((a, b) => a - b));
  };
  element.onpointerup = (event) => {
    const finished = drag;
    drag = null;
    if (!finished) return;
    if (finished.isPart && part[1] - part[0] >= MIN_PART_S) return choose();
    show(finished.before);
    onPlay(timeAt(event));
  };
  element.onpointercancel = () => {
    if (drag) show(drag.before);
    drag = null;
  };
  show(part);
  return {
    element,
    setPeaks: (peaks) => waveform.set({ peaks }),
    setProgress: (progress) => waveform.set({ progress }),
    setPart: (from, to) => show([from ?? 0, to ?? seconds]),
    setEnabled: (isEnabled) => {
      canChoose = isEnabled;
      element.title = isEnabled ? "Click to play. Drag to search with a part." : "Click to play.";
      thumbs.forEach((thumb) => (thumb.hidden = !isEnabled));
    },
  };
}
