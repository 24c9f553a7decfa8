// Icons: drawings of 24 x 24 units, in the color of the text around them.

const SVG = "http://www.w3.org/2000/svg";

const FILLED = {
  play: "M8 5.2v13.6a.8.8 0 0 0 1.2.7l10.9-6.8a.8.8 0 0 0 0-1.4L9.2 4.5a.8.8 0 0 0-1.2.7Z",
  pause: "M7 5h3.2v14H7zM13.8 5H17v14h-3.2z",
  next: "M5.5 5.7v12.6a.7.7 0 0 0 1.1.6l8.9-6.3a.7.7 0 0 0 0-1.2L6.6 5.1a.7.7 0 0 0-1.1.6ZM17 5h2.2v14H17z",
  previous: "M18.5 5.7v12.6a.7.7 0 0 1-1.1.6l-8.9-6.3a.7.7 0 0 1 0-1.2l8.9-6.3a.7.7 0 0 1 1.1.6ZM4.8 5H7v14H4.8z",
  stop: "M7 6h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1Z",
  grip: "M9 5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Zm6 0a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Zm-6 5.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Zm6 0a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3ZM9 16a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Zm6 0a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3Z",
  menu: "M5 10.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Zm7 0a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Zm7 0a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z",
};
const OUTLINED = {
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM15.5 15.5 20.5 20.5",
  microphone: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  file: "M12 15.5v-11M7.5 9 12 4.5 16.5 9M4.5 15.5V18a1.5 1.5 0 0 0 1.5 1.5h12a1.5 1.5 0 0 0 1.5-1.5v-2.5",
  close: "M6 6l12 12M18 6 6 18",
  more: "M12 5v14M5 12h14",
  less: "M5 12h14",
  similar: "M3 12h1.5M7 8v8M11 4.5v15M15 8v8M19 10.5v3M22 12h-.5",
  queue: "M4 6h16M4 11h16M4 16h8M15.5 18h6M18.5 15v6",
  list: "M4 6h16M4 11h9M4 16h9M16.5 11.5v7l5-3.5Z",
  seed: "M12 21v-9M12 13c0-4-2.5-6.5-7-6.5 0 4.5 2.5 6.5 7 6.5ZM12 11c0-4 2.5-6.5 7-6.5 0 4.5-2.5 6.5-7 6.5Z",
  map: "M12 21s6.5-5.6 6.5-11a6.5 6.5 0 1 0-13 0c0 5.4 6.5 11 6.5 11ZM12 7.7a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6Z",
  filter: "M4 7h10M18 7h2M16 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4ZM4 17h2M10 17h10M8 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z",
  volume: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11",
  muted: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  artist: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM4.5 20a7.5 7.5 0 0 1 15 0",
  album: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17ZM12 9.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z",
  genre: "M4 4.5h7.5l8 8-7 7-8.5-8ZM8 8.2v.1",
  title: "M9 18V6l10-2v11.5M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM19 15.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
  folder: "M3.5 6.5A1.5 1.5 0 0 1 5 5h4l2 2.5h8A1.5 1.5 0 0 1 20.5 9v8.5A1.5 1.5 0 0 1 19 19H5a1.5 1.5 0 0 1-1.5-1.5Z",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  remove: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7",
  undo: "M8.5 5 4 9.5 8.5 14M4.5 9.5H14a5.5 5.5 0 0 1 0 11h-3",
  shuffle: "M3.5 7H7c3.5 0 6.5 10 10 10h3M3.5 17H7c1.3 0 2.5-1.4 3.6-3.1M13.4 10.1C14.5 8.4 15.7 7 17 7h3M17.5 4.5 20 7l-2.5 2.5M17.5 14.5 20 17l-2.5 2.5",
  endless: "M12 12c-1.8-2.7-3.3-4-5-4a4 4 0 0 0 0 8c1.7 0 3.2-1.3 5-4 1.8-2.7 3.3-4 5-4a4 4 0 0 1 0 8c-1.7 0-3.2-1.3-5-4Z",
  save: "M7 4.5h10a1 1 0 0 1 1 1V20l-6-4-6 4V5.5a1 1 0 0 1 1-1Z",
  download: "M12 4.5v11M7.5 11l4.5 4.5 4.5-4.5M4.5 19.5h15",
  copy: "M9 9h9.5v10.5H9ZM15 9V5H5.5v10.5H9",
  rename: "M5 19l1-4L16.5 4.5l3 3L9 18ZM14 7l3 3",
  swap: "M4 9h15M15.5 5.5 19 9l-3.5 3.5M20 16H5M8.5 12.5 5 16l3.5 3.5",
  ascending: "M7 19V5M3.5 8.5 7 5l3.5 3.5M13 7h3M13 12h5M13 17h7",
  descending: "M7 5v14M3.5 15.5 7 19l3.5-3.5M13 7h7M13 12h5M13 17h3",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", FILLED[name] ? "icon" : "icon is-outlined");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", FILLED[name] ?? OUTLINED[name]);
  svg.append(path);
  return svg;
}

/** Change the icon of a button, which keeps its text. */
export function setIcon(button, name) {
  if (button.dataset.icon === name && button.querySelector(".icon")) return;
  button.dataset.icon = name;
  button.querySelector(".icon")?.remove();
  button.prepend(icon(name));
}

// <button data-icon="play"> in the document gets its drawing here.
document.querySelectorAll("[data-icon]").forEach((button) => button.prepend(icon(button.dataset.icon)));
