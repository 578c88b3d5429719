// Translations, their alternatives, the attention of each piece, and the search as a tree.

import { heat } from "../charts.js";
import { h, said } from "../dom.js";
import { decimals, words } from "../words.js";
import { unknown } from "./classification.js";

const START = "▁"; // begins a word among subwords

export function proposed({ num_beams = 4, num_return_sequences = Math.min(4, num_beams), ...others }) {
  return { attention: true, sentences: true, ...others, num_beams, num_return_sequences };
}

export const each = (answer) => answer; // a list even for a single text

export function show(found) {
  const sentences = found.sentences ?? [{ attention: found.attention }];
  return [
    said(found.translation_text, "p", { class: "translation" }),
    h("p", { class: "about" }, `${words.score} ${decimals(found.score, 3)}`),
    unknown(found),
    found.alternatives?.length ? alternatives(found.alternatives) : null,
    sentences.map(({ attention }, i) => (attention ? attended(attention, sentences.length > 1 ? words.sentence(i + 1) : words.attention) : null)),
    tree(found),
  ];
}

function alternatives(others) {
  const item = ({ translation_text: text, score }) => h("li", {}, said(text), h("span", { class: "value" }, decimals(score, 3)));
  return h("section", {}, h("h3", {}, words.alternatives), h("ol", { class: "alternatives", start: 2 }, others.map(item)));
}

function attended(attention, title) {
  const place = h("div");
  const draw = (whole) => {
    const { source, target, weights } = whole ? byWord(attention) : attention;
    place.replaceChildren(heat(target, source, weights, title));
  };
  const choice = h("input", { type: "checkbox", onchange: (event) => draw(event.target.checked) });
  draw(false);
  return h("section", {}, h("label", {}, choice, ` ${words.wholeWords}`), place);
}

/** Attention between words: the sum over the pieces of a source word, and the mean over those of a target word. */
function byWord({ source, target, weights }) {
  const [from, to] = [groups(source), groups(target)];
  const sum = (row, places) => places.reduce((total, j) => total + row[j], 0);
  const mean = (rows, places) => rows.reduce((total, i) => total + sum(weights[i], places), 0) / rows.length;
  const joined = (pieces, places) => places.map((i) => pieces[i]).join("").replaceAll(START, "");
  return {
    source: from.map((places) => joined(source, places)),
    target: to.map((places) => joined(target, places)),
    weights: to.map((rows) => from.map((places) => mean(rows, places))),
  };
}

/** The places of the pieces of each word. The last piece is the end of the sentence, which is no part of a word. */
function groups(pieces) {
  const found = [];
  pieces.forEach((piece, i) => {
    if (piece.startsWith(START) || found.length === 0 || i === pieces.length - 1) found.push([i]);
    else found.at(-1).push(i);
  });
  return found;
}

/** A tree of the translations of a text of one sentence; none where there is only one. */
function tree(found) {
  const paths = [found, ...(found.alternatives ?? [])]
    .map((one) => ({ score: one.score, pieces: one.attention?.target ?? (one.sentences?.length === 1 ? one.sentences[0].attention?.target : undefined) }))
    .filter(({ pieces }) => pieces);
  if (paths.length < 2) return null;
  paths[0].best = true;
  return h("details", {}, h("summary", {}, words.tree), h("p", { class: "about" }, words.treeHint), h("ul", { class: "tree" }, branches(paths, 0)));
}

function branches(paths, depth) {
  const by = Map.groupBy(paths, ({ pieces }) => pieces[depth]);
  return [...by.values()].map((together) => branch(together, depth));
}

/** A branch: the pieces that all its paths share, then a branch for each way to continue. */
function branch(paths, depth) {
  const shared = (at) => paths.every(({ pieces }) => at < pieces.length && pieces[at] === paths[0].pieces[at]);
  let end = depth + 1;
  while (shared(end)) end += 1;
  const text = paths[0].pieces.slice(depth, end).join("").replaceAll(START, " ").trim();
  const ended = paths.length === 1 ? h("span", { class: "value" }, decimals(paths[0].score, 3)) : null;
  const best = paths.some((path) => path.best);
  return h("li", { class: best ? "strong" : null }, said(text), ended, paths.length > 1 ? h("ul", {}, branches(paths, end)) : null);
}
