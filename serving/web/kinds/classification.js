// Classes with their calibrated probabilities, and the words that they were computed from.

import { bars } from "../charts.js";
import { h } from "../dom.js";
import { percent, words } from "../words.js";

/** Explanations, if the model has any: then an example shows one. */
export const proposed = (parameters, examples) => (examples.some(({ explain }) => explain) ? { explain: true, ...parameters } : parameters);

const ranked = (answer) => answer.labels ?? answer;

/** What a person can confirm or correct. */
export const judged = (answer) => ({ label: ranked(answer)[0].label });

export function show(answer) {
  const labels = ranked(answer);
  return [
    bars(labels.map(({ label, score }) => ({ label, value: score })), 1),
    answer.words ? weighed(answer.words) : null,
    unknown(labels[0]),
  ];
}

function weighed(read) {
  const most = Math.max(...read.map(({ importance }) => importance), 1e-9);
  const shade = ({ word, known, importance }) => {
    const title = `${percent(importance)}${known ? "" : `, ${words.unknownWord}`}`;
    // Not isolated from its neighbours, as they decide the direction of the line together.
    return [h("span", { class: known ? "word" : "word unknown", title, style: { "--share": (importance / most).toFixed(4) } }, word), " "];
  };
  return h("figure", {}, h("figcaption", {}, words.importance), h("p", { class: "words", dir: "auto" }, read.map(shade)));
}

/** What the model did not know of an input, if anything. */
export function unknown({ unknown_characters: characters, unknown_words: missing }) {
  if (characters) return h("p", { class: "note" }, words.unknownCharacters(characters));
  return missing ? h("p", { class: "note" }, words.unknownWords(missing)) : null;
}
