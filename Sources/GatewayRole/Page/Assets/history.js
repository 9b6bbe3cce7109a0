// The last minutes, as the gateway has sampled them: shared by every figure that has a line.

import { number } from "./format.js";

const SPAN = 10 * 60_000;
/** Rates are means of this long, or they would jump. */
const WINDOW = 5_000;

export class History {
  #columns = [];
  #rows = [];

  /** Adds what a status answer brought. */
  add({ columns, rows }) {
    this.#columns = columns;
    const known = this.#rows.at(-1)?.[0] ?? -1;
    this.#rows.push(...rows.filter((row) => row[0] > known));
    const newest = this.to;
    this.#rows = this.#rows.filter((row) => row[1] >= newest - SPAN);
  }

  clear() { this.#rows = []; }

  get last() { return this.#rows.at(-1)?.[0] ?? null; }
  get to() { return this.#rows.at(-1)?.[1] ?? Date.now(); }
  /** At least a minute, so that the first points are no wild zigzag. */
  get from() { return Math.min(this.#rows[0]?.[1] ?? this.to, this.to - 60_000); }

  /** [[time, value]]; null where the queue did not answer. */
  levels(column) {
    const at = this.#columns.indexOf(column);
    return this.#rows.map((row) => [row[1], at < row.length ? row[at] : null]);
  }

  /** Waiting jobs of one model. */
  depth(model) {
    const at = this.#columns.indexOf("waiting");
    return this.#rows.map((row) => [row[1], at < row.length ? number(row[at][model]) : null]);
  }

  /** What a counter grew by in a second. */
  rates(column) {
    const levels = this.levels(column);
    let start = 0;
    return levels.map(([time, value], index) => {
      while (start < index - 1 && levels[start + 1][0] <= time - WINDOW) start += 1;
      let grown = 0, seconds = 0;
      for (let i = Math.max(1, start + 1); i <= index; i += 1) {
        const [now, before] = [levels[i][1], levels[i - 1][1]];
        if (now === null || before === null) continue;
        grown += now - before;
        seconds += (levels[i][0] - levels[i - 1][0]) / 1000;
      }
      // The first sample has nothing to be compared with.
      return [time, value === null || seconds === 0 ? null : grown / seconds];
    });
  }

  /** What a counter grew by in all of the history. */
  growth(column) {
    const known = this.levels(column).filter((point) => point[1] !== null);
    return known.length === 0 ? 0 : known.at(-1)[1] - known[0][1];
  }
}
