// Short forms for the document. Text of tags always goes in as text, never as HTML.

export const byId = (id) => document.getElementById(id);

export function createElement(name, properties = {}, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

/** Return a button. A screen reader reads the label in place of the text. */
export function createButton(text, label, onClick) {
  const created = createElement("button", { type: "button", onclick: onClick }, text);
  created.setAttribute("aria-label", label);
  return created;
}

/** Return a number and its noun, such as "1 track" or "2 tracks". */
export const formatCount = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
