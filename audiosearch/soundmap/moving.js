"use strict";
// Moving the map: what is drawn moves as a picture, as fast as the screen, and is drawn anew at
// rest. Drawing tens of thousands of points takes too long to be done for each frame.

const REST_MS = 150;
const LEAST_DRAG = 4; // pixels: less is a click
const [NARROWEST, WIDEST] = [1e-4, 40]; // that the map gets; all tracks take 2, and UMAP is no finer

/** Return the width of the map that is seen when another is asked for. */
const boundedWidth = (width) => Math.min(WIDEST, Math.max(NARROWEST, width));

/**
 * Let pointers drag and pinch a plot, and the wheel zoom it.
 *
 * @param plot what Plotly draws in
 * @param mayDrag tells whether pointers move the map now
 * @param drawAnew draws the plot with the ranges of both axes that it is given
 * @returns what tells whether the pointer that was down last has dragged, not clicked
 */
function makeMovable(plot, mayDrag, drawAnew) {
  const pointers = new Map(); // where those that are down are, by id
  const still = { times: 1, x: 0, y: 0 };
  let moved = still; // a point p of the picture is seen at times * p + (x, y), in pixels
  let dragged = 0;
  let rest = 0;

  const picture = () => plot.querySelector(".plot-container");
  const middleOf = (points) => points.reduce(([x, y], [px, py]) => [x + px / points.length, y + py / points.length], [0, 0]);
  const spreadOf = ([first, second]) => (second ? Math.hypot(first[0] - second[0], first[1] - second[1]) : 1);

  function place(event) {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Move on by some pixels, and zoom around a place. */
  function move(wanted, [aroundX, aroundY], x, y) {
    if (moved === still) Plotly.Fx.unhover(plot);
    const [low, high] = plot._fullLayout.xaxis.range;
    const width = (high - low) / moved.times;
    const times = width / boundedWidth(width / wanted);
    moved = {
      times: moved.times * times,
      x: times * moved.x + (1 - times) * aroundX + x,
      y: times * moved.y + (1 - times) * aroundY + y,
    };
    show();
    clearTimeout(rest);
    rest = setTimeout(settle, REST_MS);
  }

  function show() {
    picture().style.transformOrigin = "0 0";
    picture().style.transform = moved === still ? "" : `translate(${moved.x}px, ${moved.y}px) scale(${moved.times})`;
    plot.classList.toggle("moving", moved !== still);
  }

  /** Draw anew what is seen where the picture has come to rest. */
  function settle() {
    clearTimeout(rest);
    if (moved === still) return;
    const { xaxis, yaxis } = plot._fullLayout;
    const seen = (axis, first, last, shift) => [0, axis._length].map((pixel) => first + ((pixel - shift) / (moved.times * axis._length)) * (last - first));
    const [low, high] = yaxis.range;
    drawAnew({ "xaxis.range": seen(xaxis, ...xaxis.range, moved.x), "yaxis.range": seen(yaxis, high, low, moved.y).reverse() });
    moved = still;
    show();
  }

  plot.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 30);
    move(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 400), place(event), 0, 0);
  }, { passive: false });
  plot.addEventListener("pointerdown", (event) => {
    if (!pointers.size) dragged = 0;
    if (!mayDrag() || event.button !== 0) return;
    pointers.set(event.pointerId, place(event));
  });
  addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    if (!event.buttons) return void pointers.delete(event.pointerId); // it was let go elsewhere
    const before = [...pointers.values()];
    pointers.set(event.pointerId, place(event));
    const after = [...pointers.values()];
    const [from, to] = [middleOf(before), middleOf(after)];
    dragged += Math.hypot(to[0] - from[0], to[1] - from[1]) + Math.abs(spreadOf(after) - spreadOf(before));
    if (dragged >= LEAST_DRAG) move(spreadOf(after) / Math.max(1, spreadOf(before)), from, to[0] - from[0], to[1] - from[1]);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    addEventListener(name, (event) => pointers.delete(event.pointerId) && !pointers.size && settle());
  }
  return () => dragged >= LEAST_DRAG;
}
