// The map of a library, drawn in an element. It is a part of the web page, and of the pages that `audiosearch map` writes.

import { createAppearance } from "./appearance.js";
import { Camera } from "./camera.js";
import { MapData } from "./data.js";
import { Highlight } from "./highlight.js";
import { listenToInput } from "./input.js";
import { Lasso } from "./lasso.js";
import { Motion } from "./motion.js";
import { Panel } from "./panel.js";
import { rowsInside } from "./picking.js";
import { Renderer } from "./renderer.js";

const EDGE_PX = 40; // a track nearer to an edge is moved to the middle when it is selected
const CLOSE_ZOOM = 3; // of the view of a track that is shown, if the view is of most of the map
const COVERED_SHARE = 0.15; // of a narrow view's height, by which a track that is shown is below the middle

const isDark = matchMedia("(prefers-color-scheme: dark)");

/**
 * A map of tracks. It fills its element, which should have a size, and adapts when that changes. The element's property
 * `mapView` leads to it.
 *
 * Give it the parts of /api/map as they arrive: `setPoints`, then `setNames` and `setNeighbors`.
 */
export class MapView {
  #element;
  #options;
  #panel;
  #motion;
  #renderer;
  #data = null;
  #camera = new Camera();
  #appearance = null; // {theme, styles, density}
  #highlight = new Highlight();
  #hovered = null;
  #selected = null;
  #playingId = null;
  #playlistIds = [];
  #searchText = "";
  #lasso;
  #isNarrow = false;
  #pending = null; // a state to show when there are points; then its color until all fields are known

  /**
   * @param element an empty element
   * @param options functions, all optional: onPlay(id) for a click, a tap or Enter on a track; onPlayTracks(ids) and
   *   onMakePlaylist(ids) for the tracks that stand out, after a lasso or a search; onChange() after the `state` has
   *   changed; and `actions`, offered for the selected track: {text, run(id)}
   */
  constructor(element, options = {}) {
    this.#element = element;
    this.#options = options;
    element.classList.add("map");
    element.mapView = this;
    this.#panel = new Panel(element, this.#panelFunctions());
    this.#motion = new Motion(this.#camera, () => this.#draw(), () => {
      this.#draw();
      this.#changed();
    });
    this.#lasso = new Lasso(this.#panel, () => this.#draw());
    this.#renderer = new Renderer(this.#panel, () => this.#scene());
    const parts = { motion: this.#motion, camera: this.#camera, lasso: this.#lasso };
    listenToInput(this.#panel, parts, () => this.#scene(), this.#inputFunctions());
    new ResizeObserver(() => this.#resize()).observe(element);
    isDark.addEventListener("change", () => this.#restyle());
  }

  /** Return what the controls do. */
  #panelFunctions() {
    const { onPlay, onPlayTracks, onMakePlaylist, actions = [] } = this.#options;
    const withId = (run) => run && ((row) => run(this.#data.ids[row]));
    const withChosen = (run) => run && (() => run(this.#styles.shownRows().map((row) => this.#data.ids[row])));
    return {
      search: (text) => this.search(text),
      select: (row) => this.#select(row, { isFocused: true }),
      colorBy: (field) => this.setColorBy(field),
      highlight: (kind) => this.#change(() => this.#highlight.toggleKind(kind)),
      zoom: (factor) => this.#motion.zoomBy(factor),
      showAll: () => this.showAll(),
      lassoMode: () => this.#lasso.setMode(!this.#lasso.isMode),
      closeSelected: () => {
        this.#select(null);
        this.#panel.stage.focus();
      },
      redraw: () => this.#draw(),
      play: withId(onPlay),
      actions: actions.map(({ text, run }) => ({ text, run: withId(run) })),
      playTracks: withChosen(onPlayTracks),
      makePlaylist: withChosen(onMakePlaylist),
      clear: () => this.#clear(),
    };
  }

  /** Return what mouse, touch and keys do. */
  #inputFunctions() {
    const play = (row) => this.#options.onPlay?.(this.#data.ids[row]);
    return {
      hover: (row) => this.#hover(row),
      tap: (row) => {
        this.#select(row);
        if (row !== null) play(row);
      },
      select: (row, how) => this.#select(row, how),
      takeLasso: (points) => this.#change(() => (this.#highlight.lasso = rowsInside(this.#scene(), points))),
      play,
      showAll: () => this.showAll(),
      escape: () => this.#escape(),
    };
  }

  /** Show the points. @param points as /api/map/points returns them */
  setPoints(points) {
    const state = this.#data ? this.state : this.#pending; // if the tracks have changed, the view stays
    this.#data = new MapData(points);
    this.#camera.setPoints(this.#data.x, this.#data.y);
    this.#highlight.clear();
    this.#selected = this.#hovered = this.#pending = null;
    this.#panel.showSelected(this.#data, null);
    this.#panel.setColorFields(this.#data.colorFields, this.#data.colorBy);
    this.#resize();
    this.#camera.moveTo(this.#camera.whole);
    this.#restyle();
    this.#showMatches();
    if (state) this.state = state;
  }

  /** Show names, tags and sounds. @param names as /api/map/names returns them */
  setNames(names) {
    this.#data.setNames(names);
    this.#panel.setColorFields(this.#data.colorFields, this.#data.colorBy);
    this.setColorBy(this.#pending?.colorBy);
    this.#pending = null;
    this.#panel.showSelected(this.#data, this.#selected);
    this.#showMatches();
  }

  /** Show the most similar tracks of the selected one. @param neighbors as /api/map/neighbours returns them */
  setNeighbors({ neighbours }) {
    this.#data.neighbors = neighbours;
    this.#panel.showSelected(this.#data, this.#selected);
    this.#draw();
  }

  /** Mark the track that plays; null if none does. */
  setPlaying(id) {
    this.#playingId = id;
    this.#draw();
  }

  /** Draw tracks as a line, in order. */
  setPlaylist(ids) {
    this.#playlistIds = ids;
    this.#draw();
  }

  /** Return whether a track is on the map. */
  has(id) {
    return this.#data?.rowOf(id) !== undefined;
  }

  /** Select a track and bring it into view, if it is on the map. */
  show(id) {
    if (this.has(id)) this.#select(this.#data.rowOf(id), { isCentered: true });
  }

  showAll() {
    this.#motion.flyTo(this.#camera.whole);
  }

  /** Color by a tag, "folder", "sound" or "cluster". Unknown fields are ignored. */
  setColorBy(field) {
    if (!this.#data?.colorFields.includes(field) || field === this.#data.colorBy) return;
    this.#data.colorBy = field;
    this.#panel.colorSelect.value = field;
    this.#highlight.kinds.clear();
    this.#restyle();
    this.#changed();
  }

  /** Highlight the tracks that contain every word of a text. */
  search(text) {
    this.#searchText = text;
    if (this.#panel.searchInput.value !== text) this.#panel.searchInput.value = text;
    this.#showMatches();
    this.#changed();
  }

  /** What is shown, for an address: {x, y, zoom, colorBy, search, track}. */
  get state() {
    const { x, y, zoom } = this.#camera;
    const round = (number) => Math.round(number * 1e4) / 1e4;
    return {
      x: round(x), y: round(y), zoom: round(zoom), colorBy: this.#pending?.colorBy ?? this.#data?.colorBy, search: this.#searchText,
      track: this.#selected === null ? null : this.#data.ids[this.#selected],
    };
  }

  /** Show a state, or a part of one. A track that is null is none; properties that are missing stay as they are. */
  set state(state) {
    if (!this.#data?.hasNames) this.#pending = state;
    if (!this.#data) return;
    const { x, y, zoom, colorBy, search = this.#searchText, track } = state;
    this.setColorBy(colorBy);
    if (search !== this.#searchText) this.search(search);
    if (zoom) this.#motion.change(() => this.#camera.moveTo({ x, y, scale: zoom * this.#camera.fitScale }));
    if (track && !zoom) this.show(track);
    else if (track !== undefined) this.#select(this.#data.rowOf(track) ?? null);
  }

  /** Return where a track is in the view, in CSS pixels from the top left corner of the element. */
  positionOf(id) {
    return this.#placeOf(this.#data.rowOf(id));
  }

  /** The texts on the map and their boxes, in CSS pixels from the top left corner of the element. */
  get labels() {
    return this.#renderer.labels.map(({ text, box }) => ({ text, ...box }));
  }

  // Choices

  #hover(row) {
    if (row === this.#hovered) return;
    this.#hovered = row;
    this.#panel.stage.classList.toggle("is-over-track", row !== null);
    if (this.#data) this.#renderer.showCard(this.#scene());
  }

  #select(row, { isCentered = false, isFocused = false, isAnnounced = false } = {}) {
    this.#selected = row;
    this.#panel.showSelected(this.#data, row);
    if (row !== null) {
      if (isFocused) this.#panel.focusSelected();
      if (isAnnounced) this.#panel.announce(this.#data, row);
      if (isCentered || !this.#isClear(row)) this.#flyToTrack(row, { isCloser: isCentered && this.#camera.zoom < 2 });
    }
    this.#draw();
    this.#changed();
  }

  /** Take back what was chosen last: the lasso, the search, the colors, the selected track. */
  #escape() {
    if (this.#lasso.isMode) this.#lasso.setMode(false);
    else if (this.#highlight.lasso) this.#change(() => (this.#highlight.lasso = null));
    else if (this.#searchText) this.search("");
    else if (this.#highlight.kinds.size) this.#change(() => this.#highlight.kinds.clear());
    else this.#select(null);
  }

  #clear() {
    this.#highlight.clear();
    this.search("");
    this.#panel.stage.focus();
  }

  #showMatches() {
    if (!this.#data) return;
    this.#highlight.matches = this.#data.search(this.#searchText);
    this.#panel.showMatches(this.#data, this.#highlight.matches);
    this.#arrange();
  }

  /** Change which tracks stand out. */
  #change(run) {
    run();
    this.#arrange();
  }

  // Appearance

  get #styles() {
    return this.#appearance.styles;
  }

  #placeOf(row) {
    return this.#camera.toScreen(this.#data.x[row], this.#data.y[row]);
  }

  /** Return whether a point is in view and under no control. */
  #isClear(row) {
    const [x, y] = this.#placeOf(row);
    const isOver = ({ left, top, right, bottom }) => x > left && x < right && y > top && y < bottom;
    return this.#camera.isInView(this.#data.x[row], this.#data.y[row], EDGE_PX) && !this.#panel.boxes().some(isOver);
  }

  /** Show a point in the middle; in a narrow view lower, because the tags of the selected track cover the upper part. */
  #flyToTrack(row, { isCloser }) {
    const scale = isCloser ? CLOSE_ZOOM * this.#camera.fitScale : this.#camera.scale;
    const below = this.#isNarrow ? COVERED_SHARE * this.#camera.height : 0;
    this.#motion.flyTo({ x: this.#data.x[row], y: this.#data.y[row] + below / scale, scale });
  }

  #changed() {
    this.#options.onChange?.();
  }

  #resize() {
    const { stage } = this.#panel;
    if (!stage.clientWidth) return; // hidden
    const isWhole = Math.abs(this.#camera.zoom - 1) < 0.01;
    const { zoom, x, y } = this.#camera;
    [this.#camera.width, this.#camera.height] = [stage.clientWidth, stage.clientHeight];
    this.#isNarrow = this.#panel.adapt();
    this.#camera.insets = this.#panel.insets;
    if (!this.#data) return;
    this.#camera.moveTo(isWhole ? this.#camera.whole : { x, y, scale: zoom * this.#camera.fitScale });
    this.#draw();
  }

  /** Read colors, and find the look of all points. */
  #restyle() {
    if (!this.#data) return;
    this.#appearance = createAppearance(this.#element, this.#data, isDark.matches);
    this.#arrange();
  }

  /** Fade the points that don't stand out. */
  #arrange() {
    this.#styles.arrange(this.#highlight.filter(this.#styles.kindOf));
    this.#panel.showLegend(this.#styles.legend(this.#data), this.#highlight.kinds);
    this.#panel.showChosen(this.#highlight.isActive ? this.#styles.shownRows().length : null);
    this.#draw();
  }

  #draw() {
    this.#renderer.draw();
  }

  #scene() {
    if (!this.#appearance) return null;
    const rowsOf = (ids) => ids.map((id) => this.#data.rowOf(id)).filter((row) => row !== undefined);
    return {
      ...this.#appearance,
      camera: this.#camera,
      data: this.#data,
      isMoving: this.#motion.isMoving,
      playlist: rowsOf(this.#playlistIds),
      selected: this.#selected,
      hovered: this.#hovered,
      playing: this.#data.rowOf(this.#playingId),
      matches: this.#highlight.matches,
      lasso: this.#lasso.points,
    };
  }
}
