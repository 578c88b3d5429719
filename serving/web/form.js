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
  const made = editor(type, schema.default, { id, "aria-describedby": `${id}-about` }, name);
  const about = h("p", { id: `${id}-about`, class: "about", lang: "en" }, schema.description ?? "");
  return { ...made, element: h("div", { class: "field" }, h("label", { for: id }, name), made.element, about) };
}

function editor(type, standard, attributes, name) {
  if (type.enum) return choice(type, attributes);
  if (type.type === "boolean") return checkbox(standard, attributes);
  if (type.type === "array") return list(type, attributes);
  if (type.type !== "number" && type.type !== "integer") return text(attributes);
  const low = type.minimum ?? type.exclusiveMinimum;
  const high = type.maximum ?? type.exclusiveMaximum;
  return high - low <= WIDEST ? slider(type, low, high, attributes, name) : number(type, attributes);
}

function choice(type, attributes) {
  const options = type.enum.map((value) => h("option", { value }, value));
  const element = h("select", attributes, h("option", { value: "" }, words.unset), options);
  const read = () => type.enum.find((value) => String(value) === element.value); // as it was, perhaps a number
  return { element, read, write: (value) => (element.value = value ?? "") };
}

function checkbox(standard, attributes) {
  const element = h("input", { type: "checkbox", ...attributes });
  const read = () => (element.checked === Boolean(standard) ? undefined : element.checked);
  return { element, read, write: (value) => (element.checked = Boolean(value ?? standard)) };
}

function text(attributes) {
  const element = h("input", { type: "text", dir: "auto", placeholder: words.unset, ...attributes });
  return { element, read: () => element.value || undefined, write: (value) => (element.value = value ?? "") };
}

function number(type, attributes) {
  const whole = type.type === "integer";
  const step = whole ? 1 : "any";
  const max = whole ? Math.min(type.maximum ?? Infinity, Number.MAX_SAFE_INTEGER) : type.maximum; // else it would be rounded
  const element = h("input", { type: "number", step, min: type.minimum, max, placeholder: words.unset, ...attributes });
  const read = () => (element.value === "" ? undefined : Number(element.value));
  return { element, read, write: (value) => (element.value = value ?? "") };
}

/** Several values with commas between them. What is no number is sent as it is, so that the server says what is wrong. */
function list(type, attributes) {
  const { element } = text(attributes);
  const numbers = ["number", "integer"].includes(type.items?.type);
  const parts = () => element.value.split(",").map((part) => part.trim()).filter((part) => part);
  const read = () => (parts().length ? parts().map((part) => (numbers && !isNaN(part) ? Number(part) : part)) : undefined);
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
  let value; // exactly as given: the slider itself rounds to its steps
  const write = (given) => {
    value = given ?? undefined;
    if (value !== undefined) input.value = value;
    output.textContent = value ?? words.unset;
    input.setAttribute("aria-valuetext", value ?? words.unset);
    reset.disabled = value === undefined;
  };
  input.addEventListener("input", () => write(Number(Number(input.value).toFixed(6))));
  write();
  return { element: h("span", { class: "slider" }, input, output, reset), read: () => value, write };
}
