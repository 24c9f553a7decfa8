// Switching between the views.

import { byId } from "./common/dom.js";
import { moveToFooter } from "./common/player.js";
import { showStatus } from "./common/status.js";

const VIEWS = ["find", "playlist", "map"];
const listeners = new Map();

/** Register a function to run each time that a view is shown. */
export const onShow = (view, run) => listeners.set(view, run);

export function showView(view) {
  if (location.hash !== `#${view}`) location.hash = view;
  if (byId(view).hidden) showStatus("");
  for (const name of VIEWS) {
    if (name !== view) moveToFooter(byId(name));
    byId(name).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  listeners.get(view)?.();
}

/** Show the view that the address names, or else the first one. */
export function showViewOfAddress() {
  const name = location.hash.slice(1);
  showView(VIEWS.includes(name) ? name : VIEWS[0]);
}

addEventListener("hashchange", showViewOfAddress);
