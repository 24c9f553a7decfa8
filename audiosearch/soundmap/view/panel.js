// The controls that float over the map, and its text alternative: search, matches, the selected track, legend, buttons.

import { countOf } from "./data.js";
import { createButton, createElement, createTool, isolated } from "./elements.js";

const KEY_HELP =
  "Tracks that sound alike are close together. Arrow keys move from track to track, Enter plays, plus and minus zoom, " +
  "0 shows the whole map, slash searches. The lists beside the map show search matches and the tracks most similar to " +
  "the selected one.";
const BUTTON_ZOOM = 1.6;
const MAX_LISTED_MATCHES = 20;
const NARROW_REM = 40; // a narrower map has its controls above and below
const [MARGIN_PX, FREE_PX] = [12, 24]; // around the controls, see map.css; between them and the whole map

export class Panel {
  /**
   * @param element the element of the map
   * @param on functions: search(text), select(row), colorBy(field), highlight(kind), zoom(factor), showAll(), lassoMode(),
   *   closeSelected(), redraw() after a control has another size, and clear(). Buttons appear for play(row), for the
   *   `actions` of a row, {text, run(row)}, and for playTracks() and makePlaylist() of the tracks that stand out
   */
  constructor(element, on) {
    this.on = on;
    this.isNarrow = false;
    this.isSimilarOpen = true;
    this.canChoose = Boolean(on.playTracks || on.makePlaylist);
    this.stage = createElement("div", { className: "map-stage", tabIndex: 0, role: "application", ariaLabel: "Map of the tracks" });
    this.stage.setAttribute("aria-description", KEY_HELP);
    this.canvases = [0, 1, 2].map(() => createElement("canvas", { className: "map-canvas", ariaHidden: "true" }));
    this.playing = createElement("div", { className: "map-playing", hidden: true });
    this.card = createElement("div", { className: "map-card", hidden: true });
    this.stage.append(...this.canvases, this.playing, this.card);
    this.announcement = createElement("p", { className: "map-hidden", role: "status" });
    element.append(this.stage, this.#createSide(), this.#createLegend(), this.#createTools(), this.#createLassoBar(), this.announcement);
  }

  #createSide() {
    this.searchInput = createElement("input", {
      type: "search", autocomplete: "off", placeholder: "Title, artist, sound ...", ariaLabel: "Search the map",
      oninput: () => this.on.search(this.searchInput.value),
    });
    this.count = createElement("p", { className: "map-count", role: "status" });
    this.matches = createElement("ul");
    this.matchesBox = createElement("section", { className: "map-matches", hidden: true, ariaLabel: "Matches" }, this.matches);
    this.selected = createElement("section", { className: "map-selected", hidden: true, ariaLabel: "Selected track" });
    this.search = createElement("div", { className: "map-search" }, this.searchInput, this.count);
    return createElement("div", { className: "map-side" }, this.search, this.matchesBox, this.selected);
  }

  #createLegend() {
    this.colorSelect = createElement("select", { ariaLabel: "Color by", onchange: () => this.on.colorBy(this.colorSelect.value) });
    this.entries = createElement("ul");
    this.legend = createElement("details", { className: "map-legend", open: true, ontoggle: () => this.on.redraw() });
    this.legend.append(createElement("summary", {}, "Colors"), this.colorSelect, this.entries);
    return this.legend;
  }

  #createTools() {
    this.lassoButton = createTool("lasso", "Draw a lasso", () => this.on.lassoMode());
    this.lassoButton.ariaPressed = "false";
    this.lassoButton.hidden = !this.canChoose;
    this.tools = createElement("div", { className: "map-tools", role: "group", ariaLabel: "View" });
    this.tools.append(
      this.lassoButton,
      createTool("zoomIn", "Zoom in", () => this.on.zoom(BUTTON_ZOOM)),
      createTool("zoomOut", "Zoom out", () => this.on.zoom(1 / BUTTON_ZOOM)),
      createTool("showAll", "Show all", () => this.on.showAll()),
    );
    return this.tools;
  }

  #createLassoBar() {
    this.lassoCount = createElement("strong", { role: "status" });
    this.lassoBar = createElement("div", { className: "map-lasso", hidden: true, role: "group", ariaLabel: "Chosen tracks" });
    this.lassoBar.append(this.lassoCount);
    for (const [text, name] of [["Play", "playTracks"], ["Make playlist", "makePlaylist"], ["Clear", "clear"]]) {
      if (this.on[name]) this.lassoBar.append(createButton("map-button", text, () => this.on[name]()));
    }
    return this.lassoBar;
  }

  /** Return the boxes that the controls cover, in CSS pixels from the top left corner of the map. */
  boxes() {
    const origin = this.stage.getBoundingClientRect();
    const controls = [this.search, this.matchesBox, this.selected, this.legend, this.tools, this.lassoBar];
    return controls.filter((control) => !control.hidden).map((control) => {
      const { left, top, right, bottom } = control.getBoundingClientRect();
      return { left: left - origin.left, top: top - origin.top, right: right - origin.left, bottom: bottom - origin.top };
    });
  }

  /** Arrange the controls for the width of the map, and return whether it is narrow. A narrow one has its lists closed. */
  adapt() {
    const isNarrow = this.stage.clientWidth < NARROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.stage.parentElement.classList.toggle("is-narrow", isNarrow);
    if (isNarrow !== this.isNarrow) this.legend.open = this.isSimilarOpen = !isNarrow;
    this.isNarrow = isNarrow;
    return isNarrow;
  }

  /** CSS pixels at the edges of the map that the controls cover while no track is selected. */
  get insets() {
    const beside = (size) => MARGIN_PX + size + FREE_PX;
    const top = beside(this.search.offsetHeight);
    if (this.isNarrow) return { top, right: FREE_PX, bottom: beside(this.tools.offsetHeight), left: FREE_PX };
    return { top, right: beside(this.legend.offsetWidth), bottom: 2 * FREE_PX, left: 2 * FREE_PX };
  }

  setColorFields(fields, current) {
    const labelOf = (field) => field[0].toUpperCase() + field.slice(1);
    this.colorSelect.replaceChildren(...fields.map((field) => new Option(labelOf(field), field, false, field === current)));
  }

  /**
   * @param entries {kind, label, count, color, isHollow} of each color
   * @param highlighted kinds of the colors that are highlighted
   */
  showLegend(entries, highlighted) {
    const focused = [...this.entries.querySelectorAll("button")].indexOf(document.activeElement);
    this.entries.replaceChildren(...entries.map((entry) => this.#createLegendEntry(entry, highlighted.has(entry.kind))));
    this.entries.querySelectorAll("button")[focused]?.focus();
  }

  #createLegendEntry({ kind, label, count, color, isHollow }, isHighlighted) {
    const dot = createElement("span", { className: isHollow ? "map-dot is-hollow" : "map-dot" });
    dot.style.setProperty("--dot", color);
    const properties = { type: "button", ariaPressed: String(isHighlighted), onclick: () => this.on.highlight(kind) };
    const number = createElement("small", {}, count.toLocaleString("en"));
    return createElement("li", {}, createElement("button", properties, dot, isolated(label), number));
  }

  #createTrackEntry(data, row) {
    const note = createElement("small", {}, data.labelOf("artist", row) || data.labelOf("folder", row));
    const properties = { type: "button", onclick: () => this.on.select(row) };
    return createElement("li", {}, createElement("button", properties, isolated(data.nameOf(row)), note));
  }

  /** @param rows of the tracks that match; null if there is no search */
  showMatches(data, rows) {
    this.matchesBox.hidden = !rows?.length;
    const listed = (rows ?? []).slice(0, MAX_LISTED_MATCHES);
    this.matches.replaceChildren(...listed.map((row) => this.#createTrackEntry(data, row)));
    const total = countOf(data.size, "track");
    this.count.textContent = rows === null ? total : `${rows.length.toLocaleString("en")} of ${total}`;
  }

  /** @param row of the selected track; null if there is none */
  showSelected(data, row) {
    this.selected.hidden = row === null;
    if (row === null) return this.selected.replaceChildren();
    this.selected.replaceChildren(
      createButton("map-close", "×", () => this.on.closeSelected(), "Close"),
      createElement("h2", { tabIndex: -1, title: data.nameOf(row) }, isolated(data.nameOf(row))),
      ...describe(data, row),
      createElement("p", { className: "map-details" }, isolated(data.detailsOf(row))),
      this.#createActions(data, row),
      this.#createSimilar(data, row),
    );
  }

  #createActions(data, row) {
    const play = this.on.play ? [{ text: "Play", run: this.on.play }] : [];
    const buttons = [...play, ...this.on.actions].map(({ text, run }) =>
      createButton("map-button", text, () => run(row), `${text}: ${data.nameOf(row)}`),
    );
    return createElement("div", { className: "map-actions" }, ...buttons);
  }

  #createSimilar(data, row) {
    const entries = (data.neighbors?.[row] ?? []).map((neighbor) => this.#createTrackEntry(data, neighbor));
    const keepOpen = (event) => (this.isSimilarOpen = event.target.open);
    const details = createElement("details", { open: this.isSimilarOpen, ontoggle: keepOpen });
    details.append(createElement("summary", {}, "Most similar"), createElement("ol", {}, ...entries));
    return details;
  }

  focusSelected() {
    this.selected.querySelector("h2").focus();
  }

  /** Say which track is selected, to users who don't see it. */
  announce(data, row) {
    this.announcement.textContent = [data.nameOf(row), data.tagsOf(row), ...data.soundsOf(row)].filter(Boolean).join(", ");
  }

  /** Show the card of a track beside a position in the view; hide it if the row is null. */
  showCard(data, row, x = 0, y = 0) {
    this.card.hidden = row === null;
    if (row === null) return;
    this.card.replaceChildren(createElement("strong", {}, isolated(data.nameOf(row))), ...describe(data, row));
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight];
    const left = x + 14 + width > this.stage.clientWidth ? x - 14 - width : x + 14;
    const top = Math.max(4, Math.min(this.stage.clientHeight - height - 4, y + 14));
    this.card.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
  }

  showLassoMode(isMode) {
    this.lassoButton.ariaPressed = String(isMode);
    this.stage.classList.toggle("is-lasso", isMode);
  }

  /** @param count of the tracks that stand out; null if all tracks do */
  showChosen(count) {
    this.lassoBar.hidden = count === null || !this.canChoose;
    this.lassoCount.textContent = countOf(count ?? 0, "track");
    for (const button of this.lassoBar.querySelectorAll("button")) button.disabled = !count && button.textContent !== "Clear";
  }
}

/** Return the tags and sounds of a track as elements. */
function describe(data, row) {
  const tags = data.tagsOf(row) || data.labelOf("folder", row);
  const chips = data.soundsOf(row).map((sound) => createElement("bdi", { className: "map-chip" }, sound));
  const heard = createElement("span", { className: "map-hidden" }, "Heard: ");
  const sounds = createElement("p", { className: "map-sounds" }, heard, ...chips.flatMap((chip) => [chip, " "]));
  return [...(tags ? [createElement("p", {}, isolated(tags))] : []), ...(chips.length ? [sounds] : [])];
}
