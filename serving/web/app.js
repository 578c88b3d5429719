// The page: a list of the models, and for each a form, its answer, and how to repeat the request.

import { ServerError, ask, describe } from "./api.js";
import { h, said, show } from "./dom.js";
import { feedback } from "./feedback.js";
import { fields, resolve } from "./form.js";
import { onKey } from "./key.js";
import { code, copier, curl, origin, python } from "./reproduce.js";
import { translate, words } from "./words.js";

const PATIENCE_MS = 1000; // after which a wait is shown
const TWICE_MS = 500; // a second click within this time is one too many, not a wish to stop
const main = document.querySelector("main");
let current = null; // the view that is shown

async function start() {
  translate();
  const openapi = await describe().catch((error) => show(main, fault(error, words.noModels)));
  if (!openapi) return;
  const paths = Object.entries(openapi.paths).filter(([path]) => path.startsWith("/predictions/"));
  const models = new Map(paths.map(([path, { post }]) => [path.split("/").pop(), post]));
  const item = (name) => h("li", {}, h("a", { href: `#/${encodeURIComponent(name)}` }, name));
  show(document.querySelector("#models"), [...models.keys()].map(item));
  const route = () => open(models, openapi);
  window.addEventListener("hashchange", route);
  await route();
}

/** Shows the model that the address names, with the request in it, if there is one: #/surname?{"inputs": ...}. */
async function open(models, openapi) {
  const asked = location.hash;
  const [path, ...rest] = asked.slice(2).split("?");
  const name = decoded(path) || models.keys().next().value;
  current?.stop();
  mark(name);
  if (!models.has(name)) return show(main, warning(words.noModel(name)));
  const model = await read(name, models.get(name), openapi);
  if (location.hash !== asked) return; // another model was chosen meanwhile
  current = new View(model, openapi.info["x-mlflow"]);
  show(main, current.element);
  await current.open(decoded(rest.join("?")));
}

function mark(name) {
  for (const link of document.querySelectorAll("#models a")) {
    if (link.textContent === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name} · Seqline`;
}

/** A part of the address; as it is, where it is not encoded rightly. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What the page needs to know of a model, all from the description of the API. */
async function read(name, operation, openapi) {
  const content = operation.requestBody.content["application/json"];
  const kind = content.schema.$ref.split("/").pop().replace(/_request$/, "");
  const schema = resolve(content.schema, openapi);
  const parameters = resolve(schema.properties.parameters, openapi);
  const examples = Object.values(content.examples ?? {});
  const takesText = (schema.properties.inputs.anyOf ?? [schema.properties.inputs]).some(({ type }) => type === "string");
  // A kind of its own, which has no module here, shows its answers as JSON.
  const view = openapi.info["x-views"]?.includes(kind) ? await import(`./kinds/${kind}.js`) : null;
  return { name, kind, parameters, examples, takesText, view, openapi };
}

class View {
  constructor(model, mlflow) {
    Object.assign(this, { model, mlflow, pending: null });
    const { name, kind, examples, takesText } = model;
    this.form = fields(model.parameters, model.openapi);
    this.text = h("textarea", { id: "input", rows: takesText ? 3 : 8, dir: "auto", spellcheck: "false" });
    this.mode = h("select", { id: "mode" }, ["text", "lines", "json"].map((mode) => h("option", { value: mode }, words[mode])));
    this.button = h("button", { type: "submit", class: "main" }, words.ask);
    this.note = h("span", { role: "status" });
    this.seconds = h("span", { "aria-hidden": "true" });
    this.answer = h("div", { class: "answer" }, h("p", { class: "about" }, words.noAnswer));
    const heading = h("h2", { "data-model": name }, name, " ", h("small", {}, kind));
    const sides = h("div", { class: "sides" }, this.controls(takesText), h("section", { "aria-label": words.answer }, this.answer));
    this.element = h("article", {}, heading, this.chooser(examples), sides);
  }

  controls(takesText) {
    const inside = h("details", {}, h("summary", {}, words.parameters), this.form.element);
    inside.addEventListener("invalid", () => (inside.open = true), true); // what the browser objects to must be visible
    return h(
      "form",
      { onsubmit: (event) => this.submit(event) },
      h("label", { for: "input" }, takesText ? words.input : words.inputJson),
      this.text,
      takesText ? h("label", { class: "inline" }, `${words.mode} `, this.mode) : null,
      inside,
      h("div", { class: "buttons" }, this.button, copier(words.link, () => this.link(), (error) => this.fail(error))),
      h("p", { class: "progress" }, this.note, this.seconds),
    );
  }

  chooser(examples) {
    const button = ({ summary, value }) => h("button", { type: "button", onclick: () => this.propose(value), lang: "en" }, summary);
    return h("div", { class: "examples", role: "group", "aria-label": words.examples }, examples.map(button));
  }

  /** Fills the form with the request in the address, which is then sent, or with the first example. */
  async open(query) {
    const { view, examples } = this.model;
    const first = examples[0]?.value ?? { inputs: "" };
    const asked = readRequest(query);
    if (!asked) return this.propose(view?.opening ? { ...first, parameters: view.opening(first.parameters ?? {}) } : first);
    this.fill(asked);
    await this.send();
  }

  /** Fills the form with an example, and with what its kind asks for besides, so that there is something to see. */
  propose({ inputs, parameters = {} }) {
    const { view, examples } = this.model;
    const examined = examples.map(({ value }) => value.parameters ?? {});
    this.fill({ inputs, parameters: view ? view.proposed(parameters, examined) : parameters });
  }

  fill({ inputs, parameters }) {
    const { takesText } = this.model;
    const several = Array.isArray(inputs);
    const lines = several && inputs.every((one) => typeof one === "string" && !/[\r\n]/.test(one));
    this.mode.value = !takesText ? "json" : typeof inputs === "string" ? "text" : lines ? "lines" : "json";
    // Each line ends with a line break, so that an empty last input is not lost.
    const writers = { text: () => inputs, lines: () => inputs.map((one) => `${one}\n`).join(""), json: () => JSON.stringify(inputs) };
    this.text.value = writers[this.mode.value]();
    this.form.write(parameters ?? {});
  }

  /** The request of the form. Throws SyntaxError where its JSON is wrong. */
  body() {
    const text = this.text.value;
    const readers = { text: () => text, lines: () => text.replace(/\n$/, "").split("\n"), json: () => JSON.parse(text) };
    const inputs = readers[this.mode.value]();
    const parameters = this.form.read();
    const body = this.model.view?.adapted?.({ inputs, parameters }) ?? { inputs, parameters };
    return Object.keys(body.parameters).length ? body : { inputs };
  }

  link() {
    return `${location.origin}/#/${encodeURIComponent(this.model.name)}?${encodeURIComponent(JSON.stringify(this.body()))}`;
  }

  async submit(event) {
    event.preventDefault();
    if (!this.pending) await this.send();
    else if (performance.now() - this.begun > TWICE_MS) this.stop();
  }

  stop() {
    this.pending?.abort();
  }

  async send() {
    this.begun = performance.now();
    this.pending = new AbortController();
    this.answer.setAttribute("aria-busy", "true");
    this.button.textContent = words.stop;
    const waiting = setInterval(() => this.wait(), 250);
    try {
      const body = this.body();
      history.replaceState(null, "", this.link());
      await this.ask(body, this.pending.signal);
      this.note.textContent = "";
      this.note.append(h("span", { class: "hidden" }, words.answered));
    } catch (error) {
      this.note.textContent = "";
      this.fail(error);
    } finally {
      clearInterval(waiting);
      this.pending = null;
      this.seconds.textContent = "";
      this.button.textContent = words.ask;
      this.answer.removeAttribute("aria-busy");
      this.answer.dataset.answers = Number(this.answer.dataset.answers ?? 0) + 1;
    }
  }

  /** Shows that an answer takes long. Screen readers are told once, not each second. */
  wait() {
    const passed = performance.now() - this.begun;
    if (passed < PATIENCE_MS) return;
    if (this.note.textContent !== words.waiting) this.note.textContent = words.waiting;
    this.seconds.textContent = ` ${Math.floor(passed / 1000)} s`;
  }

  async ask(body, signal) {
    const { name, view } = this.model;
    const place = h("div");
    const onLine = body.parameters?.stream && view?.live ? view.live(place, body) : undefined;
    if (onLine) show(this.answer, place);
    const result = await ask(name, body, { signal, onLine });
    show(this.answer, this.shown(result, body), origin(result, this.mlflow), this.more(body, result.answer));
  }

  shown({ answer, id }, body) {
    const { view, takesText } = this.model;
    if (!view) return null;
    const several = Array.isArray(body.inputs);
    const inputs = several ? body.inputs : [body.inputs];
    const answers = view.each ? view.each(answer) : several ? answer : [answer];
    const title = (i) => (several && takesText ? h("h3", {}, said(inputs[i])) : null);
    const judged = (single, i) => (id && view.judged ? feedback(id, view.judged(single), i) : null);
    const one = (single, i) => h("section", { class: "single" }, title(i), view.show(single, { input: inputs[i] }), judged(single, i));
    return [answers.map(one), view.together?.(answers)];
  }

  /** The parts below an answer: commands that repeat the request, and the answer as JSON. */
  more(body, answer) {
    const { name, view } = this.model;
    const raw = h("pre", { tabindex: 0, role: "group", "aria-label": words.raw }, JSON.stringify(answer, null, 1));
    return [
      h("details", {}, h("summary", {}, words.code), code("curl", curl(name, body)), code("Python", python(name, body))),
      h("details", { open: !view }, h("summary", {}, words.raw), raw),
    ];
  }

  fail(error) {
    if (error.name === "AbortError") return show(this.answer, warning(words.stopped));
    if (error instanceof SyntaxError) return show(this.answer, warning(words.wrongJson(error.message)));
    if (error.status === 401) document.querySelector("#key").focus();
    return show(this.answer, fault(error));
  }
}

/** The request in an address; null if there is none, or no valid one, as in a link that was cut off. */
function readRequest(query) {
  try {
    const found = JSON.parse(query);
    return found !== null && typeof found === "object" && "inputs" in found ? found : null;
  } catch {
    return null;
  }
}

const warning = (...content) => h("div", { class: "alert", role: "alert" }, content);

/** An error as the API gives it; one of the page itself has neither status nor code. */
function fault(error, title) {
  const { status, code: name, message, input, retryAfter } = error instanceof ServerError ? error : { message: String(error) };
  return warning(
    h("p", {}, h("strong", {}, title ?? words.failed(status || "")), " ", h("code", {}, name ?? ""), input === undefined ? null : ` ${words.inInput(input + 1)}`),
    said(message, "p", { lang: "en" }),
    retryAfter ? h("p", {}, words.retry(retryAfter)) : null,
  );
}

onKey();
start();
