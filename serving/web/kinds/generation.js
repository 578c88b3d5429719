// Names, letter by letter: each letter tells what else could have come in its place.

import { bars } from "../charts.js";
import { h, said, show as put } from "../dom.js";
import { words } from "../words.js";
import { unknown } from "./classification.js";

const TOPS = 8;

export const proposed = (parameters) => ({ stream: true, top_n_tokens: TOPS, ...parameters });

/** The page opens with a single name, which is streamed. */
export const opening = ({ num_return_sequences: _, ...others }) => others;

/** A stream is of a single text and a single sequence; anything else gets its answer as a whole. */
export function adapted({ inputs, parameters }) {
  const { stream, ...others } = parameters;
  const single = !Array.isArray(inputs) && (parameters.num_return_sequences ?? 1) === 1;
  return { inputs, parameters: single ? parameters : others };
}

export function show(names) {
  const panel = candidates();
  const one = ({ generated_text: text, label, tokens = [], unknown_characters }) => {
    const drawn = tokens.map(({ token }) => token).join("");
    const { element, add } = name(text.slice(0, text.length - drawn.length), label, panel);
    tokens.forEach(add);
    return [element, unknown({ unknown_characters })];
  };
  return [names.map(one), panel];
}

/** Shows a streamed name while it grows: returns what takes its lines. */
export function live(place, { inputs, parameters }) {
  const panel = candidates();
  const { element, add } = name(inputs, parameters.label ?? "…", panel);
  put(place, element, panel);
  return add;
}

/** The place for the rivals of a character. Those of the first character are shown unasked, so that the place is not empty. */
const candidates = () => h("div", { class: "candidates" });

function name(start, label, panel) {
  const letters = h("p", { class: "name", dir: "auto" }, start);
  const add = ({ token, top_tokens: tops }) => {
    const tell = () => put(panel, rivals(token, tops));
    if (tops && !panel.hasChildNodes()) tell();
    letters.append(letter(token, tops ? tell : null));
  };
  return { element: h("figure", {}, h("figcaption", {}, `${words.label}: `, said(label)), letters), add };
}

const rivals = (token, tops) => [
  h("p", {}, `${words.next}: `, said(spaced(token), "strong")),
  bars(tops.map(({ token: other, probability }) => ({ label: spaced(other), value: probability })), 1),
  h("p", { class: "about" }, words.nextHint),
];

function letter(token, tell) {
  const kind = token ? "letter" : "letter end";
  const shown = token || words.ended;
  if (!tell) return h("span", { class: kind }, shown);
  const name = `${words.next}: ${spaced(token)}`;
  // No button element: that would part letters that are joined in writing, as in Arabic.
  return h("span", { role: "button", tabindex: 0, class: kind, onmouseenter: tell, onfocus: tell, onclick: tell, "aria-label": name }, shown);
}

const spaced = (token) => (token ? token.replace(" ", "␣") : words.ended);
