// Short forms for the document. Text of tags always goes in as text, never as HTML.

import { icon } from "./icons.js";

export const byId = (id) => document.getElementById(id);

export function createElement(name, properties = {}, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

/** Return a text of a tag, isolated so that its writing direction doesn't reorder the text around it. */
export const isolated = (text) => createElement("bdi", {}, text);

/** Return a button with a text. A screen reader reads the label in place of the text. */
export function createButton(text, label, onClick) {
  const created = createElement("button", { type: "button", onclick: onClick }, text);
  created.setAttribute("aria-label", label);
  return created;
}

/** Return a button that shows only an icon. */
export function createIconButton(name, label, onClick) {
  const created = createButton(icon(name), label, onClick);
  created.className = "icon-button";
  created.dataset.icon = name;
  created.title = label;
  return created;
}

/** Return a list item of a value, with a button that removes it. */
export const createChip = (value, label, onRemove) =>
  createElement("li", {}, isolated(value), createIconButton("close", label, onRemove));
