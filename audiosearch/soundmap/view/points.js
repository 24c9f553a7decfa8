// Drawing of the points. Tens of thousands of small pictures take a canvas too long without a graphics card, so their
// pixels are blended here, into a picture that the canvas then shows.

/**
 * Return the pixels of a disc or ring.
 *
 * @param style {color, radius, alpha, isHollow, outline}: radius in pixels; outline is a color or null
 * @returns {dx, dy, rgb, alpha}, one value for each pixel that isn't transparent
 */
function rasterize({ color, radius, alpha, isHollow, outline }) {
  const side = 2 * Math.ceil(radius + 1) + 1;
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  const center = side / 2;
  const line = isHollow ? Math.max(1, radius / 3) : Math.max(1, radius / 5);
  context.beginPath();
  context.arc(center, center, isHollow ? radius - line / 2 : radius, 0, 2 * Math.PI);
  context.fillStyle = context.strokeStyle = color;
  context.lineWidth = line;
  if (!isHollow) context.fill();
  if (!isHollow && outline) context.strokeStyle = outline;
  if (isHollow || outline) context.stroke();
  const { data } = context.getImageData(0, 0, side, side);
  const pixels = new Uint32Array(data.buffer);
  const visible = [...pixels.keys()].filter((index) => pixels[index] >>> 24);
  return {
    dx: Int32Array.from(visible, (index) => (index % side) - (side >> 1)),
    dy: Int32Array.from(visible, (index) => Math.floor(index / side) - (side >> 1)),
    rgb: Uint32Array.from(visible, (index) => pixels[index] & 0xffffff),
    alpha: Uint32Array.from(visible, (index) => Math.round((pixels[index] >>> 24) * alpha)),
  };
}

/** Draw pixels over those of a picture, of which `start` is the index of the center. */
function blend(picture, start, { offsets, rgb, alpha }) {
  for (let i = 0; i < offsets.length; i++) {
    const index = start + offsets[i];
    const below = picture[index];
    const a = alpha[i];
    const belowA = below >>> 24;
    if (belowA === 0) {
      picture[index] = ((a << 24) | rgb[i]) >>> 0;
      continue;
    }
    const total = a + (((255 - a) * belowA + 127) >> 8);
    const share = Math.min(256, ((a << 8) / total) | 0); // of the upper color, in 1/256
    const rest = 256 - share;
    const redBlue = (((rgb[i] & 0xff00ff) * share + (below & 0xff00ff) * rest) >>> 8) & 0xff00ff;
    const green = (((rgb[i] & 0xff00) * share + (below & 0xff00) * rest) >>> 8) & 0xff00;
    picture[index] = ((total << 24) | redBlue | green) >>> 0;
  }
}

export class PointsLayer {
  #canvas;
  #context;
  #image = null;
  #key = "";
  #sprites = [];

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /**
   * Draw points.
   *
   * @param camera where the view is
   * @param points {x, y, styleOf, order}: position and number of the style of each point; their rows, back to front
   * @param styles see `rasterize`; radius in CSS pixels
   * @param ratio pixels of the picture per CSS pixel
   */
  draw(camera, { x, y, styleOf, order }, styles, ratio) {
    const margin = Math.ceil((Math.max(...styles.map(({ radius }) => radius)) + 1) * ratio) + 1;
    const [width, height] = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)];
    const [outerWidth, outerHeight] = [width + 2 * margin, height + 2 * margin];
    this.#prepare(width, height, margin, styles.map((style) => ({ ...style, radius: style.radius * ratio })));
    const picture = new Uint32Array(this.#image.data.buffer).fill(0);
    const scale = camera.scale * ratio;
    // The center is rounded apart from the points, so that all points move alike while the map is dragged
    const left = Math.round(width / 2 - camera.x * scale) + margin;
    const top = Math.round(height / 2 + camera.y * scale) + margin;
    for (const row of order) {
      const px = left + Math.round(x[row] * scale);
      const py = top - Math.round(y[row] * scale);
      if (px < 0 || py < 0 || px >= outerWidth || py >= outerHeight) continue; // what is wrapped at an edge lies in the margin
      blend(picture, py * outerWidth + px, this.#sprites[styleOf[row]]);
    }
    this.#context.putImageData(this.#image, -margin, -margin);
  }

  /** Make the picture and the points' pixels, unless they are those of the last time. */
  #prepare(width, height, margin, styles) {
    const key = JSON.stringify([width, height, margin, styles]);
    if (key === this.#key) return;
    this.#key = key;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const outerWidth = width + 2 * margin;
    this.#image = new ImageData(outerWidth, height + 2 * margin);
    this.#sprites = styles.map((style) => {
      const { dx, dy, rgb, alpha } = rasterize(style);
      return { offsets: dx.map((x, i) => dy[i] * outerWidth + x), rgb, alpha };
    });
  }
}
