// The wall: pictures as they arrive, newest first, with whose they are. It samples: one at a time, at a calm pace.

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
let isPaused = false;
const seen = new Set(); // of the pictures on the wall and in the queue

// `open` is called with an ImageID when a picture is chosen.
export const startWall = (open) => {
  const pause = find("pause");
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", isPaused);
    pause.textContent = isPaused ? "Go on" : "Pause";
  });
  const step = async () => {
    if (queue.length && !isHeld()) await show(queue.shift(), open);
    setTimeout(step, wall.children.length < most() ? FILL_MS : PACE_MS);
  };
  step();
};

// `cards` are the newest pictures, the newest first.
export const arrive = (cards) => {
  const fresh = cards.filter((card) => card.picture && !seen.has(card.id)).reverse();
  for (const card of fresh) seen.add(card.id);
  queue.push(...fresh);
  const room = wall.children.length ? QUEUED : most();
  for (const card of queue.splice(0, Math.max(0, queue.length - room))) seen.delete(card.id);
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

const show = async (card, open) => {
  const picture = make("img", { src: card.picture, alt: card.title || "untitled photo", width: card.width, height: card.height });
  try {
    await picture.decode();
  } catch {
    seen.delete(card.id);
    return; // it is gone from disk
  }
  const tile = make(
    "li",
    { "data-id": card.id },
    make("button", { type: "button", title: card.title, onclick: () => open(card.id) }, picture),
    attribution(card),
  );
  const before = new Map([...wall.children].map((other) => [other, other.getBoundingClientRect()]));
  wall.prepend(tile);
  while (wall.children.length > most()) {
    seen.delete(wall.lastElementChild.dataset.id);
    wall.lastElementChild.remove();
  }
  find("no-pictures").hidden = true;
  if (isStill.matches) return;
  tile.animate([{ opacity: 0, transform: "scale(0.92)" }, { opacity: 1, transform: "none" }], { duration: 380, easing: "ease-out" });
  for (const [other, was] of before) {
    const is = other.getBoundingClientRect();
    if (!other.isConnected || (is.x === was.x && is.y === was.y)) continue;
    // Along its row it slides; into the next row it fades, as flying across the wall would be restless.
    const from = is.y === was.y ? { transform: `translateX(${was.x - is.x}px)` } : { opacity: 0 };
    other.animate([from, { transform: "none", opacity: 1 }], { duration: 380, easing: "ease-in-out" });
  }
};
