// Reads Prometheus' text format, and estimates quantiles from histograms.

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text: [{ name, labels, value }]. */
export function parse(text) {
  return text.split("\n").flatMap((line) => {
    const found = SAMPLE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign))]));
    return [{ name: found[1], labels, value: Number(found[3].replace("Inf", "Infinity")) }];
  });
}

/** The q-quantile of a histogram's buckets [{ labels: { le }, value }], interpolated as Prometheus does; null without samples. */
export function quantile(buckets, q) {
  const sorted = buckets.map(({ labels, value }) => ({ end: Number(labels.le.replace("Inf", "Infinity")), value })).sort((a, b) => a.end - b.end);
  const rank = q * (sorted.at(-1)?.value ?? 0);
  if (!rank) return null;
  const at = sorted.findIndex(({ value }) => value >= rank);
  const before = at ? sorted[at - 1] : { end: 0, value: 0 };
  if (sorted[at].end === Infinity) return before.end;
  return before.end + ((sorted[at].end - before.end) * (rank - before.value)) / (sorted[at].value - before.value);
}
