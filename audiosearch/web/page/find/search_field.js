// The search field: words find tracks while they are typed.

import { byId } from "../common/dom.js";
import { suggest } from "../common/suggestions.js";
import { changeQuery, currentQuery, withValue } from "./query.js";

const input = byId("words");

let isTyping = false; // the first change of the words is an entry of its own for the Back button

function searchForWords() {
  changeQuery({ words: input.value.trim(), clips: [], from: null, to: null }, { isReplaced: isTyping });
  isTyping = true;
}

input.addEventListener("input", searchForWords);
input.addEventListener("blur", () => (isTyping = false));
addEventListener("popstate", () => (isTyping = false));

const closeSuggestions = suggest(input, {
  onChoose: ({ field, text }) => {
    isTyping = false;
    if (["title", "folder"].includes(field)) {
      input.value = text;
      return searchForWords();
    }
    input.value = "";
    changeQuery({ words: "", clips: [], filters: withValue(currentQuery().filters, field, text) });
  },
  onEnter: focusResults,
});

function focusResults() {
  isTyping = false;
  byId("hits").firstElementChild?.focus();
}

input.addEventListener("keydown", (event) => {
  if (event.isComposing || event.key !== "ArrowDown") return;
  event.preventDefault();
  focusResults();
});
byId("text-search").onsubmit = (event) => event.preventDefault();

/** Show the words of a search. */
export function showWords(query) {
  if (input.value.trim() === query.words) return;
  input.value = query.words;
  closeSuggestions(); // they belong to the words before
}
