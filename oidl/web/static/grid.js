// The grid: images as they arrive, with their attribution. It samples them, one at a time and slowly. No image moves:
// a new one takes the place of the oldest.

import { find, link, make } from "./draw.js";

const QUEUED = 8; // if there are more, the oldest are skipped
const PACE_MS = 450;
const FILL_MS = 90; // until the grid is full

const grid = find("grid");

// Whole rows: three, or as many as make a dozen images.
const most = () => {
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  return columns * Math.max(3, Math.ceil(12 / columns));
};
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let queue = [];
let oldest = 0; // its index
let isPaused = false;
let openImage;
const seen = new Set(); // the images in the grid and in the queue

// `open` is called with the ImageID when the user clicks an image.
export const startGrid = (open) => {
  openImage = open;
  const pause = find("pause");
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", isPaused);
    pause.textContent = isPaused ? "Resume" : "Pause";
  });
  const step = async () => {
    if (queue.length && !isHeld()) await show(queue.shift());
    setTimeout(step, grid.children.length < most() ? FILL_MS : PACE_MS);
  };
  step();
};

// `cards` are the latest images, the latest first.
export const arrive = (cards) => {
  const fresh = cards.filter((card) => card.picture && !seen.has(card.image_id)).reverse();
  for (const card of fresh) seen.add(card.image_id);
  queue.push(...fresh);
  const room = grid.children.length ? QUEUED : most();
  for (const card of queue.splice(0, Math.max(0, queue.length - room))) seen.delete(card.image_id);
};

const isHeld = () =>
  isPaused || document.hidden || grid.matches(":hover") || grid.contains(document.activeElement) || find("details").open;

export const attribution = (card) =>
  make(
    "span",
    { class: "attribution" },
    link(card.landing_url, card.author || "unknown author"),
    " ", // two lines in the grid, one line in the dialog
    link(card.license, card.license_name),
  );

const image = (card, more = {}) =>
  make("img", { ...more, src: card.picture, alt: card.title || "untitled photo", width: card.width, height: card.height });

const tileOf = (card, picture) =>
  make(
    "li",
    { "data-id": card.image_id },
    make("button", { type: "button", title: card.title, onclick: () => openImage(card.image_id) }, picture),
    attribution(card),
  );

const show = async (card) => {
  const picture = image(card);
  try {
    await picture.decode();
  } catch {
    seen.delete(card.image_id);
    return; // the file was deleted
  }
  const tile = tileOf(card, picture);
  const room = most();
  while (grid.children.length > room) leave(grid.lastElementChild); // the window became smaller
  if (grid.children.length < room) {
    grid.append(tile);
    oldest = 0;
  } else {
    const old = grid.children[oldest % room];
    seen.delete(old.dataset.id);
    old.replaceWith(tile);
    oldest = (oldest + 1) % room;
  }
  find("no-pictures").hidden = true;
  if (!isStill.matches) tile.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 380, easing: "ease-out" });
};

const leave = (tile) => {
  seen.delete(tile.dataset.id);
  tile.remove();
};
