"use strict";
// The map: points coloured by a tag, matches lit up, a chosen track with its neighbours.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const rows = data.ids.map((_, row) => row);
const FIELDS = ["genre", "artist", "album", "folder", "cluster"];
const FADED = 0.12;
const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false };
const MOST_LISTED = 20; // of the tracks that are found
const isDark = matchMedia("(prefers-color-scheme: dark)");
// Within audiosearch's page, which is told what is clicked and what the lasso holds.
const isFramed = parent !== window;
const tell = (message) => isFramed && parent.postMessage(message, "*");
// Without WebGL, points are drawn one by one: slower, but they are.
const POINTS_BY = document.createElement("canvas").getContext("webgl") ? "scattergl" : "scatter";

// Plotly reads a little HTML in texts: none of the tags may be taken for it.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const tagsOf = (row) => [data.artist[row], data.album[row], data.genre[row], data.year[row]].filter(Boolean).join(" · ");

const plot = byId("map");
const size = rows.length > 20000 ? 3 : rows.length > 3000 ? 5 : 8;
const texts = rows.map((row) => [`<b>${plain(short(data.name[row], 60))}</b>`, ...[tagsOf(row), data.folder[row] || ""].filter(Boolean).map((text) => plain(short(text, 80)))].join("<br>"));
const haystacks = rows.map((row) => [data.name[row], tagsOf(row), data.folder[row], data.file[row], `#${data.ids[row]}`].join(" ").toLowerCase());
const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const detailsOf = (row) => [tagsOf(row), `#${data.ids[row]}`, minutes(data.seconds[row]), data.folder[row], data.file[row]].filter(Boolean).join(" · ");

// What is shown, and drawing it: once a frame, however much has changed

let field = "cluster";
let colors = [];
let alone = null; // the colour that is shown alone
let matching = null;
let chosen = null;
let isLasso = false;
let isWaiting = false;

function draw() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    Plotly.Fx.unhover(plot);
    Plotly.react(plot, traces(), layout(), CONFIG);
  });
}

function layout() {
  const front = isDark.matches ? "#e8eaee" : "#1b1d21";
  const back = isDark.matches ? "#14161a" : "#ffffff";
  return {
    paper_bgcolor: back, plot_bgcolor: back, font: { color: front, family: "system-ui, sans-serif" },
    margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest", dragmode: isLasso && "lasso", uirevision: "same",
    xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: "x" },
    hoverlabel: { align: "left" },
    annotations: data.regions.map((region) => ({
      x: region.x, y: region.y, text: `<b>${plain(short(region.name, 28))}</b>`, showarrow: false,
      font: { size: 13, color: front }, bgcolor: isDark.matches ? "rgba(20,22,26,.72)" : "rgba(255,255,255,.78)", borderpad: 2, captureevents: false,
    })),
  };
}

function traces() {
  const front = isDark.matches ? "#ffffff" : "#000000";
  const accent = isDark.matches ? "#8ab4f8" : "#0b57d0";
  const lit = (row) => (matching === null ? alone === null || colors[row] === alone : matching.has(row));
  const fades = alone !== null || matching !== null;
  const outline = size > 3 ? { width: 0.6, color: front } : { width: 0 };
  const points = {
    type: POINTS_BY, mode: "markers", x: data.x, y: data.y, text: texts, hovertemplate: "%{text}<extra></extra>",
    marker: { size, color: colors, opacity: fades ? rows.map((row) => (lit(row) ? 0.95 : FADED)) : 0.85, line: outline },
  };
  const at = (some) => ({ type: POINTS_BY, hoverinfo: "skip", x: some.map((row) => (row === null ? null : data.x[row])), y: some.map((row) => (row === null ? null : data.y[row])) });
  const near = chosen === null ? [] : data.neighbours[chosen];
  const ends = chosen === null ? [] : [chosen, ...near];
  return [
    { ...at(near.flatMap((row) => [chosen, row, null])), mode: "lines", line: { width: 1.5, color: accent } },
    points,
    { ...at(matching === null ? [] : [...matching]), mode: "markers", marker: { size: size + 7, symbol: "circle-open", color: front, line: { width: 1.5 } } },
    { ...at(ends), mode: "markers", marker: { size: ends.map((_, i) => size + (i ? 4 : 9)), color: ends.map((row) => colors[row]), line: { width: 2, color: accent } } },
  ];
}
const POINTS = 1; // the place of the points among the traces

// Beside the map

function entry(text, color, note, pressed, run) {
  const button = document.createElement("button");
  const dot = document.createElement("span");
  const small = document.createElement("small");
  dot.className = "dot";
  dot.style.background = color;
  small.textContent = note;
  button.type = "button";
  button.append(dot, text, small);
  if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
  button.onclick = run;
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const trackEntry = (row) => entry(data.name[row], colors[row], data.artist[row] || data.folder[row] || "", null, () => choose(row));

function showLegend() {
  const shown = data.colors[field].slice();
  const rest = rows.length - shown.reduce((sum, [, count]) => sum + count, 0);
  if (rest) shown.push(["others", rest, data.others]);
  byId("legend").replaceChildren(...shown.map(([label, count, color]) => entry(label, color, count, alone === color, () => {
    alone = alone === color ? null : color;
    const place = [...byId("legend").querySelectorAll("button")].indexOf(document.activeElement);
    showLegend();
    byId("legend").querySelectorAll("button")[place]?.focus();
    draw();
  })));
}

function recolor() {
  field = byId("color").value;
  const colorOf = new Map(data.colors[field].map(([label, , color]) => [label, color]));
  colors = data[field].map((label) => colorOf.get(label) || data.others);
  alone = null;
  showLegend();
  showMatches();
  showChosen();
  draw();
}

function showMatches() {
  const panel = byId("matches");
  panel.hidden = matching === null || !matching.size;
  panel.querySelector("ul").replaceChildren(...[...(matching || [])].slice(0, MOST_LISTED).map(trackEntry));
  byId("found").textContent = matching === null ? `${rows.length} tracks` : `${matching.size} of ${rows.length}`;
}

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  matching = words.length ? new Set(rows.filter((row) => words.every((word) => haystacks[row].includes(word)))) : null;
  showMatches();
  draw();
}

function showChosen() {
  const panel = byId("chosen");
  panel.hidden = chosen === null;
  if (chosen === null) return;
  panel.querySelector("h2").textContent = data.name[chosen];
  panel.querySelector("p").textContent = detailsOf(chosen);
  panel.querySelector("ol").replaceChildren(...data.neighbours[chosen].map(trackEntry));
}

/** Choose a track, and move it into view where it is not. */
function choose(row) {
  chosen = row;
  tell({ chosen: data.ids[row] });
  showChosen();
  byId("chosen").querySelector("h2").focus();
  const { xaxis, yaxis } = plot._fullLayout;
  const isOutside = (axis, place) => place < Math.min(...axis.range) || place > Math.max(...axis.range);
  if (isOutside(xaxis, data.x[row]) || isOutside(yaxis, data.y[row])) look(1, data.x[row], data.y[row]);
  draw();
}

/** Look from so many times as far, at a place: the one in the middle, unless given. */
function look(times, x = null, y = null) {
  const { xaxis, yaxis } = plot._fullLayout;
  const width = xaxis.range[1] - xaxis.range[0];
  const scale = boundedWidth(times * width) / width;
  const around = (axis, place) => {
    const [low, high] = axis.range;
    const middle = place ?? (low + high) / 2;
    return [middle + (scale * (low - high)) / 2, middle + (scale * (high - low)) / 2];
  };
  Plotly.relayout(plot, { "xaxis.range": around(xaxis, x), "yaxis.range": around(yaxis, y) });
}

/** Hide the names of regions that would lie over those of larger ones. */
function thinOut() {
  const shown = [];
  for (const label of plot.querySelectorAll(".annotation")) {
    const box = label.getBoundingClientRect();
    const isFree = shown.every((other) => box.right < other.left || other.right < box.left || box.bottom < other.top || other.bottom < box.top);
    label.style.visibility = isFree ? "visible" : "hidden";
    if (isFree) shown.push(box);
  }
}

byId("find").oninput = (event) => find(event.target.value);
byId("find").onkeydown = (event) => {
  if (event.key === "Enter" && matching !== null && matching.size) choose([...matching][0]);
};
for (const name of FIELDS) {
  if (data[name].some(Boolean)) byId("color").append(new Option(name, name, false, name === data.color_by));
}
byId("color").onchange = recolor;
byId("closer").onclick = () => look(1 / 1.5);
byId("farther").onclick = () => look(1.5);
byId("whole").onclick = () => Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true });
byId("lasso").hidden = !isFramed;
byId("lasso").onclick = () => {
  isLasso = !isLasso;
  byId("lasso").setAttribute("aria-pressed", String(isLasso));
  draw();
};
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== byId("find")) {
    event.preventDefault();
    byId("find").focus();
  } else if (event.key === "Escape") {
    const isFinding = byId("find").value !== "";
    byId("find").value = "";
    find("");
    if (isFinding) return;
    chosen = alone = null;
    showChosen();
    showLegend();
  } else if (event.target.closest("input, select, button") === null && event.key === " " && isFramed) {
    event.preventDefault();
    tell({ toggle: true });
  } else if (event.ctrlKey || event.metaKey) {
    return; // the browser's own zoom
  } else if (event.target.closest("input, select") === null && ["+", "-", "0"].includes(event.key)) {
    byId({ "+": "closer", "-": "farther", 0: "whole" }[event.key]).click();
  }
});
document.body.classList.toggle("framed", isFramed);
isDark.onchange = draw;
new ResizeObserver(() => plot._fullLayout && Plotly.Plots.resize(plot)).observe(plot);
document.title = data.title;
document.querySelector("h1").textContent = data.title;
Plotly.newPlot(plot, traces(), layout(), CONFIG).then(() => {
  const isDragged = makeMovable(plot, () => !isLasso, (ranges) => Plotly.relayout(plot, ranges));
  plot.on("plotly_afterplot", () => {
    Plotly.Fx.unhover(plot);
    thinOut();
  });
  plot.on("plotly_click", ({ points }) => {
    if (isDragged()) return;
    const point = points.find((one) => one.curveNumber === POINTS);
    if (!point) return;
    choose(point.pointNumber);
  });
  plot.on("plotly_selected", (selection) => {
    const held = (selection?.points || []).filter((one) => one.curveNumber === POINTS);
    if (selection) tell({ lasso: held.map((one) => data.ids[one.pointNumber]) });
  });
  recolor();
});
