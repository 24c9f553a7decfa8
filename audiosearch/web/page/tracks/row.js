// A track as a row of a list: cover, names, waveform, sounds, length, match and actions.

import { trackActions } from "../common/actions.js";
import { createElement, createIconButton, isolated } from "../common/dom.js";
import { formatLength, formatMatch, formatTime } from "../common/format.js";
import { icon, setIcon } from "../common/icons.js";
import { createMenuButton } from "../common/menu.js";
import { isCurrent, isPlaying, player, playTracks, togglePlaying } from "../player/player.js";
import { createCover } from "./cover.js";
import { createName, subtitleOf, titleOf, trackName } from "./names.js";
import { loadPeaks } from "./peaks.js";
import { redraw, Waveform } from "./waveform.js";

const MAX_CHIPS = 3;

const tracks = new WeakMap(); // of rows

const trackOf = (row) => tracks.get(row);

/**
 * Return a track as a list item.
 *
 * @param track as /api/tracks/ID returns it; a moment also has a start and an end in seconds
 * @param similarity the track's similarity to the query, at most 1, or null if there is none
 * @param actions more actions, like those of `addTrackAction`, which come first
 */
export function createRow(track, { similarity = null, actions = [] } = {}) {
  const name = track.start === undefined ? trackName(track) : `${trackName(track)} at ${formatTime(track.start)}`;
  const row = createElement("li", { tabIndex: -1, className: "row" });
  tracks.set(row, track);
  row.append(
    createPlayButton(row, track, name),
    createTitle(track),
    createWaveform(row, track),
    createChips(track),
    createElement("span", { className: "length" }, formatLength(track.seconds)),
    createElement("span", { className: "match" }, similarity === null ? "" : formatMatch(similarity)),
    createActions(track, name, [...actions, ...trackActions(track)]),
  );
  if (similarity !== null) row.querySelector(".match").title = "Similarity to what you searched with";
  let isTouch = false;
  for (const kind of ["dblclick", "click"]) {
    row.addEventListener(kind, (event) => {
      if (kind === "click") isTouch = event.pointerType === "touch";
      const isMeant = kind === (isTouch ? "click" : "dblclick");
      if (isMeant && !event.target.closest("button, a")) playRow(row);
    });
  }
  showState(row);
  return row;
}

/** Play a row, and then those after it; or pause it. */
export function playRow(row) {
  if (isCurrent(trackOf(row))) return togglePlaying();
  const rows = [...row.parentElement.children];
  playTracks(rows.map(trackOf), rows.indexOf(row));
}

function createPlayButton(row, track, name) {
  const properties = { type: "button", className: "play-button", onclick: () => playRow(row) };
  const button = createElement("button", properties, createCover(track), icon("play"));
  button.dataset.icon = "play";
  button.dataset.name = name;
  return button;
}

function createTitle(track) {
  const isMoment = track.start !== undefined;
  const times = isMoment && createElement("span", { className: "moment" }, `${formatTime(track.start)}-${formatTime(track.end)}`);
  const name = createName(isolated(titleOf(track)), ...(isMoment ? [times, " "] : []), isolated(subtitleOf(track)));
  name.querySelector(".title").title = [titleOf(track), subtitleOf(track), track.year].filter(Boolean).join("\n");
  return name;
}

function createChips(track) {
  const createSound = ({ name }) => createElement("span", { className: "chip", title: `Heard: ${name}` }, isolated(name));
  return createElement("span", { className: "chips" }, ...track.sounds.slice(0, MAX_CHIPS).map(createSound));
}

function createActions(track, name, actions) {
  const quick = actions.filter((action) => action.isQuick).map((action) => {
    if (!action.href) return createIconButton(action.name, `${action.text}: ${name}`, () => action.run(track));
    const link = createElement("a", { className: "icon-button", href: action.href(track), title: action.text }, icon(action.name));
    link.setAttribute("aria-label", `${action.text}: ${name}`);
    return link;
  });
  quick.forEach((control) => control.classList.add("is-quick"));
  const entries = () => actions.map((action) => ({ ...action, href: action.href?.(track), run: () => action.run(track) }));
  return createElement("span", { className: "actions" }, ...quick, createMenuButton(`More actions: ${name}`, entries));
}

// Waveforms are loaded once their rows have been in view for a moment, so that they never delay the
// results of words that are still being typed.

const SETTLED_MS = 150;

const waiting = new WeakMap();
const visible = new Set();
const views = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) visible.add(target);
      else visible.delete(target);
      if (isIntersecting) setTimeout(() => visible.has(target) && waiting.get(target)?.(), SETTLED_MS);
    }
  },
  { rootMargin: "100px" },
);

function createWaveform(row, track) {
  const canvas = createElement("canvas", { className: "waveform", ariaHidden: "true" });
  const part = track.start === undefined ? null : [track.start / track.seconds, track.end / track.seconds];
  waiting.set(canvas, async () => {
    const peaks = await loadPeaks(track, () => visible.has(canvas) && canvas.isConnected);
    if (!peaks) return;
    views.unobserve(canvas);
    visible.delete(canvas);
    canvas.classList.add("is-known");
    new Waveform(canvas).set({ peaks, part });
  });
  views.observe(canvas);
  return canvas;
}

// The row that plays is marked.

function showState(row) {
  const isMarked = isCurrent(trackOf(row));
  const isNow = isMarked && isPlaying();
  const state = isNow ? "playing" : isMarked ? "current" : "idle";
  if (row.dataset.state === state) return; // as for most of a long list
  row.dataset.state = state;
  row.classList.toggle("is-current", isMarked);
  row.classList.toggle("is-playing", isNow);
  redraw(row.querySelector(".waveform"));
  if (isMarked) row.setAttribute("aria-current", "true");
  else row.removeAttribute("aria-current");
  const button = row.querySelector(".play-button");
  setIcon(button, isNow ? "pause" : "play");
  button.setAttribute("aria-label", `${isNow ? "Pause" : "Play"} ${button.dataset.name}`);
}

player.addEventListener("change", () => document.querySelectorAll(".rows > .row").forEach(showState));
