// The tracks that stand out, because they match a search, are in a lasso, and have a highlighted color. All others fade.

export class Highlight {
  constructor() {
    this.clear();
  }

  clear() {
    this.matches = null; // rows that match the search; null if there is none
    this.lasso = null; // rows in the lasso; null if there is none
    this.kinds = new Set(); // numbers of colors; none if all are shown
  }

  toggleKind(kind) {
    if (!this.kinds.delete(kind)) this.kinds.add(kind);
  }

  get isActive() {
    return Boolean(this.matches || this.lasso || this.kinds.size);
  }

  /**
   * Return a function of a row that tells whether it stands out.
   *
   * @param kindOf number of the color of each point
   */
  filter(kindOf) {
    const [matches, lasso] = [this.matches, this.lasso].map((rows) => rows && new Set(rows));
    return (row) => (!matches || matches.has(row)) && (!lasso || lasso.has(row)) && (!this.kinds.size || this.kinds.has(kindOf[row]));
  }
}
