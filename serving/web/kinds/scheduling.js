// An order, spread over its days.

import { bars } from "../charts.js";
import { h } from "../dom.js";
import { decimals, percent, words } from "../words.js";
import { past } from "./forecasting.js";

export const proposed = (parameters) => ({ closed_form: true, ...parameters });

export function show({ days, simulated }, { input }) {
  const { order, ...market } = input;
  const item = ({ day, date, share, volume_share: volume, closed_form: closed }) => ({
    label: date ?? `${words.day} ${day}`,
    value: share,
    shown: [percent(share), ...[volume, closed].map((other) => (other === undefined ? "" : ` · ${percent(other)}`))].join(""),
  });
  const legend = [words.share, words.volume, days[0].closed_form === undefined ? null : words.closedForm].filter(Boolean);
  return [
    h("p", {}, words.cost(decimals(simulated.cost_bps, 1), decimals(simulated.deviation_bps, 1))),
    h("figure", {}, h("figcaption", {}, legend.join(" · ")), bars(days.map(item))),
    past(market, "volume"),
  ];
}
