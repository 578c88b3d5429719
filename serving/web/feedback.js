// What a person knows better: the right class or text of an answer, sent to the server's record of it.

import { judge } from "./api.js";
import { h } from "./dom.js";
import { words } from "./words.js";

/**
 * A form with the answer to one input, to be confirmed or corrected. `given` is { label } or { text }; `id` is that of the whole
 * request, and `input` the place of the input in it.
 */
export function feedback(id, given, input) {
  const [[form, value]] = Object.entries(given);
  const field = h(form === "text" ? "textarea" : "input", { id: `right-${input}`, required: true, dir: "auto", value });
  const note = h("p", { class: "about", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    note.textContent = await judge({ id, input, [form]: field.value }).then(({ right }) => words.noted(right), ({ message }) => message);
  };
  const label = h("label", { for: field.id }, words.right[form]);
  const body = h("form", { onsubmit: submit }, label, " ", field, " ", h("button", { type: "submit" }, words.send));
  return h("details", { class: "feedback" }, h("summary", {}, words.feedback), body, note);
}
