// The field for the key, in the head of every page.

import { key } from "./api.js";
import { words } from "./words.js";

/** Keeps the key that is typed for this tab, and calls `changed` after each change. */
export function onKey(changed = () => {}) {
  const form = document.querySelector("#key-form");
  const field = document.querySelector("#key");
  const button = form.querySelector("button");
  const hint = document.querySelector("#key-hint");
  const draw = () => {
    field.value = "";
    field.disabled = Boolean(key.get());
    field.placeholder = key.get() ? "••••••••" : "";
    button.textContent = key.get() ? words.forget : words.use;
    hint.textContent = key.get() ? words.keyKept : words.keyHint;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (key.get()) key.forget();
    else key.set(field.value);
    draw();
    changed();
  });
  draw();
}
