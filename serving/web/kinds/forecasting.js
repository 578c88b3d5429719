// A series, what is forecast at each horizon, and what the model attended to.

import { columns, fan, line } from "../charts.js";
import { h } from "../dom.js";
import { brief, percent, words } from "../words.js";

const SHOWN = 120; // values of the past

/** Quantiles and attention, if the model has them: then an example shows them. */
export function proposed(parameters, examples) {
  const quantiles = examples.some((one) => one.quantiles) ? { quantiles: [0.05, 0.25, 0.5, 0.75, 0.95] } : {};
  const attention = examples.some((one) => one.attention) ? { attention: true } : {};
  return { ...quantiles, ...attention, ...parameters };
}

export function show({ forecasts, attention, dates }, { input }) {
  const places = forecasts.map(({ horizon, mean, quantiles }) => ({ label: String(horizon), mean, quantiles }));
  return [
    past(input),
    places.some(({ mean, quantiles }) => mean !== undefined || quantiles) ? fan(places, words.forecasts) : null,
    table(forecasts),
    attention ? columns(attention, dates ?? attention.map((_, i) => String(i - attention.length)), words.attentionByDate) : null,
  ];
}

/** The last values of a column of the input, which a person can choose. */
export function past(input, preferred = "close") {
  const names = Object.keys(input).filter((name) => Array.isArray(input[name]) && typeof input[name][0] === "number");
  const place = h("div");
  const draw = (name) => {
    const values = input[name].slice(-SHOWN);
    const labels = (input.dates ?? values.map((_, i) => String(i - values.length))).slice(-SHOWN);
    place.replaceChildren(line(values, labels, words.last(values.length)));
  };
  const options = names.map((name) => h("option", { value: name }, name));
  const select = h("select", { onchange: (event) => draw(event.target.value) }, options);
  select.value = names.includes(preferred) ? preferred : names[0];
  draw(select.value);
  return h("section", {}, h("label", {}, `${words.column} `, select), place);
}

function table(forecasts) {
  const names = ["mean", "probability", "threshold"].filter((name) => forecasts.some((one) => one[name] !== undefined));
  const levels = forecasts[0].quantiles?.map(({ level }) => level) ?? [];
  const head = [words.horizon, ...names.map((name) => words[name]), ...levels.map((level) => percent(level))];
  const row = (one) => [...names.map((name) => one[name]), ...(one.quantiles ?? []).map(({ value }) => value)];
  const made = h(
    "table",
    { class: "numbers" },
    h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, forecasts.map((one) => h("tr", {}, h("th", { scope: "row" }, String(one.horizon)), row(one).map((value) => h("td", {}, brief(value)))))),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": words.forecasts }, made);
}
