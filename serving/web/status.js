// The status of each model, from this server's metrics.

import { ServerError, key, metrics } from "./api.js";
import { h, show } from "./dom.js";
import { onKey } from "./key.js";
import { parse, quantile } from "./prometheus.js";
import { decimals, language, percent, translate, words } from "./words.js";

const EVERY_MS = 5000;
const DRIFTED = { seqline_drift_psi: 0.25, seqline_drift_score: 0.6 }; // as the alerts have it

const table = document.querySelector("#table");
const message = document.querySelector("#said");

async function refresh() {
  if (!key.get()) {
    show(table);
    message.textContent = words.needsKey;
    return;
  }
  try {
    const samples = parse(await metrics(AbortSignal.timeout(EVERY_MS)));
    if (!key.get()) return; // it was forgotten meanwhile
    show(table, draw(samples));
    message.textContent = words.updated(new Date().toLocaleTimeString(language));
  } catch (error) {
    message.textContent = error instanceof ServerError ? error.message : words.unreachable;
  }
}

function draw(samples) {
  const names = ["model", "version", "requests", "wrong", "errors", "p50", "p99", "drift"];
  const seen = new Map(samples.filter(({ name }) => name === "seqline_batch_requests_count").map(({ labels }) => [`${labels.model} ${labels.version}`, labels]));
  const rows = [...seen.values()].sort((a, b) => a.model.localeCompare(b.model) || a.version.localeCompare(b.version));
  const head = h("tr", {}, names.map((name) => h("th", { scope: "col" }, name === "version" ? "Version" : words[name])));
  return h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, rows.map((labels) => row(labels, samples))));
}

function row({ model, version }, samples) {
  const own = samples.filter(({ labels }) => labels.model === model && labels.version === version);
  const named = (name) => own.filter((sample) => sample.name === name);
  const requests = named("seqline_requests_total");
  const count = (digit) => requests.filter(({ labels }) => labels.status.startsWith(digit)).reduce((sum, { value }) => sum + value, 0);
  const all = count("");
  const share = (digit) => (all ? percent(count(digit) / all) : "");
  const seconds = (q) => quantile(named("seqline_request_seconds_bucket"), q);
  const time = (q) => (seconds(q) === null ? "" : `${decimals(1000 * seconds(q), 1)} ms`);
  const cells = [version, decimals(all, 0), share("4"), share("5"), time(0.5), time(0.99), Object.keys(DRIFTED).flatMap((name) => drift(named(name), DRIFTED[name]))];
  return h("tr", {}, h("th", { scope: "row" }, model), cells.map((cell) => h("td", {}, cell)));
}

const drift = (gauges, most) =>
  gauges.map(({ labels, value }) => h("div", { class: value > most ? "drifted" : null }, `${labels.feature} ${decimals(value, 2)}`, value > most ? ` ${words.drifted}` : ""));

translate();
onKey(refresh);
refresh();
setInterval(refresh, EVERY_MS);
