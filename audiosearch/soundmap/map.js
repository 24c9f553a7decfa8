"use strict";
// The map: points colored by a tag or sound, highlighted matches, and the selected track with its neighbors.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const rows = data.ids.map((_, row) => row);
const FIELDS = ["genre", "artist", "album", "folder", "sound", "cluster"];
const FADED_OPACITY = 0.12;
const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false };
const MAX_LISTED_MATCHES = 20;
const isDark = matchMedia("(prefers-color-scheme: dark)");
// In the web page of `audiosearch serve`, the map runs in a frame and reports clicks and the lasso.
const isFramed = parent !== window;
const postToParent = (message) => isFramed && parent.postMessage(message, "*");
// Without WebGL, Plotly draws points as SVG, which is slower.
const TRACE_TYPE = document.createElement("canvas").getContext("webgl") ? "scattergl" : "scatter";

// Plotly renders some HTML in texts. Tags of audio files are escaped, so that they stay text.
const escapeHtml = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const truncate = (text, maxLength) => (text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text);
const tagsOf = (row) => [data.artist[row], data.album[row], data.genre[row], data.year[row]].filter(Boolean).join(" · ");
const soundsOf = (row) => data.sounds[row] && `Heard: ${data.sounds[row]}`;

const plot = byId("map");
const pointSize = rows.length > 20000 ? 3 : rows.length > 3000 ? 5 : 8;
const hoverTexts = rows.map((row) => [`<b>${escapeHtml(truncate(data.name[row], 60))}</b>`, ...[tagsOf(row), soundsOf(row), data.folder[row]].filter(Boolean).map((text) => escapeHtml(truncate(text, 80)))].join("<br>"));
const searchTexts = rows.map((row) => [data.name[row], tagsOf(row), data.sounds[row], data.folder[row], data.file[row], `#${data.ids[row]}`].join(" ").normalize("NFC").toLowerCase());
const formatDuration = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const detailsOf = (row) => [tagsOf(row), `#${data.ids[row]}`, formatDuration(data.seconds[row]), data.folder[row], data.file[row]].filter(Boolean).join(" · ");

// State. `draw` shows it, at most once per frame

let colorField = "cluster";
let colors = []; // one for each row
let soloColor = null; // the only color that isn't faded; null if none is
let matchingRows = null; // a Set; null if there is no search
let selectedRow = null;
let isLassoMode = false;
let isDrawScheduled = false;

function draw() {
  if (isDrawScheduled) return;
  isDrawScheduled = true;
  requestAnimationFrame(() => {
    isDrawScheduled = false;
    Plotly.Fx.unhover(plot);
    Plotly.react(plot, createTraces(), createLayout(), CONFIG);
  });
}

function createLayout() {
  const foreground = isDark.matches ? "#e8eaee" : "#1b1d21";
  const background = isDark.matches ? "#14161a" : "#ffffff";
  return {
    paper_bgcolor: background, plot_bgcolor: background, font: { color: foreground, family: "system-ui, sans-serif" },
    margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest", dragmode: isLassoMode && "lasso", uirevision: "same",
    xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: "x" },
    hoverlabel: { align: "left", bgcolor: background, font: { color: foreground } },
    annotations: data.regions.map((region) => ({
      x: region.x, y: region.y, text: `<b>${escapeHtml(truncate(region.name, 28))}</b>`, showarrow: false,
      font: { size: 13, color: foreground }, bgcolor: isDark.matches ? "rgba(20,22,26,.72)" : "rgba(255,255,255,.78)", borderpad: 2, captureevents: false,
    })),
  };
}

const POINTS_TRACE = 1; // index of the points in the result of createTraces

function createTraces() {
  const foreground = isDark.matches ? "#ffffff" : "#000000";
  const accent = isDark.matches ? "#8ab4f8" : "#0b57d0";
  const isHighlighted = (row) => (matchingRows === null ? soloColor === null || colors[row] === soloColor : matchingRows.has(row));
  const hasHighlight = soloColor !== null || matchingRows !== null;
  const outline = pointSize > 3 ? { width: 0.6, color: foreground } : { width: 0 };
  const points = {
    type: TRACE_TYPE, mode: "markers", x: data.x, y: data.y, text: hoverTexts, hovertemplate: "%{text}<extra></extra>",
    marker: { size: pointSize, color: colors, opacity: hasHighlight ? rows.map((row) => (isHighlighted(row) ? 0.95 : FADED_OPACITY)) : 0.85, line: outline },
  };
  // A null in place of a row interrupts the line
  const traceOf = (traceRows) => ({ type: TRACE_TYPE, hoverinfo: "skip", x: traceRows.map((row) => (row === null ? null : data.x[row])), y: traceRows.map((row) => (row === null ? null : data.y[row])) });
  const neighbors = selectedRow === null ? [] : data.neighbours[selectedRow];
  const markedRows = selectedRow === null ? [] : [selectedRow, ...neighbors];
  return [
    { ...traceOf(neighbors.flatMap((row) => [selectedRow, row, null])), mode: "lines", line: { width: 1.5, color: accent } },
    points,
    { ...traceOf(matchingRows === null ? [] : [...matchingRows]), mode: "markers", marker: { size: pointSize + 7, symbol: "circle-open", color: foreground, line: { width: 1.5 } } },
    { ...traceOf(markedRows), mode: "markers", marker: { size: markedRows.map((_, i) => pointSize + (i ? 4 : 9)), color: markedRows.map((row) => colors[row]), line: { width: 2, color: accent } } },
  ];
}

// The panel beside the map

function createEntry(text, color, note, isPressed, onClick) {
  const button = document.createElement("button");
  const dot = document.createElement("span");
  const small = document.createElement("small");
  dot.className = "dot";
  dot.style.background = color;
  small.textContent = note;
  button.type = "button";
  button.append(dot, text, small);
  if (isPressed !== null) button.setAttribute("aria-pressed", String(isPressed));
  button.onclick = onClick;
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const createTrackEntry = (row) => createEntry(data.name[row], colors[row], data.artist[row] || data.folder[row] || "", null, () => selectTrack(row));

function showLegend() {
  const legend = data.colors[colorField].slice();
  const nOther = rows.length - legend.reduce((sum, [, count]) => sum + count, 0);
  if (nOther) legend.push(["other", nOther, data.others]);
  byId("legend").replaceChildren(...legend.map(([label, count, color]) => createEntry(label, color, count, soloColor === color, () => {
    soloColor = soloColor === color ? null : color;
    const position = [...byId("legend").querySelectorAll("button")].indexOf(document.activeElement);
    showLegend();
    byId("legend").querySelectorAll("button")[position]?.focus();
    draw();
  })));
}

function updateColors() {
  colorField = byId("color").value;
  const colorOf = new Map(data.colors[colorField].map(([label, , color]) => [label, color]));
  colors = data[colorField].map((label) => colorOf.get(label) || data.others);
  soloColor = null;
  showLegend();
  showMatches();
  showSelected();
  draw();
}

function showMatches() {
  const panel = byId("matches");
  panel.hidden = matchingRows === null || !matchingRows.size;
  panel.querySelector("ul").replaceChildren(...[...(matchingRows || [])].slice(0, MAX_LISTED_MATCHES).map(createTrackEntry));
  byId("count").textContent = matchingRows === null ? `${rows.length} ${rows.length === 1 ? "track" : "tracks"}` : `${matchingRows.size} of ${rows.length} tracks`;
}

/** Highlight the tracks that contain every word of a text. */
function search(text) {
  const words = text.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
  matchingRows = words.length ? new Set(rows.filter((row) => words.every((word) => searchTexts[row].includes(word)))) : null;
  showMatches();
  draw();
}

function showSelected() {
  const panel = byId("selected");
  panel.hidden = selectedRow === null;
  if (selectedRow === null) return;
  panel.querySelector("h2").textContent = data.name[selectedRow];
  panel.querySelector("p").textContent = detailsOf(selectedRow);
  panel.querySelector(".sounds").textContent = soundsOf(selectedRow);
  panel.querySelector("ol").replaceChildren(...data.neighbours[selectedRow].map(createTrackEntry));
}

/** Select a track. Center the map on it if it is out of view. */
function selectTrack(row) {
  selectedRow = row;
  postToParent({ selectedId: data.ids[row] });
  showSelected();
  byId("selected").querySelector("h2").focus();
  const { xaxis, yaxis } = plot._fullLayout;
  const isOutside = (axis, position) => position < Math.min(...axis.range) || position > Math.max(...axis.range);
  if (isOutside(xaxis, data.x[row]) || isOutside(yaxis, data.y[row])) setView(1, data.x[row], data.y[row]);
  draw();
}

/**
 * Scale the part of the map in view, and center it on a point.
 *
 * @param factor below 1 to zoom in, above 1 to zoom out
 * @param x, y the point, in map units. Default: the current center
 */
function setView(factor, x = null, y = null) {
  const { xaxis, yaxis } = plot._fullLayout;
  const width = xaxis.range[1] - xaxis.range[0];
  const scale = clampWidth(factor * width) / width;
  const rangeAround = (axis, position) => {
    const [low, high] = axis.range;
    const center = position ?? (low + high) / 2;
    return [center + (scale * (low - high)) / 2, center + (scale * (high - low)) / 2];
  };
  Plotly.relayout(plot, { "xaxis.range": rangeAround(xaxis, x), "yaxis.range": rangeAround(yaxis, y) });
}

/** Hide the names of regions that overlap the name of a larger region. */
function hideOverlappingNames() {
  const visibleBoxes = [];
  for (const label of plot.querySelectorAll(".annotation")) {
    const box = label.getBoundingClientRect();
    const isFree = visibleBoxes.every((other) => box.right < other.left || other.right < box.left || box.bottom < other.top || other.bottom < box.top);
    label.style.visibility = isFree ? "visible" : "hidden";
    if (isFree) visibleBoxes.push(box);
  }
}

// Controls

byId("search").oninput = (event) => search(event.target.value);
byId("search").onkeydown = (event) => {
  if (event.key === "Enter" && matchingRows !== null && matchingRows.size) selectTrack([...matchingRows][0]);
};
for (const name of FIELDS) {
  if (data[name].some(Boolean)) byId("color").append(new Option(name, name, false, name === data.color_by));
}
byId("color").onchange = updateColors;
byId("zoom-in").onclick = () => setView(1 / 1.5);
byId("zoom-out").onclick = () => setView(1.5);
byId("show-all").onclick = () => Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true });
byId("lasso").hidden = !isFramed;
byId("lasso").onclick = () => {
  isLassoMode = !isLassoMode;
  byId("lasso").setAttribute("aria-pressed", String(isLassoMode));
  draw();
};
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== byId("search")) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "Escape") {
    const hadSearch = byId("search").value !== "";
    byId("search").value = "";
    search("");
    if (hadSearch) return;
    selectedRow = soloColor = null;
    showSelected();
    showLegend();
  } else if (event.target.closest("input, select, button") === null && event.key === " " && isFramed) {
    event.preventDefault();
    postToParent({ isPlayToggle: true });
  } else if (event.ctrlKey || event.metaKey) {
    return; // leave Ctrl + and Ctrl - to the browser's own zoom
  } else if (event.target.closest("input, select") === null && ["+", "-", "0"].includes(event.key)) {
    byId({ "+": "zoom-in", "-": "zoom-out", 0: "show-all" }[event.key]).click();
  }
});
document.body.classList.toggle("is-framed", isFramed);
isDark.onchange = draw;
new ResizeObserver(() => plot._fullLayout && Plotly.Plots.resize(plot)).observe(plot);
document.title = data.title;
document.querySelector("h1").textContent = data.title;
Plotly.newPlot(plot, createTraces(), createLayout(), CONFIG).then(() => {
  const wasDragged = enablePanZoom(plot, () => !isLassoMode, (ranges) => Plotly.relayout(plot, ranges));
  plot.on("plotly_afterplot", () => {
    Plotly.Fx.unhover(plot);
    hideOverlappingNames();
  });
  plot.on("plotly_click", ({ points }) => {
    if (wasDragged()) return;
    const point = points.find(({ curveNumber }) => curveNumber === POINTS_TRACE);
    if (!point) return;
    selectTrack(point.pointNumber);
  });
  plot.on("plotly_selected", (selection) => {
    const points = (selection?.points || []).filter(({ curveNumber }) => curveNumber === POINTS_TRACE);
    if (selection) postToParent({ lassoIds: points.map(({ pointNumber }) => data.ids[pointNumber]) });
  });
  updateColors();
});
