// FilterParams of the views is shown.

import { loadMap } from "./map.js";
import { $, say } from "./server.js";
import { dock } from "./tracks.js";

const VIEWS = ["find", "playlist", "map"];

export function show(view) {
  if (location.hash !== `#${view}`) location.hash = view;
  if ($(view).hidden) say("");
  for (const name of VIEWS) {
    if (name !== view) dock($(name));
    $(name).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view === "map") loadMap();
}

/** Show the view that the address names; the first where it names none. */
export function showNamed() {
  const name = location.hash.slice(1);
  show(VIEWS.includes(name) ? name : VIEWS[0]);
}

addEventListener("hashchange", showNamed);
