// Small charts of a few minutes, drawn by hand. They say nothing that no figure beside them says,
// and are hidden from screen readers for that.

import { make, makeSVG, setAttribute, setText } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 600;

/** A line without axes, for one figure. Points are [time, value]; value null is a gap. */
export function makeSparkline(tone) {
  const area = makeSVG("path", { class: "area" });
  const line = makeSVG("path", { class: "line" });
  const node = makeSVG(
    "svg", {
      class: "spark", viewBox: `0 0 ${WIDTH} 60`, preserveAspectRatio: "none",
      "aria-hidden": "true", "data-tone": tone,
    }, area, line);
  return {
    node,
    show(points, from, to) {
      const top = Math.max(1, ...points.map((point) => point[1] ?? 0));
      const paths = trace(points, from, to, top, 4, 58);
      setAttribute(line, "d", paths.line);
      setAttribute(area, "d", paths.area);
    },
  };
}

/** Paths through points, a piece for each stretch without a gap. */
function trace(points, from, to, top, high, low) {
  const x = (time) => (((time - from) / (to - from || 1)) * WIDTH).toFixed(1);
  const y = (value) => (low - (value / top) * (low - high)).toFixed(1);
  const pieces = [];
  let piece = [];
  for (const [time, value] of points) {
    if (value === null) {
      pieces.push(piece);
      piece = [];
    } else piece.push([x(time), y(value)]);
  }
  pieces.push(piece);
  const drawn = pieces.filter((piece) => piece.length > 1);
  const line = drawn.map((piece) => "M" + piece.map((point) => point.join(" ")).join("L"));
  const area = drawn.map(
    (piece, index) => `${line[index]}L${piece.at(-1)[0]} ${low}L${piece[0][0]} ${low}Z`);
  return { line: line.join(""), area: area.join("") };
}

/** The smallest round number that is not below. */
function roundUp(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((bound) => bound >= value);
}

/**
 * A chart with a title, a legend that has the latest figures, and two grid lines. Series are
 * {label, tone, filled}; the values come in their order.
 */
export function makeChart(figure, title, series, format) {
  const HEIGHT = 150, HIGH = 8, LOW = 142;
  const legend = make("ul", { class: "legend" });
  const values = series.map(({ label, tone }) => {
    const value = make("b", { class: "number" });
    legend.append(make("li", { "data-tone": tone }, make("i"), make("span", { text: label }), value));
    return value;
  });
  const grid = [HIGH, (HIGH + LOW) / 2, LOW].map(
    (y) => makeSVG("line", { x1: 0, x2: WIDTH, y1: y, y2: y, class: "grid" }));
  const paths = series.map(({ tone, filled }) => {
    const area = filled ? makeSVG("path", { class: "area", "data-tone": tone }) : null;
    return { area, line: makeSVG("path", { class: "line", "data-tone": tone }) };
  });
  const plot = makeSVG(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" }, ...grid,
    ...paths.flatMap(({ area, line }) => [area, line]));
  const high = make("span", { class: "scale number" });
  const middle = make("span", { class: "scale number" });
  const start = make("span"), end = make("span");
  figure.append(
    make("figcaption", {}, make("h2", { text: title }), legend),
    make("div", { class: "plot", "aria-hidden": "true" }, plot, high, middle),
    make("div", { class: "axis", "aria-hidden": "true" }, start, end));
  return {
    /** Rows are [time, value…]. */
    show(rows, from, to) {
      const top = roundUp(Math.max(0, ...rows.flatMap((row) => row.slice(1).map((v) => v ?? 0))));
      series.forEach((_, index) => {
        const points = rows.map((row) => [row[0], row[index + 1]]);
        const { line, area } = trace(points, from, to, top, HIGH, LOW);
        setAttribute(paths[index].line, "d", line);
        if (paths[index].area) setAttribute(paths[index].area, "d", area);
        const last = points.at(-1)?.[1];
        setText(values[index], last === undefined || last === null ? "–" : format(last));
      });
      setText(high, format(top));
      setText(middle, top / 2 < 1 ? "" : format(top / 2));
      setText(start, clock(from));
      setText(end, clock(to));
    },
  };
}
