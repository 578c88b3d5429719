// The field for the key, in the head of every page.

import { key } from "./api.js";
import { words } from "./words.js";

/** Keeps the key that is typed for this tab, and calls `changed` after each change. */
export function onKey(changed = () => {}) {
  const form = document.querySelector("#key-form");
  const field = document.querySelector("#key");
  const button = form.querySelector("button");
  const hint = document.querySelector("#key-hint");
  const draw = (problem) => {
    const kept = Boolean(key.get());
    field.value = "";
    field.readOnly = kept; // not disabled, so that it can have the focus
    field.placeholder = kept ? "••••••••" : "";
    button.textContent = kept ? words.forget : words.use;
    hint.textContent = problem ?? (kept ? words.keyKept : words.keyHint);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const accepted = key.get() ? key.forget() : key.set(field.value);
    draw(accepted === false ? words.keyWrong : null);
    changed();
  });
  draw();
}
