// Mouse, touch, wheel and keys on the map.

import { listenToGestures } from "./gestures.js";
import { nextTrack, rowAt } from "./picking.js";

const [NEAR_MOUSE_PX, NEAR_TOUCH_PX] = [8, 22]; // within which a point is hit
const KEY_ZOOM = 1.6;

const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

/**
 * Run functions for input on the map.
 *
 * @param panel the controls
 * @param parts of the map: motion, camera, lasso
 * @param scene function that returns what is drawn; null if there is nothing yet
 * @param on functions: hover(row), tap(row), select(row, options), takeLasso(points), play(row), showAll(), escape()
 */
export function listenToInput(panel, { motion, camera, lasso }, scene, on) {
  const { stage, searchInput } = panel;
  const rowNear = (x, y, near) => (scene() ? rowAt(scene(), x, y, near) : null);

  listenToGestures(stage, {
    pan: (dx, dy) => motion.change(() => camera.panBy(dx, dy)),
    zoom: (factor, x, y) => motion.change(() => camera.zoomBy(factor, x, y)),
    hover: (x, y) => on.hover(rowNear(x, y, NEAR_MOUSE_PX)),
    leave: () => on.hover(null),
    tap: (x, y, isTouch) => on.tap(rowNear(x, y, isTouch ? NEAR_TOUCH_PX : NEAR_MOUSE_PX)),
    lasso: (points) => lasso.draw(points),
    lassoEnd: (points) => {
      lasso.end();
      if (scene()) on.takeLasso(points);
    },
  }, (event) => lasso.startsWith(event));

  /** Return what a key does; undefined if it does nothing. */
  function actionOf(key) {
    const { selected } = scene();
    const next = nextTrack(scene(), key);
    if (next !== null) return () => on.select(next, { isAnnounced: true });
    return {
      "+": () => motion.zoomBy(KEY_ZOOM),
      "=": () => motion.zoomBy(KEY_ZOOM),
      "-": () => motion.zoomBy(1 / KEY_ZOOM),
      0: on.showAll,
      Enter: selected === null ? undefined : () => on.play(selected),
    }[key];
  }

  stage.addEventListener("keydown", (event) => {
    const run = scene() && !hasModifier(event) && actionOf(event.key);
    if (!run) return;
    run();
    event.preventDefault();
  });
  searchInput.addEventListener("keydown", (event) => {
    const first = scene()?.matches?.[0];
    if (event.key === "Enter" && first !== undefined) on.select(first, { isFocused: true, isCentered: true });
  });
  stage.parentElement.addEventListener("keydown", (event) => event.key === "Escape" && on.escape());
  // "/" goes to the search field of the map, if the map is shown
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.defaultPrevented || hasModifier(event)) return;
    if (!stage.clientWidth || event.target.closest("input, select, textarea, dialog")) return;
    event.preventDefault();
    searchInput.focus(); // which select() doesn't do in every browser
    searchInput.select();
  });
}
