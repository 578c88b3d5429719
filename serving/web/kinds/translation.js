// Translations, their alternatives, the attention of each piece, and the search as a tree.

import { heat } from "../charts.js";
import { h, said } from "../dom.js";
import { decimals, words } from "../words.js";
import { unknown } from "./classification.js";

const START = "▁"; // begins a word among subwords

export function proposed({ num_beams = 4, num_return_sequences = Math.min(4, num_beams), ...others }) {
  return { attention: true, sentences: true, tree: true, ...others, num_beams, num_return_sequences };
}

/** A tree is of a single text. */
export function adapted({ inputs, parameters }) {
  const { tree: _, ...others } = parameters;
  return { inputs, parameters: Array.isArray(inputs) ? others : parameters };
}

export const each = (answer) => answer; // a list even for a single text

/** What a person can confirm or correct. */
export const judged = ({ translation_text: text }) => ({ text });

export function show(found) {
  const sentences = found.sentences ?? [found];
  const title = (word, i) => (sentences.length > 1 ? `${word} · ${words.sentence(i + 1)}` : word);
  return [
    said(found.translation_text, "p", { class: "translation" }),
    h("p", { class: "about" }, `${words.score} ${decimals(found.score, 3)}`),
    unknown(found),
    found.alternatives?.length ? alternatives(found.alternatives) : null,
    sentences.map(({ attention }, i) => (attention ? attended(attention, title(words.attention, i)) : null)),
    sentences.map((one, i) => (one.tree ? tree(one.tree, title(words.tree, i)) : null)),
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

/** The search as nested lists: a hypothesis, and those that extend it. */
function tree(nodes, title) {
  const children = new Map();
  nodes.forEach((node, i) => children.set(node.parent ?? -1, [...(children.get(node.parent ?? -1) ?? []), i]));
  const best = new Set();
  for (let i = nodes.findIndex(({ rank }) => rank === 1); i !== undefined && i >= 0; i = nodes[i].parent) best.add(i);
  const below = (i) => children.get(i) ?? [];
  const finished = (i) => nodes[i].rank !== undefined || below(i).some(finished);
  const branch = (start) => {
    let [i, text] = [start, nodes[start].piece];
    while (below(i).length === 1) {
      [i] = below(i);
      text += nodes[i].piece;
    }
    const { rank, log_probability: sum } = nodes[i];
    const kind = best.has(start) ? "strong" : finished(start) ? null : "dropped";
    const value = h("span", { class: "value" }, `${rank ? `${rank}. · ` : ""}${decimals(sum, 2)}`);
    return h("li", { class: kind }, said(text.replaceAll(START, " ").trim()), value, below(i).length ? h("ul", {}, below(i).map(branch)) : null);
  };
  const hint = h("p", { class: "about" }, words.treeHint);
  const list = h("ul", { class: "tree" }, below(-1).map(branch));
  return h("details", {}, h("summary", {}, title), hint, h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title }, list));
}
