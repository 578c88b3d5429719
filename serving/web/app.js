// The page: a list of the models, and for each a form, its answer, and how to repeat the request.

import { ServerError, ask, describe } from "./api.js";
import { h, said, show } from "./dom.js";
import { fields, resolve } from "./form.js";
import { onKey } from "./key.js";
import { code, copier, curl, origin, python } from "./reproduce.js";
import { translate, words } from "./words.js";

const PATIENCE_S = 1; // after which a wait is shown
const main = document.querySelector("main");

async function start() {
  translate();
  const openapi = await describe().catch((error) => show(main, fault(error, words.noModels)));
  if (!openapi) return;
  const models = new Map(Object.entries(openapi.paths).map(([path, { post }]) => [path.split("/").pop(), post]));
  const route = () => open(models, openapi);
  window.addEventListener("hashchange", route);
  await route();
}

/** Shows the model that the address names, with the request in it, if there is one: #/surname?{"inputs": ...}. */
async function open(models, openapi) {
  const [path, ...rest] = location.hash.slice(2).split("?");
  const name = path ? decodeURIComponent(path) : models.keys().next().value;
  list([...models.keys()], name);
  if (!models.has(name)) return show(main, warning(words.noModel(name)));
  const model = await read(name, models.get(name), openapi);
  const view = new View(model, openapi.info["x-mlflow"]);
  show(main, view.element);
  await view.open(rest.join("?"));
}

function list(names, current) {
  const item = (name) => h("li", {}, h("a", { href: `#/${encodeURIComponent(name)}`, "aria-current": name === current ? "page" : null }, name));
  show(document.querySelector("#models"), names.map(item));
  document.title = `${current} · Seqline`;
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
  const kindOf = await import(`./kinds/${kind}.js`).catch(() => ({ initial: () => ({}), show: () => [] }));
  return { name, kind, parameters, examples, takesText, kindOf, openapi };
}

class View {
  constructor(model, mlflow) {
    Object.assign(this, { model, mlflow });
    const { name, kind, examples, takesText } = model;
    this.form = fields(model.parameters, model.openapi);
    this.text = h("textarea", { id: "input", rows: takesText ? 3 : 8, dir: "auto", spellcheck: "false", "aria-describedby": "wrong" });
    this.lines = h("input", { type: "checkbox", id: "lines" });
    this.button = h("button", { type: "submit", class: "main" }, words.ask);
    this.progress = h("p", { class: "progress", role: "status" });
    this.answer = h("div", { class: "answer", "aria-live": "polite" }, h("p", { class: "about" }, words.noAnswer));
    const lines = takesText ? h("label", { class: "inline" }, this.lines, ` ${words.lines}`) : null;
    const form = h(
      "form",
      { onsubmit: (event) => this.submit(event) },
      h("label", { for: "input" }, takesText ? words.input : words.inputJson),
      this.text,
      lines,
      h("details", { class: "parameters" }, h("summary", {}, words.parameters), h("div", { class: "fields" }, this.form.element)),
      h("div", { class: "buttons" }, this.button, copier(words.link, () => this.link())),
      this.progress,
    );
    const heading = h("h2", {}, name, " ", h("small", {}, kind));
    this.element = h("article", {}, heading, this.chooser(examples), h("div", { class: "sides" }, form, h("section", { "aria-label": words.answer }, this.answer)));
  }

  chooser(examples) {
    const button = ({ summary, value }) =>
      h("button", { type: "button", onclick: () => this.choose(value), lang: "en" }, summary);
    return h("div", { class: "examples", role: "group", "aria-label": words.examples }, examples.map(button));
  }

  choose({ inputs, parameters }) {
    this.fill({ inputs, parameters: { ...this.initial(), ...parameters } });
  }

  /** What the kind asks for, so that the page has something to show. */
  initial() {
    return this.model.kindOf.initial(this.model.examples.map(({ value }) => value));
  }

  /** Fills the form: with the request in the address, which is then sent, or with the first example as its kind shows it best. */
  async open(query) {
    const first = this.model.examples[0]?.value ?? { inputs: "" };
    let asked = null;
    try {
      asked = query ? JSON.parse(decodeURIComponent(query)) : null;
    } catch {
      // A link that was cut off opens the model without its request.
    }
    this.fill(asked ?? { inputs: first.inputs, parameters: { ...first.parameters, ...this.initial() } });
    if (asked) await this.send();
  }

  fill({ inputs, parameters = {} }) {
    const { takesText } = this.model;
    const several = takesText && Array.isArray(inputs);
    this.lines.checked = several;
    this.text.value = !takesText ? JSON.stringify(inputs) : several ? inputs.join("\n") : inputs;
    this.form.write(parameters);
  }

  /** The request of the form. Throws SyntaxError where its JSON is wrong. */
  body() {
    const { takesText, kindOf } = this.model;
    const text = this.text.value;
    const inputs = !takesText ? JSON.parse(text) : this.lines.checked ? text.split("\n").filter((one) => one.trim()) : text;
    const parameters = this.form.read();
    const body = Object.keys(parameters).length ? { inputs, parameters } : { inputs };
    return kindOf.adapt ? kindOf.adapt(body) : body;
  }

  link() {
    return `${location.origin}/#/${this.model.name}?${encodeURIComponent(JSON.stringify(this.body()))}`;
  }

  async submit(event) {
    event.preventDefault();
    if (this.pending) this.pending.abort();
    else await this.send();
  }

  async send() {
    let body;
    try {
      body = this.body();
    } catch (error) {
      return show(this.answer, warning(words.wrongJson(error.message)));
    }
    history.replaceState(null, "", this.link());
    this.pending = new AbortController();
    const waiting = wait(this.progress, this.button);
    try {
      await this.ask(body, this.pending.signal);
    } catch (error) {
      this.fail(error);
    }
    clearInterval(waiting);
    this.pending = null;
    this.progress.textContent = "";
    this.button.textContent = words.ask;
  }

  async ask(body, signal) {
    const { name, kindOf } = this.model;
    const place = h("div");
    const onLine = body.parameters?.stream && kindOf.live ? kindOf.live(place, body) : undefined;
    if (onLine) show(this.answer, place);
    const result = await ask(name, body, { signal, onLine });
    show(this.answer, this.shown(result.answer, body), origin(result, this.mlflow), more(name, body, result.answer));
  }

  shown(answer, body) {
    const { kindOf } = this.model;
    const several = Array.isArray(body.inputs);
    const inputs = several ? body.inputs : [body.inputs];
    const answers = kindOf.each ? kindOf.each(answer) : several ? answer : [answer];
    const one = (single, i) => h("section", { class: "single" }, several && this.model.takesText ? h("h3", {}, said(inputs[i])) : null, kindOf.show(single, { input: inputs[i] }));
    return [answers.map(one), kindOf.together?.(answers)];
  }

  fail(error) {
    if (error.name === "AbortError") return show(this.answer, warning(words.stopped));
    if (!(error instanceof ServerError)) throw error;
    if (error.status === 401) document.querySelector("#key").focus();
    return show(this.answer, fault(error));
  }
}

/** Shows how long an answer takes, if it takes long; meanwhile the button stops the request. */
function wait(progress, button) {
  const begin = performance.now();
  button.textContent = words.stop;
  return setInterval(() => {
    const seconds = Math.floor((performance.now() - begin) / 1000);
    if (seconds >= PATIENCE_S) progress.textContent = words.waiting(seconds);
  }, 250);
}

/** The parts below an answer: commands that repeat the request, and the answer as it came. */
const more = (name, body, answer) => [
  h("details", {}, h("summary", {}, words.code), code("curl", curl(name, body)), code("Python", python(name, body))),
  h("details", {}, h("summary", {}, words.raw), h("pre", { tabindex: 0, role: "group", "aria-label": words.raw }, JSON.stringify(answer, null, 1))),
];

const warning = (...content) => h("div", { class: "alert", role: "alert" }, content);

/** An error as the API gives it. */
function fault({ status, code: name, message, input, retryAfter }, title = words.failed(status || "")) {
  return warning(
    h("p", {}, h("strong", {}, title), " ", h("code", {}, name), input === undefined ? null : ` ${words.inInput(input + 1)}`),
    said(message, "p"),
    retryAfter ? h("p", {}, words.retry(retryAfter)) : null,
  );
}

onKey();
start();
