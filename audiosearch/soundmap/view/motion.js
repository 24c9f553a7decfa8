// Movement of the camera: by gestures, and smoothly to a place.

const REST_DELAY_MS = 140; // after the last movement, the map is at rest
const FLIGHT_MS = 350;

const isStill = matchMedia("(prefers-reduced-motion: reduce)");

export class Motion {
  #camera;
  #onMove;
  #onRest;
  #flight = null; // identifies the smooth movement that runs
  #restTimer = 0;

  /**
   * @param camera the camera to move
   * @param onMove function to run after each step
   * @param onRest function to run when the camera rests
   */
  constructor(camera, onMove, onRest) {
    this.#camera = camera;
    this.#onMove = onMove;
    this.#onRest = onRest;
    this.isMoving = false;
  }

  /** Change the camera by a function. This ends a smooth movement. */
  change(run) {
    this.#flight = null;
    this.#step(run);
  }

  #step(run) {
    run();
    this.isMoving = true;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      this.isMoving = false;
      this.#onRest();
    }, REST_DELAY_MS);
    this.#onMove();
  }

  zoomBy(factor) {
    const before = this.#camera.state;
    this.#camera.zoomBy(factor);
    const target = this.#camera.state;
    this.#camera.moveTo(before);
    this.flyTo(target);
  }

  /** Move smoothly to a state of the camera; at once if the user wants less motion. */
  flyTo(target) {
    const [start, from] = [performance.now(), this.#camera.state];
    const flight = (this.#flight = Symbol("flight"));
    const step = (now) => {
      if (this.#flight !== flight) return;
      const share = isStill.matches ? 1 : Math.min(1, Math.max(0, (now - start) / FLIGHT_MS));
      const eased = 1 - (1 - share) ** 3;
      const between = (name) => from[name] + (target[name] - from[name]) * eased;
      this.#step(() => this.#camera.moveTo({ scale: from.scale * (target.scale / from.scale) ** eased, x: between("x"), y: between("y") }));
      if (share < 1) requestAnimationFrame(step);
    };
    step(start);
  }
}
