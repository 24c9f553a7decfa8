"use strict";
// The map: points coloured by a tag, matches lit up, a chosen track with its neighbours.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const rows = data.ids.map((_, row) => row);
const PALETTE = data.palette;
const OTHERS = data.others;
const NONE = "\u2014";
const FADED = 0.12;
// Within audiosearch's page, which is told what is clicked and what the lasso holds.
const isFramed = parent !== window;
const tell = (message) => isFramed && parent.postMessage(message, "*");
const isDark = matchMedia("(prefers-color-scheme: dark)");

// Plotly reads a little HTML in texts: none of the tags may be taken for it.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const tagsOf = (row) => [data.artist[row], data.album[row], data.genre[row], data.year[row]].filter(Boolean).join(" · ");

const FIELDS = ["genre", "artist", "album", "folder", "cluster"];

let labels = [];
let colors = [];
let alone = null;
let matching = null;
let chosen = null;
let isLasso = false;

function recolor(field) {
  labels = data[field].map((label) => label || NONE);
  const counts = new Map();
  labels.forEach((label) => counts.set(label, (counts.get(label) || 0) + 1));
  const ranked = [...counts].filter(([label]) => label !== NONE).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const color = new Map(ranked.slice(0, PALETTE.length).map(([label], i) => [label, PALETTE[i]]));
  colors = labels.map((label) => color.get(label) || OTHERS);
  alone = null;
  const shown = ranked.slice(0, PALETTE.length).map(([label, count]) => [label, count, color.get(label)]);
  const n_others = rows.length - shown.reduce((sum, entry) => sum + entry[1], 0);
  byId("legend").replaceChildren(...shown.map(legendEntry), ...(n_others ? [othersEntry(n_others)] : []));
  draw();
}

function dot(color) {
  const element = document.createElement("span");
  element.className = "dot";
  element.style.background = color;
  return element;
}

function legendEntry([label, count, color]) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const number = document.createElement("small");
  number.textContent = count;
  button.append(dot(color), label, number);
  button.setAttribute("aria-pressed", "false");
  button.onclick = () => {
    alone = alone === label ? null : label;
    for (const other of byId("legend").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && alone !== null));
    draw();
  };
  item.append(button);
  return item;
}

function othersEntry(count) {
  const item = document.createElement("li");
  const line = document.createElement("button");
  const number = document.createElement("small");
  number.textContent = count;
  line.append(dot(OTHERS), "others", number);
  line.disabled = true;
  item.append(line);
  return item;
}

function layout() {
  const front = isDark.matches ? "#e8eaee" : "#1b1d21";
  const back = isDark.matches ? "#14161a" : "#ffffff";
  return {
    paper_bgcolor: back, plot_bgcolor: back, font: { color: front, family: "system-ui, sans-serif" },
    margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest", dragmode: isLasso ? "lasso" : "pan", uirevision: "same",
    xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: "x" },
    hoverlabel: { align: "left" },
    annotations: data.regions.map((region) => ({
      x: region.x, y: region.y, text: `<b>${plain(short(region.name, 28))}</b>`, showarrow: false,
      font: { size: 13, color: front }, bgcolor: isDark.matches ? "rgba(20,22,26,.72)" : "rgba(255,255,255,.78)", borderpad: 2, captureevents: false,
    })),
  };
}

function traces() {
  const lit = (row) => (alone === null || labels[row] === alone) && (matching === null || matching.has(row));
  const fades = alone !== null || matching !== null;
  const size = rows.length > 20000 ? 3 : rows.length > 3000 ? 5 : 8;
  const points = {
    type: "scattergl", mode: "markers", x: data.x, y: data.y, text: texts, hovertemplate: "%{text}<extra></extra>",
    marker: { size, color: colors, opacity: fades ? rows.map((row) => (lit(row) ? 0.95 : FADED)) : 0.85, line: { width: 0 } },
  };
  const found = matching === null ? [] : [...matching];
  const ring = { type: "scattergl", mode: "markers", hoverinfo: "skip", x: found.map((row) => data.x[row]), y: found.map((row) => data.y[row]),
    marker: { size: size + 7, symbol: "circle-open", color: isDark.matches ? "#ffffff" : "#000000", line: { width: 1.5 } } };
  const near = chosen === null ? [] : data.neighbours[chosen];
  const links = { type: "scattergl", mode: "lines", hoverinfo: "skip", line: { width: 1.5, color: isDark.matches ? "#8ab4f8" : "#0b57d0" },
    x: near.flatMap((row) => [data.x[chosen], data.x[row], null]), y: near.flatMap((row) => [data.y[chosen], data.y[row], null]) };
  const ends = chosen === null ? [] : [chosen, ...near];
  const marks = { type: "scattergl", mode: "markers", hoverinfo: "skip", x: ends.map((row) => data.x[row]), y: ends.map((row) => data.y[row]),
    marker: { size: ends.map((_, i) => size + (i ? 4 : 9)), color: ends.map((row) => colors[row]), line: { width: 2, color: isDark.matches ? "#8ab4f8" : "#0b57d0" } } };
  return [links, points, ring, marks];
}

const texts = rows.map((row) => `<b>${plain(short(data.name[row], 60))}</b>` + (tagsOf(row) ? `<br>${plain(short(tagsOf(row), 80))}` : "") + (data.folder[row] ? `<br>${plain(short(data.folder[row], 60))}` : ""));
const POINTS = 1; // the place of the points among the traces
const plot = byId("map");

function draw() {
  Plotly.react(plot, traces(), layout(), { scrollZoom: true, displaylogo: false, responsive: true, displayModeBar: false });
}

function choose(row) {
  chosen = row;
  const panel = byId("chosen");
  panel.hidden = row === null;
  if (row !== null) {
    panel.querySelector("h2").textContent = data.name[row];
    panel.querySelector("p").textContent = tagsOf(row) || data.folder[row];
    panel.querySelector("ol").replaceChildren(...data.neighbours[row].map((near) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const artist = document.createElement("small");
      artist.textContent = data.artist[near] || "";
      button.append(dot(colors[near]), data.name[near], artist);
      button.onclick = () => choose(near);
      item.append(button);
      return item;
    }));
  }
  draw();
}

const haystacks = rows.map((row) => [data.name[row], tagsOf(row), data.folder[row]].join(" ").toLowerCase());

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  matching = words.length ? new Set(rows.filter((row) => words.every((word) => haystacks[row].includes(word)))) : null;
  byId("found").textContent = matching === null ? `${rows.length} tracks` : `${matching.size} of ${rows.length}`;
  draw();
}

byId("find").oninput = (event) => find(event.target.value);
byId("find").onkeydown = (event) => {
  if (event.key === "Enter" && matching !== null && matching.size) choose([...matching][0]);
};
for (const field of FIELDS) {
  if (data[field].some(Boolean)) byId("color").append(new Option(field, field, false, field === data.color_by));
}
byId("color").onchange = (event) => recolor(event.target.value);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== byId("find")) {
    event.preventDefault();
    byId("find").focus();
  } else if (event.key === "Escape") {
    byId("find").value = "";
    matching = null;
    find("");
    choose(null);
  }
});
isDark.onchange = draw;
document.title = data.title;
document.querySelector("h1").textContent = data.title;
recolor(byId("color").value || "cluster");
find("");
plot.on("plotly_click", ({ points }) => {
  const point = points.find((one) => one.curveNumber === POINTS);
  if (!point) return;
  choose(point.pointNumber);
  tell({ chosen: data.ids[point.pointNumber] });
});
plot.on("plotly_selected", (selection) => {
  const lasso = (selection?.points || []).filter((one) => one.curveNumber === POINTS);
  tell({ lasso: lasso.map((one) => data.ids[one.pointNumber]) });
});
byId("lasso").hidden = !isFramed;
byId("lasso").onclick = () => {
  isLasso = !isLasso;
  byId("lasso").setAttribute("aria-pressed", String(isLasso));
  draw();
};
