// Soft contours of the density of the points, each in the mean color of the points around it.

const CELLS = 384; // along each side of the grid in which points are counted, and pixels along each side of the picture
const EXTENT = 1.25; // the picture reaches from -EXTENT to EXTENT map units
const PASSES = 10; // of the blur: fewer would make single points square
const LEVELS = [0.09, 0.17, 0.28, 0.41, 0.56, 0.73]; // shares of the highest density
const SOFTNESS = 0.2; // width of a contour's edge, as a share of its level

/** Average each value with its neighbors along rows (step 1) or columns (step CELLS) of the grid. */
function blurLine(values, start, step, radius) {
  let sum = 0;
  const line = new Float32Array(CELLS);
  for (let i = -radius; i < CELLS; i++) {
    if (i + radius < CELLS) sum += values[start + (i + radius) * step];
    if (i > radius) sum -= values[start + (i - radius - 1) * step];
    if (i >= 0) line[i] = sum / (2 * radius + 1);
  }
  for (let i = 0; i < CELLS; i++) values[start + i * step] = line[i];
}

/** Blur a grid nearly like a Gaussian function does: by several averages. */
function blur(values, radius) {
  for (let pass = 0; pass < PASSES; pass++) {
    for (let i = 0; i < CELLS; i++) blurLine(values, i * CELLS, 1, radius);
    for (let i = 0; i < CELLS; i++) blurLine(values, i, CELLS, radius);
  }
}

/** Return the number of points, and the sums of their colors' red, green and blue, in each cell of the grid. */
function countPoints({ x, y, colorOf }, colors) {
  const sums = [0, 1, 2, 3].map(() => new Float32Array(CELLS * CELLS));
  const cellOf = (position) => Math.floor(((position + EXTENT) / (2 * EXTENT)) * CELLS);
  x.forEach((_, row) => {
    const cell = cellOf(-y[row]) * CELLS + cellOf(x[row]);
    sums[0][cell] += 1;
    colors[colorOf[row]].forEach((value, channel) => (sums[channel + 1][cell] += value));
  });
  return sums;
}

const smoothstep = (value) => {
  const share = Math.min(1, Math.max(0, value));
  return share * share * (3 - 2 * share);
};

/**
 * Return a picture of the density, as a canvas.
 *
 * @param points {x, y, colorOf}: position and number of the color of each point
 * @param colors red, green and blue, 0 to 255, of each color
 * @param opacity of the highest level
 */
export function createDensityPicture(points, colors, opacity) {
  const sums = countPoints(points, colors);
  const radius = points.x.length > 5000 ? 1 : points.x.length > 200 ? 3 : 4;
  sums.forEach((values) => blur(values, radius));
  const highest = sums[0].reduce((a, b) => Math.max(a, b), 1e-9);
  const canvas = new OffscreenCanvas(CELLS, CELLS);
  const context = canvas.getContext("2d");
  const image = context.createImageData(CELLS, CELLS);
  for (let cell = 0; cell < CELLS * CELLS; cell++) {
    const density = sums[0][cell];
    if (density < 1e-6) continue; // smaller ones are rounding errors
    const share = Math.sqrt(density / highest); // so that sparse parts have contours too
    const level = LEVELS.reduce((sum, bound) => sum + smoothstep((share - bound) / (SOFTNESS * bound) + 0.5), 0) / LEVELS.length;
    for (const channel of [0, 1, 2]) image.data[4 * cell + channel] = sums[channel + 1][cell] / density;
    image.data[4 * cell + 3] = 255 * opacity * level;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draw the picture behind the points. It fades as one zooms in, because it has no more details then. */
export function drawDensity(context, picture, camera) {
  const { canvas } = context;
  const [width, height] = [Math.round(camera.width), Math.round(camera.height)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.clearRect(0, 0, width, height);
  const [left, top] = camera.toScreen(-EXTENT, EXTENT);
  const side = 2 * EXTENT * camera.scale;
  context.globalAlpha = Math.min(1, 6 / camera.zoom);
  context.drawImage(picture, left, top, side, side);
}
