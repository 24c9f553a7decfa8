// The lasso: a mode in which a drag draws a polygon around tracks. Shift does the same without the mode.

export class Lasso {
  #panel;
  #onDraw;

  /**
   * @param panel the controls
   * @param onDraw function to run when the polygon changes
   */
  constructor(panel, onDraw) {
    this.#panel = panel;
    this.#onDraw = onDraw;
    this.isMode = false;
    this.points = []; // of the polygon that is being drawn, in CSS pixels
  }

  setMode(isMode) {
    this.isMode = isMode;
    this.#panel.showLassoMode(isMode);
  }

  /** Return whether a drag that starts with an event draws a lasso. */
  startsWith(event) {
    return this.#panel.canChoose && (event.shiftKey || this.isMode);
  }

  draw(points) {
    if (!points.length && !this.points.length) return;
    this.points = points;
    this.#onDraw();
  }

  end() {
    this.setMode(false);
    this.draw([]);
  }
}
