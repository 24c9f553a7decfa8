// Uploads of clips, each with its progress and a button that cancels it.

import { go, parseAddress } from "../common/address.js";
import { uploadFile } from "../common/api.js";
import { loadDefaults } from "../common/defaults.js";
import { byId, createElement, createIconButton, isolated } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";
import { createName } from "../tracks/names.js";
import { canUseClips } from "./clip_support.js";
import { keepUpload } from "./clips.js";
import { addClips, currentQuery, newQuery, search } from "./query.js";

const FAULTY_FILE = 422; // status of an error whose sentence begins with the name of the file

/**
 * Upload files, then search with them.
 *
 * @param isAdded whether they join the clips of the current search. Default: they take their place
 */
export function searchByFiles(files, { isAdded = false } = {}) {
  const chosen = [...files]; // the list of a field is emptied
  return runBusy("", () => searchBy(chosen, isAdded));
}

async function searchBy(chosen, isAdded) {
  if (!(await canUseClips())) return;
  const { max_query_files: maxClips } = await loadDefaults();
  const nClips = chosen.length + (isAdded ? currentQuery().clips.length : 0);
  if (nClips > maxClips) return showStatus(`A search takes at most ${maxClips} clips.`, true);
  if (parseAddress().view !== "find") go("find");
  showStatus("");
  const results = await Promise.all(chosen.map(uploadShown));
  const clips = results.filter(Boolean).map(({ id }) => ({ kind: "upload", id, isUnlike: false }));
  if (!clips.length) return;
  if (isAdded) return addClips(clips);
  const { hasMoments, filters } = currentQuery();
  search(newQuery({ clips, hasMoments, filters }));
}

/** Upload a file and return it as the server describes it, or null if that fails or is canceled. */
async function uploadShown(file) {
  const controller = new AbortController();
  const bar = createElement("progress", { max: 1, value: 0, ariaLabel: `Upload of ${file.name}` });
  const note = document.createTextNode("Uploading …");
  const cancel = createIconButton("close", `Cancel the upload of ${file.name}`, () => controller.abort());
  const card = createElement("li", { className: "card is-uploading" }, createName(isolated(file.name), note), bar, cancel);
  byId("uploads").append(card);
  try {
    const upload = await uploadFile(file, {
      signal: controller.signal,
      onProgress: (share) => {
        bar.value = share;
        note.textContent = share < 1 ? `Uploading … ${Math.round(100 * share)} %` : "Listening …";
        if (share >= 1) bar.removeAttribute("value");
      },
    });
    keepUpload(upload);
    return upload;
  } catch (error) {
    if (error.name === "AbortError") showStatus("Upload canceled.");
    else showStatus(error.status === FAULTY_FILE ? error.message : `${file.name}: ${error.message}`, true);
    return null;
  } finally {
    card.remove();
  }
}

for (const [id, isAdded] of [["file", false], ["added-file", true]]) {
  byId(id).onchange = ({ target }) => {
    searchByFiles(target.files, { isAdded });
    target.value = "";
  };
}
