// On narrow screens the settings and the saved playlists are panels above the list, closed while there is a list.

import { byId } from "../common/dom.js";

const PANELS = { settings: "playlist-form", saved: "saved-playlists" };

/** Open a panel, and close the other one; null closes both. The focus stays outside of closed ones. */
export function openPanel(opened) {
  byId("playlist").dataset.panel = opened ?? "";
  for (const [name, id] of Object.entries(PANELS)) {
    const toggle = byId(`toggle-${name}`);
    toggle.setAttribute("aria-expanded", String(name === opened));
    if (name !== opened && byId(id).contains(document.activeElement)) toggle.focus();
  }
}

for (const name of Object.keys(PANELS)) {
  byId(`toggle-${name}`).setAttribute("aria-controls", PANELS[name]);
  byId(`toggle-${name}`).onclick = () => openPanel(byId("playlist").dataset.panel === name ? null : name);
}
