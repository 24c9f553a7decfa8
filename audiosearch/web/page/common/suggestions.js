// Suggestions below a text field, chosen with the pointer or the keyboard.

import { fetchJson } from "./api.js";
import { createElement, isolated } from "./dom.js";
import { formatCount } from "./format.js";
import { icon } from "./icons.js";

const MAX_SHOWN = 8;
const PAUSE_MS = 120; // after the last key, so that suggestions never delay the results of a search

/**
 * Offer suggestions from the library below a field.
 *
 * @param input the field; its parent gets the list
 * @param field the field of tracks to suggest values of. Default: all of them
 * @param load function that gets words and {field, limit, signal} and returns a list of {field, text, note}.
 *   Default: values of fields, with their numbers of tracks
 * @param onChoose function that gets the chosen one, such as {field, text}
 * @param onEnter function that runs if Enter is pressed and chooses none
 * @param isFirstChosen whether Enter chooses the first one if none is marked
 * @returns a function that closes the list
 */
export function suggest(input, { field = null, load = loadValues, onChoose, onEnter = null, isFirstChosen = false }) {
  const list = createElement("ul", { className: "suggestions", id: `${input.id}-suggestions`, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  input.after(list);
  const attributes = {
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id, autocomplete: "off",
  };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  let controller = new AbortController();
  let shown = [];
  let active = -1;
  let isLoading = false;
  let isEntered = false; // Enter was pressed before the suggestions arrived

  function close() {
    controller.abort();
    [isLoading, isEntered] = [false, false];
    list.hidden = true;
    setActive(-1);
    input.setAttribute("aria-expanded", "false");
  }

  function setActive(position) {
    active = position;
    [...list.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === active)));
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[active].id);
    list.children[active].scrollIntoView({ block: "nearest" });
  }

  function choose(position) {
    close();
    onChoose(shown[position]);
  }

  function createOption(suggestion, position) {
    const option = createElement(
      "li",
      { id: `${list.id}-${position}`, onclick: () => choose(position) },
      icon(suggestion.field === "sound" ? "volume" : suggestion.field),
      createElement("span", { className: "suggestion-text" }, isolated(suggestion.text)),
      createElement("small", {}, isolated(suggestion.note)),
    );
    option.setAttribute("role", "option");
    option.onpointerdown = (event) => event.preventDefault(); // the field keeps the focus
    return option;
  }

  async function show() {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    const words = input.value.trim();
    if (!words) return close();
    [isLoading, isEntered] = [true, false];
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (signal.aborted) return;
    const suggestions = await load(words, { field, limit: MAX_SHOWN, signal }).catch(() => []);
    if (signal.aborted || document.activeElement !== input) return;
    isLoading = false;
    shown = suggestions;
    list.replaceChildren(...shown.map(createOption));
    setActive(-1);
    list.hidden = !shown.length;
    input.setAttribute("aria-expanded", String(shown.length > 0));
    if (isEntered) enter();
  }

  input.addEventListener("input", show);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Enter ends the input of a Japanese word, for example
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") enter();
    else if (list.hidden) return;
    else if (step) setActive(((active + 1 + step + shown.length + 1) % (shown.length + 1)) - 1);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  });

  function enter() {
    if (isLoading && isFirstChosen) return (isEntered = true);
    if (!list.hidden && (active >= 0 || isFirstChosen)) return choose(Math.max(active, 0));
    if (!onEnter) return;
    close();
    onEnter();
  }

  return close;
}

async function loadValues(words, { field, limit, signal }) {
  const parameters = new URLSearchParams({ words, limit, ...(field && { field }) });
  const { suggestions } = await fetchJson(`suggestions?${parameters}`, { signal });
  const noteOf = (one) => `${field ? "" : `${one.field} · `}${formatCount(one.tracks, "track")}`;
  return suggestions.map((one) => ({ ...one, note: noteOf(one) }));
}
