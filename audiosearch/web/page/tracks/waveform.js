// Waveforms drawn on a canvas, in the colors of the style sheet.

const BAR_PX = 2;
const GAP_PX = 1;

const waveforms = new WeakMap();
const resizes = new ResizeObserver((entries) => entries.forEach(({ target }) => waveforms.get(target)?.draw()));

/** A waveform on a canvas. Its part already played, and a part of it, may have other colors. */
export class Waveform {
  #peaks = null;
  #progress = 0;
  #part = null;

  constructor(canvas) {
    this.canvas = canvas;
    waveforms.set(canvas, this);
    resizes.observe(canvas);
  }

  /**
   * Change what is shown.
   *
   * @param peaks list of values in 0..1, or null if they are unknown
   * @param progress share that has played
   * @param part [start, end] as shares of the length, or null for the whole
   */
  set({ peaks = this.#peaks, progress = this.#progress, part = this.#part }) {
    [this.#peaks, this.#progress, this.#part] = [peaks, progress, part];
    this.draw();
  }

  /** Return where a pointer is, as a share of the length, 0 to 1. */
  shareAt({ clientX }) {
    const { left, width } = this.canvas.getBoundingClientRect();
    return Math.max(0, Math.min(1, (clientX - left) / width));
  }

  draw() {
    const { canvas } = this;
    const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
    if (!width || !height) return;
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const [quiet, played, outside] = ["--wave", "--wave-played", "--wave-outside"].map((name) => style.getPropertyValue(name));
    context.scale(scale, scale);
    const nBars = Math.floor((width + GAP_PX) / (BAR_PX + GAP_PX));
    for (let bar = 0; bar < nBars; bar++) {
      const at = (bar + 0.5) / nBars;
      const isOutside = this.#part && (at < this.#part[0] || at > this.#part[1]);
      context.fillStyle = isOutside ? outside : at < this.#progress ? played : quiet;
      const barHeight = Math.max(BAR_PX, this.#peakOf(bar, nBars) * height);
      context.beginPath();
      context.roundRect(bar * (BAR_PX + GAP_PX), (height - barHeight) / 2, BAR_PX, barHeight, BAR_PX / 2);
      context.fill();
    }
  }

  #peakOf(bar, nBars) {
    if (!this.#peaks?.length) return 0;
    const [first, last] = [bar, bar + 1].map((edge) => Math.floor((edge * this.#peaks.length) / nBars));
    return Math.max(...this.#peaks.slice(first, Math.max(last, first + 1)));
  }
}

/** Draw the waveform on a canvas again, after its colors have changed. */
export const redraw = (canvas) => waveforms.get(canvas)?.draw();

const isDark = matchMedia("(prefers-color-scheme: dark)");
isDark.addEventListener("change", () => document.querySelectorAll("canvas").forEach(redraw));
