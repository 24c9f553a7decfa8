// Entry point of a page that `audiosearch map` writes: one map, whose data is in the page.

import { MapView } from "./view.js";

const content = JSON.parse(document.getElementById("data").textContent);
document.title = document.querySelector("h1").textContent = content.title;
const view = new MapView(document.getElementById("map"));
view.setPoints(content.points);
view.setNames(content.names);
view.setNeighbors(content.neighbours);
