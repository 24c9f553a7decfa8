// How points look: their colors and sizes, and which of them are faded or behind.

const PLURALS = { genre: "genres", artist: "artists", album: "albums", folder: "folders", sound: "sounds", cluster: "clusters" };
const FADED_ALPHA = 0.09;
const [MIN_RADIUS, MAX_RADIUS] = [2, 9]; // CSS pixels
const NONE_COLOR = { light: "#7d8590", dark: "#8d96a3" };

/** Return red, green and blue of a color like #0072b2; on a dark background, lighter ones. */
function channelsOf(hex, isDark) {
  const channels = [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  return isDark ? channels.map((value) => Math.round(value + 0.28 * (255 - value))) : channels;
}

export class Styles {
  /**
   * @param data the tracks
   * @param isDark whether the background is dark
   * @param outline color of the points' outline; null for none
   */
  constructor(data, isDark, outline) {
    const { colors, others } = data.palette;
    this.field = data.colorBy;
    this.nColors = colors.length;
    this.channels = [...colors, others, NONE_COLOR[isDark ? "dark" : "light"]].map((color) => channelsOf(color, isDark));
    this.colors = this.channels.map((channels) => `rgb(${channels.join(" ")})`);
    this.kindOf = Uint8Array.from(data.codesOf(this.field), (code) => (code < 0 ? this.nColors + 1 : Math.min(code, this.nColors)));
    this.outline = outline;
    this.baseRadius = Math.min(MAX_RADIUS, Math.max(MIN_RADIUS, 14 * data.size ** -0.19));
    this.styleOf = Uint8Array.from(this.kindOf);
    this.order = Int32Array.from(this.kindOf.keys());
    this.arrange(() => true);
  }

  /** Fade the points for which a function of their row is false, and put them behind all others. */
  arrange(isShown) {
    const nKinds = this.colors.length;
    this.kindOf.forEach((kind, row) => (this.styleOf[row] = isShown(row) ? kind : kind + nKinds));
    // Faded points are at the back, then points without a label, then those of other labels
    const layers = [[], [], [], []];
    const depths = Array(nKinds).fill(3).with(this.nColors, 2).with(this.nColors + 1, 1);
    this.kindOf.forEach((kind, row) => layers[this.isFaded(row) ? 0 : depths[kind]].push(row));
    this.order = Int32Array.from(layers.flat());
  }

  /** Return the rows of the points that aren't faded, ascending. */
  shownRows() {
    return [...this.styleOf.keys()].filter((row) => !this.isFaded(row));
  }

  isFaded(row) {
    return this.styleOf[row] >= this.colors.length;
  }

  /** Return the radius of a point, in CSS pixels. */
  radiusAt(zoom) {
    return Math.min(Math.max(MAX_RADIUS, this.baseRadius), this.baseRadius * Math.max(1, zoom) ** 0.3);
  }

  /** Return the styles of points, for `PointsLayer.draw`. */
  at(zoom) {
    const radius = Math.round(4 * this.radiusAt(zoom)) / 4;
    const styleOf = (kind, isFaded) => {
      const isHollow = kind === this.nColors + 1;
      const alpha = isHollow ? 0.45 : kind === this.nColors ? 0.6 : 0.88;
      const shape = { color: this.colors[kind], radius: isHollow ? 0.85 * radius : radius, isHollow };
      return isFaded ? { ...shape, alpha: FADED_ALPHA, outline: null } : { ...shape, alpha, outline: this.outline };
    };
    return [false, true].flatMap((isFaded) => this.colors.map((_, kind) => styleOf(kind, isFaded)));
  }

  /** Return the entries of the legend: {kind, label, count, color, isHollow}. */
  legend(data) {
    const counts = new Uint32Array(this.colors.length);
    this.kindOf.forEach((kind) => counts[kind]++);
    const labels = [...data.valuesOf(this.field).slice(0, this.nColors)];
    labels[this.nColors] = `Other ${PLURALS[this.field]}`;
    labels[this.nColors + 1] = `No ${this.field}`;
    const entryOf = (label, kind) => ({ kind, label, count: counts[kind], color: this.colors[kind], isHollow: kind > this.nColors });
    return labels.map(entryOf).filter(({ count }) => count);
  }
}
