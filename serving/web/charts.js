// Bars, heat maps, lines and a map of points: as HTML or SVG that reads well without colours.

import { h, hidden, s, said } from "./dom.js";
import { brief, decimals, percent, significant, words } from "./words.js";

/** Bars with their labels and values, longest first or as given. `items`: [{ label, value, shown }]; the longest bar is `top`. */
export function bars(items, top = Math.max(...items.map((item) => item.value), 1e-9)) {
  const width = (value) => ({ "--share": Math.max(0, value / top).toFixed(4) });
  return h(
    "ol",
    { class: "bars" },
    items.map(({ label, value, shown = percent(value) }) =>
      h("li", {}, h("span", { class: "bar", style: width(value), "aria-hidden": "true" }), said(label), h("span", { class: "value" }, shown)),
    ),
  );
}

/** A table of cells, darker for larger values, which are 0 to 1. */
export function heat(rows, columns, values, caption) {
  const head = h("tr", {}, h("td"), columns.map((column) => h("th", { scope: "col" }, said(column))));
  const cell = (value, row, column) =>
    h(
      "td",
      { style: { "--share": Math.min(1, Math.max(0, value)).toFixed(4) }, title: `${row} · ${column}: ${decimals(value, 2)}` },
      hidden(decimals(value, 2)),
    );
  const body = rows.map((row, i) => h("tr", {}, h("th", { scope: "row" }, said(row)), values[i].map((value, j) => cell(value, row, columns[j]))));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, h("table", { class: "heat" }, h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, body)));
}

const WIDE = 640;
const HIGH = 220;
const MARGIN = { left: 84, right: 12, top: 10, bottom: 24 };

/** Scales for a chart of N places from left to right, and values from bottom to top. */
function scales(count, values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high - low || Math.abs(high) || 1;
  const x = (i) => MARGIN.left + ((WIDE - MARGIN.left - MARGIN.right) * (i + 0.5)) / count;
  const y = (value) => HIGH - MARGIN.bottom - ((HIGH - MARGIN.top - MARGIN.bottom) * (value - low)) / room;
  return { x, y, low, high };
}

/** The labels of both ends of the axes. */
function axes({ x, y, low, high }, labels) {
  const last = labels.length - 1;
  const at = (i, anchor) => s("text", { x: x(i), y: HIGH - 6, "text-anchor": anchor }, labels[i]);
  return [
    ...[low, high].map((value) => s("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, brief(value))),
    at(0, last ? "start" : "middle"),
    last ? at(last, "end") : null,
    s("line", { class: "axis", x1: MARGIN.left, x2: WIDE - MARGIN.right, y1: HIGH - MARGIN.bottom, y2: HIGH - MARGIN.bottom }),
  ];
}

const picture = (caption, ...children) =>
  h(
    "figure",
    {},
    h("figcaption", {}, caption),
    s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": caption, class: "chart" }, ...children),
  );

/** A line through values, with the labels of the first and the last. */
export function line(values, labels, caption) {
  const to = scales(values.length, values);
  const points = values.map((value, i) => `${to.x(i)},${to.y(value)}`).join(" ");
  return picture(caption, axes(to, labels), s("polyline", { class: "line", points }));
}

/** Columns of values that begin at zero. */
export function columns(values, labels, caption) {
  const to = scales(values.length, [0, ...values]);
  const wide = Math.max(1, (0.8 * (WIDE - MARGIN.left - MARGIN.right)) / values.length);
  const rectangle = (value, i) =>
    s("rect", { class: "column", x: to.x(i) - wide / 2, y: to.y(value), width: wide, height: to.y(0) - to.y(value) }, s("title", {}, `${labels[i]}: ${significant(value, 3)}`));
  return picture(caption, axes(to, labels), values.map(rectangle));
}

/**
 * A fan for each place: bands between quantiles of equal rank from both ends, a line for one in the middle, a point for the mean.
 * `places`: [{ label, mean, quantiles: [{ level, value }] }].
 */
export function fan(unsorted, caption) {
  const places = unsorted.map(({ quantiles = [], ...others }) => ({ ...others, quantiles: quantiles.toSorted((a, b) => a.level - b.level) }));
  const all = places.flatMap(({ mean, quantiles }) => [mean, ...quantiles.map(({ value }) => value)]);
  const to = scales(places.length, all.filter((value) => value !== undefined));
  const marks = places.map(({ label, mean, quantiles }, i) => [
    bands(quantiles).map(([low, high]) =>
      s("line", { class: "band", x1: to.x(i), x2: to.x(i), y1: to.y(low.value), y2: to.y(high.value) }, s("title", {}, `${label}: ${percent(low.level)} - ${percent(high.level)}`)),
    ),
    mean === undefined ? null : s("circle", { class: "point", cx: to.x(i), cy: to.y(mean), r: 5 }),
    quantiles.length % 2 ? middle(to.x(i), to.y(quantiles[(quantiles.length - 1) / 2].value)) : null,
    s("text", { x: to.x(i), y: HIGH - 6, "text-anchor": "middle" }, label),
  ]);
  return picture(caption, axes(to, places.map(() => "")), marks);
}

const middle = (x, y) => s("line", { class: "middle", x1: x - 14, x2: x + 14, y1: y, y2: y });

/** Pairs of the lowest and the highest quantile, the second ones, and so on. */
const bands = (quantiles) => quantiles.slice(0, Math.floor(quantiles.length / 2)).map((low, i) => [low, quantiles.at(-1 - i)]);

/** A map of points with labels that zooms and moves by mouse, buttons and keys. `points`: [{ x, y, label, strong }]. */
export function map(points, caption) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => -y)];
  const size = 1.3 * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 1e-3);
  const whole = [(Math.min(...xs) + Math.max(...xs) - size) / 2, (Math.min(...ys) + Math.max(...ys) - size * 0.6) / 2, size, size * 0.6];
  const canvas = s("svg", { class: "map", role: "group", tabindex: 0, "aria-label": caption });
  let view = [...whole];
  const draw = () => {
    canvas.setAttribute("viewBox", view.join(" "));
    canvas.style.setProperty("--unit", `${view[2] / WIDE}px`); // so that letters keep their size
  };
  const zoom = (factor) => {
    view = [view[0] + (view[2] * (1 - factor)) / 2, view[1] + (view[3] * (1 - factor)) / 2, view[2] * factor, view[3] * factor];
    draw();
  };
  const move = (right, down) => {
    view = [view[0] + right * view[2], view[1] + down * view[3], view[2], view[3]];
    draw();
  };
  canvas.append(...points.map(({ x, y, label, strong }) => spot(x, -y, label, strong)));
  listen(canvas, zoom, move);
  draw();
  const button = (name, act, sign) => h("button", { type: "button", "aria-label": name, title: name, onclick: act }, sign);
  const fit = () => {
    view = [...whole];
    draw();
  };
  const buttons = [button(words.zoomIn, () => zoom(0.8), "+"), button(words.zoomOut, () => zoom(1.25), "−"), button(words.fit, fit, "⤢")];
  return h("figure", {}, h("figcaption", {}, caption, " ", h("small", {}, words.mapHint)), canvas, h("div", { class: "buttons" }, buttons));
}

const spot = (x, y, label, strong) =>
  s("g", { class: strong ? "strong" : null, transform: `translate(${x} ${y})` }, s("circle", {}), s("text", {}, label));

function listen(canvas, zoom, move) {
  const keys = { "+": () => zoom(0.8), "-": () => zoom(1.25), ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1) };
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) return; // the page scrolls on, unless the map was chosen
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.1 : 0.9);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) move(-event.movementX / canvas.clientWidth, -event.movementY / canvas.clientHeight);
  });
}
