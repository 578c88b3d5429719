// The request as a curl command and as Python, and the answer's origin.

import { h } from "./dom.js";
import { decimals, words } from "./words.js";

const LOCAL = ["localhost", "127.0.0.1"];

/** A block of code with a button that copies it. */
export function code(title, text) {
  const block = h("pre", { tabindex: 0, role: "group", "aria-label": title }, h("code", {}, text));
  return h("section", {}, h("h3", {}, title), copier(words.copy, () => text), block);
}

/** A button that copies a text, and says so. */
export function copier(label, text) {
  const button = h("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = words.copied;
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

export function curl(model, body) {
  const insecure = location.protocol === "https:" && LOCAL.includes(location.hostname) ? "-k " : ""; // its certificate is its own
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  const headers = `-H "Authorization: Bearer $KEY" -H 'Content-Type: application/json'`;
  return `curl -s ${insecure}${location.origin}/predictions/${model} ${headers} -d '${data}'`;
}

export const python = (model, body) => `import os

import requests

response = requests.post(
    "${location.origin}/predictions/${model}",
    json=${literal(body)},
    headers={"Authorization": f"Bearer {os.environ['KEY']}"},
    timeout=30,
)
print(response.json())`;

/** A JSON value as Python writes it. */
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, of]) => `${JSON.stringify(name)}: ${literal(of)}`).join(", ")}}`;
}

/** Where an answer comes from, and how long it took. */
export function origin({ ms, version, run }, mlflow) {
  const link = mlflow && run ? h("a", { href: `${mlflow}/#/runs/${run}` }, `${words.run} ${run.slice(0, 8)}`) : run ? `${words.run} ${run.slice(0, 8)}` : null;
  return h("p", { class: "about" }, [words.took(decimals(ms, 0)), version ? words.version(version) : null, link].filter(Boolean).flatMap((part, i) => (i ? [" · ", part] : [part])));
}
