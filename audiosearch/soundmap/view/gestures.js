// Mouse, touch and wheel on the map: drag, pinch, lasso, click, hover.

const MIN_DRAG_PX = 4; // a shorter movement of a mouse is a click
const MIN_TOUCH_DRAG_PX = 10;
const LINE_PX = 30; // of a wheel that turns by lines

const centerOf = (points) => points.reduce(([x, y], [px, py]) => [x + px / points.length, y + py / points.length], [0, 0]);
const distanceOf = ([first, second]) => (second ? Math.hypot(first[0] - second[0], first[1] - second[1]) : 1);

/**
 * Report gestures on an element. Positions are in CSS pixels from its top left corner.
 *
 * @param element the element
 * @param on functions: pan(dx, dy), zoom(factor, x, y), hover(x, y), leave(), tap(x, y, isTouch),
 *   lasso(points) while one is drawn, and lassoEnd(points)
 * @param isLasso function that returns whether a drag that starts with an event draws a lasso
 */
export function listenToGestures(element, on, isLasso) {
  const pointers = new Map(); // positions of the pressed pointers, by id
  let draggedPx = 0;
  let lasso = null; // positions of the lasso that is drawn; else null

  const positionOf = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const isDrag = (event) => draggedPx >= (event.pointerType === "mouse" ? MIN_DRAG_PX : MIN_TOUCH_DRAG_PX);

  function move(event) {
    const before = [...pointers.values()];
    pointers.set(event.pointerId, positionOf(event));
    const after = [...pointers.values()];
    const [from, to] = [centerOf(before), centerOf(after)];
    draggedPx += Math.hypot(to[0] - from[0], to[1] - from[1]) + Math.abs(distanceOf(after) - distanceOf(before));
    if (lasso) {
      lasso.push(positionOf(event));
      on.lasso(lasso);
    } else if (isDrag(event)) {
      if (after.length > 1) on.zoom(distanceOf(after) / Math.max(1, distanceOf(before)), ...from);
      on.pan(to[0] - from[0], to[1] - from[1]);
    }
  }

  function release(event) {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    const points = lasso;
    lasso = null;
    const isDone = event.type === "pointerup"; // else the browser has taken the pointer away
    if (points && isDone && isDrag(event)) return on.lassoEnd(points);
    on.lasso([]);
    if (isDone && !isDrag(event)) on.tap(...positionOf(event), event.pointerType !== "mouse");
  }

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!pointers.size) draggedPx = 0;
    pointers.set(event.pointerId, positionOf(event));
    element.setPointerCapture(event.pointerId);
    lasso = pointers.size === 1 && isLasso(event) ? [positionOf(event)] : null; // two fingers zoom
    if (!lasso) on.lasso([]);
    on.leave();
  });
  element.addEventListener("pointermove", (event) => {
    if (pointers.has(event.pointerId)) move(event);
    else if (event.pointerType === "mouse") on.hover(...positionOf(event));
  });
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("pointerleave", () => on.leave());
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PX) * (event.ctrlKey ? 4 : 1);
    on.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 400), ...positionOf(event));
  }, { passive: false });
}
