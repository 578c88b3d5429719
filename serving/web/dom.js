// Elements and text. Text is only ever set as text: whatever a model or a person writes cannot become HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an HTML element: h("a", { href: "/docs", onclick: open }, "text", child). Empty properties are left out. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** Creates an SVG element. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** Replaces all that an element contains. */
export function show(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child != null));
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // The page's security policy forbids style attributes, but not this.
    else if (name === "style") for (const [key, of] of Object.entries(value)) element.style.setProperty(key, of);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

/** A text of unknown language and direction, from a model or a person. */
export const said = (text, tag = "bdi", properties = {}) => h(tag, { dir: "auto", ...properties }, text);

/** Text for screen readers alone. */
export const hidden = (text) => h("span", { class: "hidden" }, text);
