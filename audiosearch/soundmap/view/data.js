// The tracks of a map, in columns. The server sends them in parts: points first, then names, then neighbors.

const MAX_POSITION = 65535; // positions are sent as integers from 0 to this
const COLOR_FIELDS = ["genre", "artist", "album", "folder", "sound", "cluster"];

/** Return a length: "0.28 s", "4.0 s", "3:05" or "1:02:03". */
function formatDuration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const parts = [...(hours ? [hours] : []), minutes, whole % 60];
  return parts.map((part, index) => String(part).padStart(index ? 2 : 1, "0")).join(":");
}

/** Return a number and its noun, such as "1 track" or "20,000 tracks". */
export const countOf = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** Return a text in the form in which texts are compared: without accents, in lower case. */
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export class MapData {
  #columns;
  #rowOf = null;
  #searchTexts = null;
  #names = null;

  /** @param points as /api/map/points returns them */
  constructor(points) {
    const toUnits = (position) => (2 * position) / MAX_POSITION - 1;
    this.ids = points.ids;
    this.size = points.ids.length;
    this.x = Float32Array.from(points.x, toUnits);
    this.y = Float32Array.from(points.y, toUnits);
    this.regions = points.regions;
    this.parts = points.parts; // of regions, with names of their own
    this.palette = points.palette;
    this.colorBy = points.color_by;
    this.neighbors = null;
    this.#columns = points.columns;
  }

  /** @param names as /api/map/names returns them */
  setNames(names) {
    this.#names = names;
    this.#columns = { ...this.#columns, ...names.columns };
    this.#searchTexts = null;
  }

  get hasNames() {
    return this.#names !== null;
  }

  /** Fields that tracks can be colored by, as far as they are known and not empty. */
  get colorFields() {
    return COLOR_FIELDS.filter((field) => this.#columns[field]?.values.length);
  }

  /** Return the number of each track's value of a field: 0 is the most frequent value, -1 stands for none. */
  codesOf(field) {
    return this.#columns[field].codes;
  }

  valuesOf(field) {
    return this.#columns[field].values;
  }

  labelOf(field, row) {
    const column = this.#columns[field];
    return column?.values[column.codes[row]] ?? "";
  }

  rowOf(id) {
    this.#rowOf ??= new Map(this.ids.map((other, row) => [other, row]));
    return this.#rowOf.get(id);
  }

  nameOf(row) {
    return this.#names?.name[row] ?? `#${this.ids[row]}`;
  }

  tagsOf(row) {
    return [...["artist", "album", "genre"].map((field) => this.labelOf(field, row)), this.#names?.year[row]].filter(Boolean).join(" · ");
  }

  soundsOf(row) {
    return this.#names ? this.#names.sounds.codes[row].map((code) => this.#names.sounds.values[code]) : [];
  }

  /** Return what is known of a track besides its name and tags. */
  detailsOf(row) {
    if (!this.#names) return "";
    const { file, name, seconds } = this.#names;
    const otherName = file[row] === name[row] ? "" : file[row];
    const parts = [`#${this.ids[row]}`, formatDuration(seconds[row]), this.labelOf("folder", row), otherName];
    return parts.filter(Boolean).join(" · ");
  }

  /** Return the rows of the tracks whose texts contain every word; null if there are no words. */
  search(text) {
    const words = fold(text).split(/\s+/).filter(Boolean);
    if (!words.length) return null;
    this.#searchTexts ??= this.ids.map((_, row) => this.#searchTextOf(row));
    return [...this.ids.keys()].filter((row) => words.every((word) => this.#searchTexts[row].includes(word)));
  }

  #searchTextOf(row) {
    const labels = ["sound", "folder"].map((field) => this.labelOf(field, row));
    const names = [this.nameOf(row), this.tagsOf(row), this.#names?.file[row], `#${this.ids[row]}`];
    return fold([...names, ...labels, ...this.soundsOf(row)].join(" "));
  }
}
