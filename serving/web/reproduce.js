// The request as a curl command and as Python, and the answer's origin.

import { h } from "./dom.js";
import { decimals, words } from "./words.js";

const LOCAL = ["localhost", "127.0.0.1"];

/** A block of code with a button that copies it. */
export function code(title, text) {
  const block = h("pre", { tabindex: 0, role: "group", "aria-label": title }, h("code", {}, text));
  return h("section", {}, h("h3", {}, title), copier(words.copy, () => text), block);
}

/** A button that copies a text, and says so; an error goes to `failed`. */
export function copier(label, text, failed = () => (button.textContent = words.notCopied)) {
  const button = h("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = words.copied;
    } catch (error) {
      failed(error);
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** Whether the server has a certificate of its own, which nobody else trusts: it listens on this machine alone. */
const ownCertificate = () => location.protocol === "https:" && LOCAL.includes(location.hostname);

const address = (model) => `${location.origin}/predictions/${encodeURIComponent(model)}`;

export function curl(model, body) {
  const options = [body.parameters?.stream ? "-N " : "", ownCertificate() ? "-k " : ""].join("");
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  const headers = `-H "Authorization: Bearer $KEY" -H 'Content-Type: application/json'`;
  return `curl -s ${options}${address(model)} ${headers} -d '${data}'`;
}

export function python(model, body) {
  const streamed = Boolean(body.parameters?.stream);
  const more = `${ownCertificate() ? "\n    verify=False,  # the server's certificate is its own" : ""}${streamed ? "\n    stream=True," : ""}`;
  const printed = streamed ? "for line in response.iter_lines():\n    print(json.loads(line))" : "print(response.json())";
  return `${streamed ? "import json\n" : ""}import os

import requests

response = requests.post(
    "${address(model)}",
    json=${literal(body)},
    headers={"Authorization": f"Bearer {os.environ['KEY']}"},
    timeout=30,${more}
)
${printed}`;
}

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
