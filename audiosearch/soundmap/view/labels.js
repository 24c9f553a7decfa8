// Texts on the map: names of regions above their densest points, and names of tracks where there is room for them.

const MAX_TRACK_NAMES = 60; // with more points in view, tracks have no names
const [MIN_FONT_PX, MAX_FONT_PX] = [12, 21];
const [NARROW_FONT_PX, FONTS_PER_WIDTH] = [15, 60]; // the largest font in a narrow view; in others, of a share of the width
const [MAX_REGION_LENGTH, MAX_NAME_LENGTH] = [28, 32]; // characters
const [MIN_GAP_PX, RING_PX] = [10, 7]; // between the middle of a point and its name; around a point for a ring
const EDGE_GAP_PX = 2; // between a text and the edge of the view
const MIN_ZOOM_OF_PARTS = 1.8; // compared with the whole map, from which on parts of regions have names
const AREA_OF_NAME = 22_000; // square pixels of the view for each name of a region

const truncate = (text, maxLength) => (text.length > maxLength ? `${[...text].slice(0, maxLength - 1).join("")}…` : text);
const overlaps = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Return whether a straight line from one point to another leads through a box. */
function crosses([x1, y1], [x2, y2], { left, top, right, bottom }) {
  if (Math.max(x1, x2) < left || Math.min(x1, x2) > right || Math.max(y1, y2) < top || Math.min(y1, y2) > bottom) return false;
  const sideOf = (x, y) => Math.sign((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1));
  return Math.abs(sideOf(left, top) + sideOf(right, top) + sideOf(left, bottom) + sideOf(right, bottom)) < 4;
}

/**
 * Return boxes in which the text of a point may lie, the best one first. That of a track is beside its point. That of a
 * region is above or below its point, so that it lies on the region and not on its neighbor.
 */
function placesAround(x, y, { width, height, gap, isTrack, rightmost }) {
  const boxAt = (left, top) => ({ left, top, right: left + width, bottom: top + height });
  const beside = [boxAt(x + gap, y - height / 2), boxAt(x - gap - width, y - height / 2)];
  const left = Math.max(EDGE_GAP_PX, Math.min(x - width / 2, rightmost - width));
  const aligned = [boxAt(left, y - gap - height), boxAt(left, y + gap)];
  return isTrack ? [...beside, ...aligned] : [...aligned, ...beside];
}

/** Yield the texts to show, the most important one first: {text, x, y, size, isTrack}. */
function* candidates(data, camera, visibleRows) {
  const largest = Math.max(1, ...data.regions.map(({ tracks }) => tracks));
  const named = camera.zoom < MIN_ZOOM_OF_PARTS ? data.regions : [...data.regions, ...data.parts];
  const inView = named.filter(({ x, y }) => camera.isInView(x, y, 8));
  const largestFont = Math.min(MAX_FONT_PX, Math.max(NARROW_FONT_PX, camera.width / FONTS_PER_WIDTH));
  const nNames = Math.max(3, Math.round((camera.width * camera.height) / AREA_OF_NAME));
  for (const { name, x, y, tracks } of inView.slice(0, nNames)) {
    yield { text: truncate(name, MAX_REGION_LENGTH), x, y, size: MIN_FONT_PX + (largestFont - MIN_FONT_PX) * Math.sqrt(tracks / largest) };
  }
  if (!data.hasNames || visibleRows.length > MAX_TRACK_NAMES) return;
  for (const row of visibleRows) {
    yield { text: truncate(data.nameOf(row), MAX_NAME_LENGTH), x: data.x[row], y: data.y[row], size: MIN_FONT_PX, isTrack: true };
  }
}

/**
 * Return the texts to draw, none of which overlaps another one: {text, font, isTrack, left, middle, box}. Texts beside a
 * line stay off it where they can.
 *
 * @param context of a canvas, to measure texts
 * @param scene {data, camera, theme}
 * @param visibleRows rows of the points in view
 * @param occupied boxes that texts must not overlap
 * @param line positions of the corners of a line, in CSS pixels
 * @param radius of a point, in CSS pixels
 */
export function placeLabels(context, { data, camera, theme }, visibleRows, { occupied, line, radius }) {
  const gap = Math.max(MIN_GAP_PX, radius + RING_PX);
  const labels = [];
  const boxes = [...occupied];
  const [rightmost, lowest] = [camera.width - EDGE_GAP_PX, camera.height - EDGE_GAP_PX];
  const isInside = ({ left, top, right, bottom }) => left >= EDGE_GAP_PX && top >= EDGE_GAP_PX && right <= rightmost && bottom <= lowest;
  const isFree = (place) => isInside(place) && !boxes.some((box) => overlaps(box, place));
  const isOnLine = (box) => line.some((corner, index) => index > 0 && crosses(line[index - 1], corner, box));
  for (const { text, x, y, size, isTrack } of candidates(data, camera, visibleRows)) {
    const font = `${isTrack ? 400 : 650} ${size * theme.textScale}px system-ui, sans-serif`;
    context.font = font;
    const [width, height] = [context.measureText(text).width + 4, size * theme.textScale * 1.3];
    const places = placesAround(...camera.toScreen(x, y), { width, height, gap, isTrack, rightmost }).filter(isFree);
    const box = places.find((place) => !isOnLine(place)) ?? places[0];
    if (!box) continue;
    boxes.push(box);
    labels.push({ text, font, isTrack, left: box.left + 2, middle: (box.top + box.bottom) / 2, box });
  }
  return labels;
}
