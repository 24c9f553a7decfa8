// Cards of the clips that a search is made with: name, waveform, play, more or less like it, remove.

import { byId, createElement, createIconButton, isolated } from "../common/dom.js";
import { formatLength } from "../common/format.js";
import { icon, setIcon } from "../common/icons.js";
import { audio, currentLength, isCurrent, isPlaying, player, playTracks, seek, togglePlaying } from "../player/player.js";
import { createCover } from "../tracks/cover.js";
import { createName, subtitleOf, titleOf } from "../tracks/names.js";
import { loadPeaks } from "../tracks/peaks.js";
import { hasMoments } from "./clip_support.js";
import { createClipWaveform } from "./clip_waveform.js";
import { loadClip } from "./clips.js";
import { changeQuery, clipKey, currentQuery } from "./query.js";

const cards = new Map(); // by the keys of the clips

/** Show the clips of a search. */
export function showCards(query) {
  const shown = new Map(query.clips.map((clip) => [clipKey(clip), clip]));
  for (const key of cards.keys()) if (!shown.has(key)) cards.delete(key);
  for (const [key, clip] of shown) if (!cards.has(key)) cards.set(key, createCard(clip));
  const elements = [...shown.keys()].map((key) => cards.get(key).element);
  const listed = [...byId("cards").children];
  const isSame = listed.length === elements.length && listed.every((element, index) => element === elements[index]);
  if (!isSame) byId("cards").replaceChildren(...elements); // elements lose the focus, even if they stay
  byId("query-card").hidden = !query.clips.length;
  for (const [key, clip] of shown) cards.get(key).show(clip, query);
}

function createCard(clip) {
  const element = createElement("li", { className: "card" });
  const card = { element, track: null, waveform: null, show: (newClip, query) => (card.shown = [newClip, query]) };
  loadClip(clip).then((track) => fillCard(card, clip, track), (error) => fillMissing(card, clip, error));
  return card;
}

function fillCard(card, { kind, id }, track) {
  card.track = track;
  const playProperties = { type: "button", className: "play-button", onclick: () => playFrom(track, null) };
  const play = createElement("button", playProperties, createCover(track), icon("play"));
  const name = createName(isolated(titleOf(track)), isolated(subtitleOf(track)));
  const length = createElement("span", { className: "length" }, formatLength(track.seconds));
  card.waveform = createClipWaveform(track.seconds || 1, {
    onPlay: (seconds) => playFrom(track, seconds),
    onPart: (from, to) => changeQuery({ from, to, hasMoments: (from ?? to) !== null && hasMoments }, { isReplaced: true }),
  });
  const likeText = createElement("span");
  const like = createElement("button", { type: "button", className: "like" }, likeText);
  const remove = createIconButton("close", `Remove ${titleOf(track)} from the search`, () => removeClip({ kind, id }));
  card.element.append(play, name, card.waveform.element, length, like, remove);
  loadPeaks(track).then((peaks) => card.waveform.setPeaks(peaks));
  card.show = (clip, query) => {
    card.shown = [clip, query];
    const isAlone = query.clips.length === 1;
    card.waveform.setEnabled(isAlone);
    card.waveform.setPart(isAlone ? query.from : null, isAlone ? query.to : null);
    like.hidden = isAlone;
    likeText.textContent = clip.isUnlike ? "Less like this" : "More like this";
    setIcon(like, clip.isUnlike ? "less" : "more");
    like.onclick = () => setUnlike(clip, !clip.isUnlike);
    card.element.classList.toggle("is-unlike", clip.isUnlike);
    showPlaying(card);
  };
  card.show(...card.shown);
}

function fillMissing(card, clip, error) {
  const noun = clip.kind === "upload" ? "clip" : "track";
  const title = error.status === 404 ? `This ${noun} is gone` : `This ${noun} can't be shown`;
  const remove = createIconButton("close", "Remove this clip from the search", () => removeClip(clip));
  card.element.classList.add("is-missing");
  card.element.append(createName(title, error.message), remove);
}

function playFrom(track, seconds) {
  if (seconds === null && isCurrent(track)) return togglePlaying();
  if (!isCurrent(track)) playTracks([track], 0);
  else if (!isPlaying()) togglePlaying();
  if (seconds !== null) seek(seconds);
}

function removeClip(removed) {
  changeClips(currentQuery().clips.filter((clip) => clipKey(clip) !== clipKey(removed)));
  (byId("cards").querySelector("button") ?? byId("words")).focus();
}

function setUnlike(changed, isUnlike) {
  changeClips(currentQuery().clips.map((clip) => (clipKey(clip) === clipKey(changed) ? { ...clip, isUnlike } : clip)));
}

/** Change the clips. A search needs something to be like. */
function changeClips(clips) {
  const isPossible = clips.some((clip) => !clip.isUnlike);
  changeQuery({ clips: isPossible ? clips : clips.map((clip) => ({ ...clip, isUnlike: false })), from: null, to: null });
}

function showPlaying(card) {
  if (!card.track) return;
  const button = card.element.querySelector(".play-button");
  const isNow = isCurrent(card.track) && isPlaying();
  setIcon(button, isNow ? "pause" : "play");
  button.setAttribute("aria-label", `${isNow ? "Pause" : "Play"} ${titleOf(card.track)}`);
  card.element.classList.toggle("is-playing", isNow);
  card.waveform.setProgress(isCurrent(card.track) && currentLength() ? audio.currentTime / currentLength() : 0);
}

player.addEventListener("change", () => cards.forEach(showPlaying));
audio.addEventListener("timeupdate", () => cards.forEach((card) => card.track && isCurrent(card.track) && showPlaying(card)));
