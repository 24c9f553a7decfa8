// The part of the map that is in view. Positions on the map are in units: the whole map is at most 2 units wide and high.

const MAX_ZOOM = 150; // compared with the whole map
const MIN_ZOOM = 0.8;
const MIN_EXTENT = 0.5; // units of a map whose tracks all lie in one place
const MIN_FREE_PX = 80; // that controls leave of the width and the height

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export class Camera {
  #x = [];
  #y = [];
  #bounds = [-1, 1, -1, 1];

  constructor() {
    this.width = this.height = 1; // of the view, in CSS pixels
    this.insets = { top: 0, right: 0, bottom: 0, left: 0 }; // CSS pixels that the whole map keeps free
    this.scale = 1; // CSS pixels per unit
    this.x = this.y = 0; // center of the view
  }

  /** Set the points of which one at least stays in view. */
  setPoints(x, y) {
    const rangeOf = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    [this.#x, this.#y] = [x, y];
    this.#bounds = [...rangeOf(x), ...rangeOf(y)];
  }

  /** Scale at which the whole map fills the view. */
  get fitScale() {
    const [left, right, bottom, top] = this.#bounds;
    const [width, height] = this.#freeSize;
    return Math.min(width / Math.max(right - left, MIN_EXTENT), height / Math.max(top - bottom, MIN_EXTENT));
  }

  /** Width and height of the part of the view that no control covers, in CSS pixels. */
  get #freeSize() {
    const { top, right, bottom, left } = this.insets;
    return [Math.max(MIN_FREE_PX, this.width - left - right), Math.max(MIN_FREE_PX, this.height - top - bottom)];
  }

  get zoom() {
    return this.scale / this.fitScale;
  }

  /** Return the state of the camera that shows the whole map. */
  get whole() {
    const [left, right, bottom, top] = this.#bounds;
    const [scale, { insets }] = [this.fitScale, this];
    const x = (left + right) / 2 + (insets.right - insets.left) / (2 * scale);
    const y = (bottom + top) / 2 + (insets.top - insets.bottom) / (2 * scale);
    return { scale, x, y };
  }

  get state() {
    return { scale: this.scale, x: this.x, y: this.y };
  }

  /** Move the camera. At least one point stays in view. */
  moveTo({ scale, x, y }) {
    const [left, right, bottom, top] = this.#bounds;
    this.scale = clamp(scale, MIN_ZOOM * this.fitScale, MAX_ZOOM * this.fitScale);
    const { whole } = this;
    this.x = clamp(x, Math.min(left, whole.x), Math.max(right, whole.x));
    this.y = clamp(y, Math.min(bottom, whole.y), Math.max(top, whole.y));
    this.#keepOnePoint();
  }

  panBy(dx, dy) {
    this.moveTo({ scale: this.scale, x: this.x - dx / this.scale, y: this.y + dy / this.scale });
  }

  /** Scale the view so that the point under a pixel stays there. */
  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const scale = clamp(this.scale * factor, MIN_ZOOM * this.fitScale, MAX_ZOOM * this.fitScale);
    const [dx, dy] = [px - this.width / 2, py - this.height / 2];
    this.moveTo({ scale, x: this.x + dx / this.scale - dx / scale, y: this.y - dy / this.scale + dy / scale });
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scale];
  }

  toMap(px, py) {
    return [this.x + (px - this.width / 2) / this.scale, this.y - (py - this.height / 2) / this.scale];
  }

  isInView(x, y, margin = 0) {
    return Math.abs(x - this.x) * this.scale <= this.width / 2 - margin && Math.abs(y - this.y) * this.scale <= this.height / 2 - margin;
  }

  /** If no point is in the part of the view that is free, move by the shortest way to the point nearest to its center. */
  #keepOnePoint() {
    const [halfWidth, halfHeight] = this.#freeSize.map((size) => size / 2 / this.scale);
    const { top, right, bottom, left } = this.insets;
    const [centerX, centerY] = [this.x + (left - right) / 2 / this.scale, this.y + (bottom - top) / 2 / this.scale];
    let [nearest, nearestDistance] = [-1, Infinity];
    for (let row = 0; row < this.#x.length; row++) {
      const [dx, dy] = [Math.abs(this.#x[row] - centerX), Math.abs(this.#y[row] - centerY)];
      if (dx <= halfWidth && dy <= halfHeight) return;
      const distance = dx * dx + dy * dy;
      if (distance < nearestDistance) [nearest, nearestDistance] = [row, distance];
    }
    if (nearest < 0) return;
    this.x += clamp(centerX, this.#x[nearest] - halfWidth, this.#x[nearest] + halfWidth) - centerX;
    this.y += clamp(centerY, this.#y[nearest] - halfHeight, this.#y[nearest] + halfHeight) - centerY;
  }
}
