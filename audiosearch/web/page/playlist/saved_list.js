// The list of the saved playlists: open, rename and remove them.

import { byId, createElement, isolated } from "../common/dom.js";
import { formatCount, formatPosition } from "../common/format.js";
import { createMenuButton } from "../common/menu.js";
import { openSaved, removeSaved, renameSaved, savedPlaylists } from "./saved.js";
import { playlist, playlistChanges } from "./store.js";

const MIN_FILTERED = 10; // a shorter list needs no filter

const filter = byId("saved-filter");

let shown = null;
let openName = null;
let words = "";

function show() {
  const isKnown = shown === savedPlaylists() && openName === playlist.savedName && words === filter.value;
  [shown, openName, words] = [savedPlaylists(), playlist.savedName, filter.value];
  if (isKnown) return;
  const focused = [...byId("saved").children].findIndex((item) => item.contains(document.activeElement));
  filter.hidden = shown.length < MIN_FILTERED;
  const listed = filter.hidden ? shown : shown.filter(({ name }) => fold(name).includes(fold(words)));
  byId("saved").replaceChildren(...listed.map(createItem));
  byId("saved-count").textContent = shown.length.toLocaleString("en");
  byId("saved-none").hidden = listed.length > 0 || !shown.length;
  for (const id of ["saved-playlists", "toggle-saved"]) byId(id).hidden = !shown.length;
  if (focused >= 0) (buttons()[Math.min(focused, listed.length - 1)] ?? byId("playlist-name")).focus();
}

/** Return a text without case, accents and spaces around it. */
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

const buttons = () => [...byId("saved").querySelectorAll(".saved-name")];

function createItem({ name, tracks, seconds }) {
  const isOpen = openName === name;
  const open = createElement(
    "button",
    { type: "button", className: "saved-name", onclick: () => openSaved(name) },
    createElement("strong", { className: "title", title: name }, isolated(name)),
    createElement("small", { className: "subtitle" }, `${formatCount(tracks, "track")} · ${formatPosition(Math.round(seconds))}`),
  );
  if (isOpen) open.setAttribute("aria-current", "true");
  const menu = createMenuButton(`More actions: ${name}`, () => [
    { name: "list", text: "Open", run: () => openSaved(name) },
    { name: "rename", text: "Rename", run: () => editName(item, name) },
    { name: "remove", text: "Remove", run: () => removeSaved(name) },
  ]);
  const item = createElement("li", { className: isOpen ? "is-open" : "" }, open, menu);
  return item;
}

/** Let the user type another name in place of the old one. Escape keeps the old one. */
function editName(item, name) {
  const former = [...item.children];
  const { maxLength } = byId("playlist-name");
  const input = createElement("input", { value: name, maxLength, ariaLabel: `New name of ${name}`, autocomplete: "off" });
  const finish = async (newName) => {
    input.onblur = null;
    item.replaceChildren(...former);
    if (newName !== name) await renameSaved(name, newName);
  };
  const finishByKey = async (newName) => {
    await finish(newName);
    buttons().find((button) => [newName, name].includes(button.querySelector("bdi").textContent))?.focus();
  };
  input.onkeydown = (event) => {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    finishByKey(event.key === "Enter" ? input.value.trim() : name);
  };
  input.onblur = () => finish(input.value.trim());
  item.replaceChildren(input);
  input.focus();
  input.select();
}

filter.oninput = show;
byId("show-saved").onclick = () => (filter.hidden ? byId("saved") : filter).scrollIntoView({ block: "start" }); // the heading itself is in view already
playlistChanges.addEventListener("change", show);
