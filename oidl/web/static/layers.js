// What lies over a picture: boxes with their names, and masks. Places are shares of the picture, so they fit at any size.

import { make } from "./draw.js";
import { LAYERS, follow, isShown, toggle } from "./link.js";

const percent = (share) => `${100 * share}%`;

// `picture` with what lies over it. `names`: whether boxes have their names at them.
export const layered = (picture, { boxes = [], masks = "", width, height, names = true }) => {
  const frame = make("span", { class: "layered" }, picture);
  if (width && height) {
    frame.style.setProperty("--width", width);
    frame.style.setProperty("--height", height);
  }
  if (masks) frame.append(masksOf(masks));
  if (boxes.length) {
    const largestFirst = [...boxes].sort((one, other) => other.width * other.height - one.width * one.height);
    frame.append(make("span", { class: "marks", "aria-hidden": "true" }, ...largestFirst.map((box) => mark(box, names))));
  }
  return frame;
};

const masksOf = (path) => {
  const image = make("img", { class: "masks", src: path, alt: "" });
  image.addEventListener("error", () => {
    image.closest("dialog")?.classList.add("without-masks");
    image.remove();
  });
  return image;
};

const mark = (box, hasName) => {
  const element = make("span", { class: box.flags.includes("group") ? "mark group" : "mark" });
  element.style.setProperty("--colour", box.colour);
  element.style.setProperty("--left", percent(box.left));
  element.style.setProperty("--top", percent(box.top));
  element.style.setProperty("--box-width", percent(box.width));
  element.style.setProperty("--box-height", percent(box.height));
  if (!hasName) return element;
  const flags = box.flags.length ? ` (${box.flags.join(", ")})` : "";
  const name = make("span", { class: "name", title: `${box.name}${flags}` }, box.name);
  if (box.top < 0.06) name.classList.add("inside"); // there is no room above it
  if (box.left > 0.7) name.classList.add("from-right");
  element.append(name);
  return element;
};

// "Cat × 2, Dog"
export const counted = (boxes) =>
  grouped(boxes).map(([{ name }, count]) => (count > 1 ? `${name} × ${count}` : name)).join(", ");

// The first of each name, and how many there are.
export const grouped = (named) => {
  const groups = new Map();
  for (const each of named) {
    const group = groups.get(each.name) ?? [each, 0];
    group[1] += 1;
    groups.set(each.name, group);
  }
  return [...groups.values()];
};

export const coloured = (element, colour) => {
  element.style.setProperty("--colour", colour);
  return element;
};

// Switches for the layers; there may be several, which agree.
export const switches = () =>
  make(
    "span",
    { class: "switches", role: "group", "aria-label": "show" },
    ...LAYERS.map((layer) => {
      const box = make("input", { type: "checkbox", "data-layer": layer });
      box.checked = isShown(layer);
      box.addEventListener("change", () => toggle(layer));
      return make("label", { title: `key ${layer[0]}` }, box, ` ${layer}`);
    }),
  );

const obey = () => {
  for (const layer of LAYERS) {
    document.body.classList.toggle(`no-${layer}`, !isShown(layer));
    for (const box of document.querySelectorAll(`[data-layer=${layer}]`)) box.checked = isShown(layer);
  }
};

follow(obey);
obey();
