// The page's few ways to put something on the screen. What comes from others is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

// An element with its children, which are elements or texts; `undefined` ones are left out.
export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
};

export const say = (id, text) => {
  const element = find(id);
  if (element.textContent !== text) element.textContent = text;
};

// Only web addresses become links, because an address in the list may be anything.
export const link = (address, text, attributes = {}) => {
  let protocol = "";
  try {
    protocol = new URL(address).protocol;
  } catch {
    // not an address at all
  }
  if (protocol !== "https:" && protocol !== "http:") return make("span", {}, text);
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);
};

// A whole number as the command line writes it.
export const count = (number) => number.toLocaleString("en-US");

export const number = (text) => make("td", { class: "number" }, text);

// Rows by key. Rows that stay are not replaced, so they keep focus and hover.
export const rows = (body, items, key, cells) => {
  const old = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const now = items.map((item) => {
    const row = old.get(key(item)) ?? make("tr", { "data-key": key(item) });
    const made = cells(item);
    [...made].forEach((cell, at) => {
      const before = row.children[at];
      if (!before) row.append(cell);
      else if (!before.isEqualNode(cell)) before.replaceWith(cell);
    });
    return row;
  });
  now.forEach((row, at) => {
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
  });
  while (body.children.length > now.length) body.lastElementChild.remove();
};

// The same as `make`, in SVG.
export const shape = (tag, attributes) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

// Parts side by side; `parts` are pairs of a class and an amount.
export const stacked = (svg, parts, whole, label) => {
  let left = 0;
  const marks = parts.map(([kind, amount]) => {
    const width = whole ? (1000 * amount) / whole : 0;
    const mark = shape("rect", { x: left.toFixed(2), y: 0, width: width.toFixed(2), height: 10, class: kind });
    left += width;
    return mark;
  });
  svg.replaceChildren(...marks);
  svg.setAttribute("aria-label", label);
};

export const bar = (parts, whole, label) => {
  const svg = shape("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", class: "bar", role: "img" });
  stacked(svg, parts, whole, label);
  return svg;
};

// The last minutes as an area that ends at the right; each second is the mean of five, which is smoother.
export const chart = (svg, values) => {
  const seconds = Math.max(60, values.length); // up to five minutes
  const means = values.map((_, at) => {
    const some = values.slice(Math.max(0, at - 4), at + 1);
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  });
  const highest = Math.max(...means, 1e-9);
  const points = means.map((value, at) => `${seconds - means.length + at + 1},${(58 - (54 * value) / highest).toFixed(1)}`);
  svg.setAttribute("viewBox", `0 0 ${seconds} 60`);
  svg.setAttribute("preserveAspectRatio", "none");
  if (!points.length) {
    svg.replaceChildren();
    return;
  }
  const first = seconds - means.length + 1;
  svg.replaceChildren(
    shape("path", { d: `M${first},60 L${points.join(" L")} L${seconds},60 Z`, class: "area" }),
    shape("path", { d: `M${points.join(" L")}`, class: "line" }),
  );
};
