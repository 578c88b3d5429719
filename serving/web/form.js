// A form for a model's parameters, made from their JSON schema.

import { h } from "./dom.js";
import { words } from "./words.js";

const WIDEST = 100; // a range of numbers that a slider can show
const STEPS = 100;

/** Follows references inside the OpenAPI document, from one to the next. */
export function resolve(schema, document) {
  if (!schema.$ref) return schema;
  return resolve(schema.$ref.slice(2).split("/").reduce((at, name) => at[name], document), document);
}

/**
 * Creates the controls of an object's properties. Returns { element, read, write }: `read` gives the values that are set, and
 * `write` sets those of an object and all others to their defaults.
 */
export function fields(schema, document) {
  const controls = Object.entries(schema.properties ?? {}).map(([name, of]) => [name, control(name, of, document)]);
  return {
    element: controls.map(([, one]) => one.element),
    read: () => Object.fromEntries(controls.map(([name, one]) => [name, one.read()]).filter(([, value]) => value !== undefined)),
    write: (values) => controls.forEach(([name, one]) => one.write(values[name])),
  };
}

function control(name, schema, document) {
  const options = (schema.anyOf ?? [schema]).map((option) => resolve(option, document));
  const type = options.find((option) => option.type !== "null");
  const id = `parameter-${name}`;
  const made = editor(type, { id, "aria-describedby": `${id}-about` }, name);
  const about = h("p", { id: `${id}-about`, class: "about", lang: "en" }, schema.description ?? "");
  return { ...made, element: h("div", { class: "field" }, h("label", { for: id }, name), made.element, about) };
}

function editor(type, attributes, name) {
  if (type.enum) return choice(type, attributes);
  if (type.type === "boolean") return checkbox(attributes);
  if (type.type === "array") return list(type, attributes);
  if (type.type !== "number" && type.type !== "integer") return text(attributes);
  const low = type.minimum ?? type.exclusiveMinimum;
  const high = type.maximum ?? type.exclusiveMaximum;
  return high - low <= WIDEST ? slider(type, low, high, attributes, name) : number(type, attributes);
}

function choice(type, attributes) {
  const options = type.enum.map((value) => h("option", { value }, value));
  const element = h("select", attributes, h("option", { value: "" }, words.unset), options);
  return { element, read: () => element.value || undefined, write: (value) => (element.value = value ?? "") };
}

function checkbox(attributes) {
  const element = h("input", { type: "checkbox", ...attributes });
  return { element, read: () => element.checked || undefined, write: (value) => (element.checked = Boolean(value)) };
}

function text(attributes) {
  const element = h("input", { type: "text", dir: "auto", placeholder: words.unset, ...attributes });
  return { element, read: () => element.value || undefined, write: (value) => (element.value = value ?? "") };
}

function number(type, attributes) {
  const step = type.type === "integer" ? 1 : "any";
  const element = h("input", { type: "number", step, min: type.minimum, placeholder: words.unset, ...attributes });
  const read = () => (element.value === "" ? undefined : Number(element.value));
  return { element, read, write: (value) => (element.value = value ?? "") };
}

/** Several values with commas between them. What is no number is sent as it is, so that the server says what is wrong. */
function list(type, attributes) {
  const { element } = text(attributes);
  const parts = () => element.value.split(",").map((part) => part.trim());
  const read = () => (element.value.trim() ? parts().map((part) => (isNaN(part) ? part : Number(part))) : undefined);
  return { element, read, write: (values) => (element.value = (values ?? []).join(", ")) };
}

/** A slider, which cannot be empty: beside it is its value, and a button that sets the default again. */
function slider(type, low, high, attributes, name) {
  const step = type.type === "integer" ? 1 : (high - low) / STEPS;
  const min = type.exclusiveMinimum === undefined ? low : low + step;
  const max = type.exclusiveMaximum === undefined ? high : high - step;
  const input = h("input", { type: "range", min, max, step, ...attributes });
  const output = h("output", { for: attributes.id });
  const reset = h("button", { type: "button", class: "reset", "aria-label": words.reset(name), onclick: () => write() }, "×");
  let unset = true;
  const write = (value) => {
    unset = value === undefined || value === null;
    if (!unset) input.value = value;
    output.textContent = unset ? words.unset : value;
    reset.disabled = unset;
  };
  input.addEventListener("input", () => write(Number(Number(input.value).toFixed(6))));
  write();
  const element = h("span", { class: "slider" }, input, output, reset);
  return { element, read: () => (unset ? undefined : Number(Number(input.value).toFixed(6))), write };
}
