// What clips can be used for. Without the model's weights, the server says why they can't be searched with.

import { fetchJson } from "../common/api.js";
import { byId } from "../common/dom.js";
import { runBusy, showStatus } from "../common/status.js";

const CONTROLS = ["record", "file", "added-file"];

let problem = ""; // why clips can't be used

/** Whether clips find moments, because the library has them. */
export let hasMoments = false;

/** Tell whether the library has moments, from /api/health. */
export const setHasMoments = (value) => (hasMoments = value);

/** Keep the reason why clips can't be used; "" if they can. */
export function setClipProblem(text) {
  problem = text;
  for (const id of CONTROLS) {
    const control = byId(id);
    const shown = control.closest("label") ?? control;
    control.setAttribute("aria-disabled", String(Boolean(text)));
    shown.classList.toggle("is-off", Boolean(text));
    shown.title = text;
  }
}

/** Return whether clips can be used. If not, show the reason; the server may have found its model since. */
export async function canUseClips() {
  if (problem) await runBusy("", async () => setClipProblem((await fetchJson("health")).clips_problem));
  if (problem) showStatus(problem, true);
  return !problem;
}

for (const id of CONTROLS) {
  byId(id).addEventListener("click", (event) => {
    if (!problem) return;
    event.preventDefault(); // the second click, after the reason is gone, opens the dialog
    event.stopImmediatePropagation();
    canUseClips().then((canUse) => canUse && showStatus("Clips can be used now."));
  }, { capture: true });
}
