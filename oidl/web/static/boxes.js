// The boxes of an image, drawn over its picture. Places are shares of the picture, so that they fit at any size.

import { make, shape } from "./draw.js";

const COLOURS = 8;
const percent = (share) => `${(100 * share).toFixed(3)}%`;

// `picture` with `boxes` over it.
export const withBoxes = (picture, boxes) => {
  const names = [...new Set(boxes.map((box) => box.name))];
  const svg = shape("svg", { class: "boxes", role: "img", "aria-label": `boxes: ${counted(boxes)}` });
  const largestFirst = [...boxes].sort((one, other) => other.width * other.height - one.width * one.height);
  for (const box of largestFirst) svg.append(...marks(box, names.indexOf(box.name) % COLOURS));
  return make("div", { class: "picture" }, picture, svg);
};

// "Cat × 2, Dog"
export const counted = (boxes) => {
  const counts = new Map();
  for (const { name } of boxes) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count > 1 ? `${name} × ${count}` : name)).join(", ");
};

const marks = (box, colour) => {
  const isLeft = box.left < 0.75;
  const isBelow = box.top < 0.05; // there is no room for the name above it
  const name = shape("text", {
    x: percent(isLeft ? box.left : box.left + box.width),
    y: percent(box.top),
    dx: isLeft ? 3 : -3,
    dy: isBelow ? 15 : -5,
    "text-anchor": isLeft ? "start" : "end",
  });
  name.textContent = box.name;
  const sides = { x: percent(box.left), y: percent(box.top), width: percent(box.width), height: percent(box.height) };
  return [shape("rect", { ...sides, class: `colour-${colour}` }), name];
};
