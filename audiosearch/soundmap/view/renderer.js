// Drawing of the map on three canvases, one over the other: density, points, and what lies over the points.

import { drawDensity } from "./density.js";
import { placeLabels } from "./labels.js";
import { drawOverlay } from "./overlay.js";
import { PointsLayer } from "./points.js";

const SLOW_FRAME_MS = 12; // if drawing takes longer, moving maps are drawn in a lower resolution

export class Renderer {
  #canvases;
  #panel;
  #points;
  #scene;
  #frame = 0;
  #isSlow = false;

  /**
   * @param panel the controls, with the canvases
   * @param scene function that returns what to draw; null if there is nothing yet: {camera, data, styles, density, theme,
   *   isMoving, playlist, selected, matches, lasso, playing, hovered}. Tracks are rows, null or undefined if there is none
   */
  constructor(panel, scene) {
    this.#panel = panel;
    this.#canvases = panel.canvases;
    this.#points = new PointsLayer(this.#canvases[1]);
    this.#scene = scene;
    this.labels = []; // the texts drawn, see `placeLabels`
  }

  /** Draw everything, at most once per frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const scene = this.#scene();
      if (!scene || !this.#panel.stage.clientWidth) return; // the map is hidden
      const start = performance.now();
      this.#drawPoints(scene);
      this.#drawOverlay(scene);
      this.#placeMarker(scene);
      this.showCard(scene);
      if (scene.isMoving && performance.now() - start > SLOW_FRAME_MS) this.#isSlow = true;
    });
  }

  #drawPoints({ camera, data: { x, y }, styles, density, isMoving }) {
    drawDensity(this.#canvases[0].getContext("2d"), density, camera);
    const { styleOf, order } = styles;
    this.#points.draw(camera, { x, y, styleOf, order }, styles.at(camera.zoom), isMoving && this.#isSlow ? 1 : devicePixelRatio);
  }

  #drawOverlay(scene) {
    const { camera, data, styles } = scene;
    const canvas = this.#canvases[2];
    const [width, height] = [camera.width, camera.height].map((size) => Math.round(size * devicePixelRatio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const visibleRows = styles.order.filter((row) => !styles.isFaded(row) && camera.isInView(data.x[row], data.y[row]));
    const line = scene.playlist.map((row) => camera.toScreen(data.x[row], data.y[row]));
    const radius = styles.radiusAt(camera.zoom);
    this.labels = placeLabels(context, scene, visibleRows, { occupied: this.#panel.boxes(), line, radius });
    drawOverlay(context, { ...scene, radius, labels: this.labels, line }, scene.theme);
  }

  #placeMarker({ camera, data, playing }) {
    const marker = this.#panel.playing;
    marker.hidden = playing === undefined;
    if (marker.hidden) return;
    const [x, y] = camera.toScreen(data.x[playing], data.y[playing]);
    marker.style.transform = `translate(${x}px, ${y}px)`;
  }

  /** Show the card of the track under the pointer, while the map rests. */
  showCard({ camera, data, isMoving, hovered }) {
    const row = isMoving ? null : hovered;
    this.#panel.showCard(data, row, ...(row === null ? [] : camera.toScreen(data.x[row], data.y[row])));
  }
}
