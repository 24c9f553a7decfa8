// Short forms for the document, and icons. Names and tags always go in as text, never as HTML.

const ICONS = {
  zoomIn: "M12 5v14M5 12h14",
  zoomOut: "M5 12h14",
  showAll: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  lasso: "M12 4c5 0 9 2.500 9 6s-4 6-9 6-9-2.500-9-6 4-6 9-6M8 15.500c-1.500 0-2.500 1-2.500 2s1.500 2 3 1.500-1 3-3 3",
};

export function createElement(name, properties = {}, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

/** Return a text isolated so that its writing direction doesn't reorder the text around it. */
export const isolated = (text) => createElement("bdi", {}, text);

/** Return a button. A screen reader reads the label in place of the text. */
export function createButton(className, text, onclick, label = text) {
  const title = label === text ? "" : label;
  return createElement("button", { type: "button", className, onclick, ariaLabel: label, title }, text);
}

/** Return a button of the toolbar that shows only an icon. */
export function createTool(name, label, onclick) {
  const button = createButton("map-tool", "", onclick, label);
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  line.setAttribute("d", ICONS[name]);
  icon.append(line);
  button.append(icon);
  return button;
}
