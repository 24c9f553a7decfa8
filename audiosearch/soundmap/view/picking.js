// Tracks at a position, inside a polygon, and in the direction of an arrow key.

const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const SIDEWAYS_COST = 2; // of a unit across the direction, compared with one along it

/** Return the row of the point that is nearest to a position, within some pixels; null if there is none. */
export function rowAt({ data, styles, camera }, x, y, near) {
  const [mapX, mapY] = camera.toMap(x, y);
  let best = null;
  let bestDistance = ((near + styles.radiusAt(camera.zoom)) / camera.scale) ** 2;
  for (const row of styles.order) {
    const distance = (data.x[row] - mapX) ** 2 + (data.y[row] - mapY) ** 2;
    if (distance <= bestDistance && !styles.isFaded(row)) [best, bestDistance] = [row, distance];
  }
  return best;
}

/** Return the rows of the points inside a polygon, in CSS pixels, that are not faded. */
export function rowsInside({ data, styles, camera }, polygon) {
  const corners = polygon.map(([x, y]) => camera.toMap(x, y));
  return styles.shownRows().filter((row) => isInside(data.x[row], data.y[row], corners));
}

/** Return whether a position is inside a polygon, by counting the edges to its right. */
function isInside(x, y, corners) {
  let inside = false;
  for (let i = 0, before = corners.length - 1; i < corners.length; before = i++) {
    const [[x1, y1], [x2, y2]] = [corners[i], corners[before]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

/**
 * Return the row of the next track in the direction of an arrow key. Faded tracks are skipped.
 *
 * @param selected row to start from. Without one, return the track nearest to the center of the view
 * @returns null if the key is no arrow key, or if there is no track in that direction
 */
export function nextTrack({ data, styles, camera, selected }, key) {
  const direction = DIRECTIONS[key];
  if (!direction) return null;
  const [startX, startY] = selected === null ? [camera.x, camera.y] : [data.x[selected], data.y[selected]];
  const costOf = (row) => {
    const [dx, dy] = [data.x[row] - startX, data.y[row] - startY];
    if (selected === null) return Math.hypot(dx, dy);
    const [along, across] = [dx * direction[0] + dy * direction[1], Math.abs(dx * direction[1]) + Math.abs(dy * direction[0])];
    return along > 0 && across <= 2 * along ? along + SIDEWAYS_COST * across : Infinity;
  };
  let [best, bestCost] = [null, Infinity];
  for (const row of styles.shownRows()) {
    const cost = costOf(row);
    if (row !== selected && cost < bestCost) [best, bestCost] = [row, cost];
  }
  return best;
}
