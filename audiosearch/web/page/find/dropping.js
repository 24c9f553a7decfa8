// Files dropped anywhere on the page.

import { byId } from "../common/dom.js";
import { searchByFiles } from "./uploads.js";

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

let depth = 0; // of elements that the files are over

function showOverlay(isShown) {
  if (!isShown) depth = 0;
  byId("drop").hidden = !isShown;
}

addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  showOverlay(true);
});
addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth -= 1;
  if (depth <= 0) showOverlay(false);
});
addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  showOverlay(false);
  if (event.dataTransfer.files.length) searchByFiles(event.dataTransfer.files);
});
