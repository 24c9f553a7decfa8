// Changing the list, and showing another one in its place.

import { createRequestSequence } from "../common/api.js";
import { fillForm } from "./settings.js";
import { change, copyOfList, playlist } from "./store.js";
import { addStep } from "./undo.js";

/** Mark the start of a request for another list. Only the last list that was asked for is shown. */
export const startRequest = createRequestSequence();

/**
 * Change the list. The change can be undone.
 *
 * @param text what was done, such as "Removed Yesterday."
 * @param changes new values of some fields of the list
 */
export function changeList(text, changes) {
  const before = copyOfList();
  change({ savedAt: "", ...changes });
  addStep(text, () => {
    startRequest();
    // The settings in the form stay, unless they belong to another list.
    if (playlist.settings === before.settings || !before.settings) change(before);
    else showList(before);
  });
}

/** Show a list, and the settings that it was made with. */
export function showList(list) {
  startRequest();
  fillForm(new URLSearchParams(list.settings));
  change({ ...list, seeds: list.madeFrom });
}
