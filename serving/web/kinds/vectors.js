// Neighbours, analogies, a map, and the senses of a word in several sentences.

import { bars, heat, map } from "../charts.js";
import { h } from "../dom.js";
import { decimals, words } from "../words.js";

export const proposed = (parameters) => parameters;

export function show(answer) {
  if (answer.vectors) return null; // see `together`
  const method = h("p", { class: "about" }, words.method(answer.method));
  if (answer.nearest) return [method, bars(answer.nearest.map(scored), 1)];
  if (answer.score !== undefined) return [method, h("p", { class: "number" }, `${words.similarity}: ${decimals(answer.score, 3)}`)];
  const asked = new Set(answer.asked.map(({ word }) => word));
  return [method, map(answer.words.map(({ word, x, y }) => ({ x, y, label: word, strong: asked.has(word) })), words.map)];
}

const scored = ({ word, score }) => ({ label: word, value: score, shown: decimals(score, 3) });

/** Words in context: each word of the first sentence with each of the last one, and words that are in both. */
export function together(answers) {
  const [first, last] = [answers[0], answers.at(-1)];
  if (!first.vectors) return null;
  const values = first.vectors.map((a) => last.vectors.map((b) => cosine(a, b)));
  const senses = first.words.flatMap((word, i) => last.words.flatMap((other, j) => (word === other && first !== last ? [{ label: word, value: values[i][j], shown: decimals(values[i][j], 3) }] : [])));
  return [
    senses.length ? h("section", {}, h("h3", {}, words.senses), bars(senses, 1)) : null,
    heat(first.words, last.words, values, words.contexts),
  ];
}

function cosine(a, b) {
  const dot = (left, right) => left.reduce((total, value, i) => total + value * right[i], 0);
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}
