"use strict";
// Pan and zoom of the map. Drawing tens of thousands of points takes longer than one frame. So a
// gesture moves the finished plot like a picture, with a CSS transform. When the gesture pauses, the
// plot is drawn again with new axis ranges.

const REDRAW_DELAY_MS = 150; // after the last movement
const MIN_DRAG_PX = 4; // a shorter movement is a click
const [MIN_WIDTH, MAX_WIDTH] = [1e-4, 40]; // width of the view, in map units. The whole map is 2 units wide

const clampWidth = (width) => Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, width));

/**
 * Let pointers drag and pinch a plot, and let the wheel zoom it.
 *
 * @param plot element that Plotly draws in
 * @param canDrag function that returns whether a pointer may move the map now
 * @param redraw function that draws the plot with new ranges of both axes
 * @returns function that returns whether the last pointer gesture was a drag and not a click
 */
function enablePanZoom(plot, canDrag, redraw) {
  const pointers = new Map(); // positions of the pressed pointers, by id
  const identity = { scale: 1, x: 0, y: 0 };
  let transform = identity; // point p of the picture appears at scale * p + (x, y), in pixels
  let draggedPx = 0;
  let redrawTimer = 0;

  const picture = () => plot.querySelector(".plot-container");
  const centerOf = (points) => points.reduce(([x, y], [px, py]) => [x + px / points.length, y + py / points.length], [0, 0]);
  const distanceOf = ([first, second]) => (second ? Math.hypot(first[0] - second[0], first[1] - second[1]) : 1);

  function positionOf(event) {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Zoom by a factor around a center, then move by dx and dy pixels. */
  function moveBy(factor, [centerX, centerY], dx, dy) {
    if (transform === identity) Plotly.Fx.unhover(plot);
    const [low, high] = plot._fullLayout.xaxis.range;
    const width = (high - low) / transform.scale;
    const scale = width / clampWidth(width / factor);
    transform = {
      scale: transform.scale * scale,
      x: scale * transform.x + (1 - scale) * centerX + dx,
      y: scale * transform.y + (1 - scale) * centerY + dy,
    };
    applyTransform();
    clearTimeout(redrawTimer);
    redrawTimer = setTimeout(finishMove, REDRAW_DELAY_MS);
  }

  function applyTransform() {
    const isMoving = transform !== identity;
    picture().style.transformOrigin = "0 0";
    picture().style.transform = isMoving ? `translate(${transform.x}px, ${transform.y}px) scale(${transform.scale})` : "";
    plot.classList.toggle("is-moving", isMoving);
  }

  /** Draw the plot again for the part of the map that is in view, and remove the transform. */
  function finishMove() {
    clearTimeout(redrawTimer);
    if (transform === identity) return;
    const { xaxis, yaxis } = plot._fullLayout;
    const visibleRange = (axis, first, last, offset) => [0, axis._length].map((pixel) => first + ((pixel - offset) / (transform.scale * axis._length)) * (last - first));
    const [low, high] = yaxis.range;
    redraw({ "xaxis.range": visibleRange(xaxis, ...xaxis.range, transform.x), "yaxis.range": visibleRange(yaxis, high, low, transform.y).reverse() });
    transform = identity;
    applyTransform();
  }

  plot.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 30);
    moveBy(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 400), positionOf(event), 0, 0);
  }, { passive: false });
  plot.addEventListener("pointerdown", (event) => {
    if (!pointers.size) draggedPx = 0;
    if (!canDrag() || event.button !== 0) return;
    pointers.set(event.pointerId, positionOf(event));
  });
  addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    if (!event.buttons) return void pointers.delete(event.pointerId); // released outside the window
    const before = [...pointers.values()];
    pointers.set(event.pointerId, positionOf(event));
    const after = [...pointers.values()];
    const [from, to] = [centerOf(before), centerOf(after)];
    draggedPx += Math.hypot(to[0] - from[0], to[1] - from[1]) + Math.abs(distanceOf(after) - distanceOf(before));
    if (draggedPx >= MIN_DRAG_PX) moveBy(distanceOf(after) / Math.max(1, distanceOf(before)), from, to[0] - from[0], to[1] - from[1]);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    addEventListener(name, (event) => pointers.delete(event.pointerId) && !pointers.size && finishMove());
  }
  return () => draggedPx >= MIN_DRAG_PX;
}
