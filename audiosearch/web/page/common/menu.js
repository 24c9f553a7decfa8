// The menu of actions, which opens beside the button that was pressed.

import { byId, createElement, createIconButton } from "./dom.js";
import { icon } from "./icons.js";

let opener = null;
let isOpenerPressed = false; // the browser closes the menu before the click

const isOpen = () => byId("menu").matches(":popover-open");

addEventListener("pointerdown", ({ target }) => (isOpenerPressed = isOpen() && opener.contains(target)), { capture: true });

/** Return a button that opens a menu; `entries` returns its entries, see `toggleMenu`. */
export function createMenuButton(label, entries) {
  const button = createIconButton("menu", label, () => toggleMenu(button, entries()));
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  return button;
}

/**
 * Open the menu beside a button, or close it.
 *
 * @param entries list of {name, text, run} or {name, text, href}
 */
export function toggleMenu(button, entries) {
  const menu = byId("menu");
  if (opener === button && (isOpenerPressed || isOpen())) {
    isOpenerPressed = false;
    return menu.hidePopover();
  }
  opener = button;
  menu.replaceChildren(...entries.map(createEntry));
  menu.showPopover();
  button.setAttribute("aria-expanded", "true");
  place(menu, button);
  menu.firstElementChild.focus();
}

function createEntry({ name, text, run, href }) {
  const entry = href
    ? createElement("a", { href, onclick: close }, icon(name), text)
    : createElement("button", { type: "button", onclick: () => (close(), run()) }, icon(name), text);
  entry.setAttribute("role", "menuitem");
  return entry;
}

const close = () => byId("menu").hidePopover();

function place(menu, button) {
  const [box, { offsetWidth: width, offsetHeight: height }] = [button.getBoundingClientRect(), menu];
  const isBelow = box.bottom + height < innerHeight - 8;
  menu.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.right - width))}px`;
  menu.style.top = `${Math.max(8, isBelow ? box.bottom : box.top - height)}px`;
}

for (const name of ["scroll", "resize"]) addEventListener(name, () => isOpen() && place(byId("menu"), opener));
byId("menu").addEventListener("toggle", (event) => {
  if (event.newState !== "closed") return;
  opener?.setAttribute("aria-expanded", "false");
  if (byId("menu").contains(document.activeElement) || document.activeElement === document.body) opener?.focus({ preventScroll: true });
});
byId("menu").onkeydown = (event) => {
  const entries = [...byId("menu").children];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Tab") return close();
  if (!step && !["Home", "End"].includes(event.key)) return;
  event.preventDefault();
  const position = entries.indexOf(document.activeElement);
  const next = { Home: 0, End: entries.length - 1 }[event.key] ?? (position + step + entries.length) % entries.length;
  entries[next].focus();
};
