// The wall: pictures as they arrive, with whose they are. It samples: one at a time, at a calm pace. No picture
// moves: a new one takes the place of the oldest.

import { find, link, make } from "./draw.js";

const QUEUED = 8; // of more, the oldest are passed over
const PACE_MS = 450;
const FILL_MS = 90; // until it is full

const wall = find("wall");

// Whole rows: three, or as many as make a dozen.
const most = () => {
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  return columns * Math.max(3, Math.ceil(12 / columns));
};
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let queue = [];
let oldest = 0; // its place
let isPaused = false;
let isFiltered = false;
let openImage;
const seen = new Set(); // of the pictures on the wall and in the queue

// `open` is called with an ImageID when a picture is chosen.
export const startWall = (open) => {
  openImage = open;
  const pause = find("pause");
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", isPaused);
    pause.textContent = isPaused ? "Go on" : "Pause";
  });
  const step = async () => {
    if (queue.length && !isHeld()) await show(queue.shift());
    setTimeout(step, wall.children.length < most() ? FILL_MS : PACE_MS);
  };
  step();
};

// `cards` are the newest pictures, the newest first.
export const arrive = (cards) => {
  if (isFiltered) return;
  const fresh = cards.filter((card) => card.picture && !seen.has(card.id)).reverse();
  for (const card of fresh) seen.add(card.id);
  queue.push(...fresh);
  const room = wall.children.length ? QUEUED : most();
  for (const card of queue.splice(0, Math.max(0, queue.length - room))) seen.delete(card.id);
};

// Empties the wall; filtered, it has what `append` is given, and nothing that arrives.
export const clear = (filtered) => {
  isFiltered = filtered;
  queue = [];
  oldest = 0;
  seen.clear();
  wall.replaceChildren();
};

// Puts `cards` at the end; returns how many have a picture.
export const append = (cards) => {
  const tiles = cards.filter((card) => card.picture).map((card) => tileOf(card, image(card, { loading: "lazy" })));
  wall.append(...tiles);
  return tiles.length;
};

const isHeld = () =>
  isPaused || document.hidden || wall.matches(":hover") || wall.contains(document.activeElement) || find("details").open;

export const attribution = (card) =>
  make(
    "span",
    { class: "attribution" },
    link(card.landing_url, card.author || "unknown author"),
    " ", // they stand on two lines on the wall, on one in the dialog
    link(card.license, card.license_name),
  );

const image = (card, more = {}) =>
  make("img", { ...more, src: card.picture, alt: card.title || "untitled photo", width: card.width, height: card.height });

const tileOf = (card, picture) =>
  make(
    "li",
    { "data-id": card.id },
    make("button", { type: "button", title: card.title, onclick: () => openImage(card.id) }, picture),
    attribution(card),
  );

const show = async (card) => {
  const picture = image(card);
  try {
    await picture.decode();
  } catch {
    seen.delete(card.id);
    return; // it is gone from disk
  }
  if (isFiltered) return;
  const tile = tileOf(card, picture);
  const room = most();
  while (wall.children.length > room) leave(wall.lastElementChild); // the window is smaller now
  if (wall.children.length < room) {
    wall.append(tile);
    oldest = 0;
  } else {
    const old = wall.children[oldest % room];
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
