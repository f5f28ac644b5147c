// The explorer: images that match the filter, in ImageID order, fetched part by part in both directions.

import { ask } from "./ask.js";
import { count, find, link, make, say } from "./draw.js";
import { attribution } from "./grid.js";
import { counted, layered } from "./layers.js";
import { FILTERS, filterOf, follow, go, state } from "./link.js";

const ENOUGH = 24; // images at a time
const PARTS = 25; // of a search, before the user has to ask for more
const BY_ITSELF = 480; // images that scrolling fetches, before the user has to ask for more

const gallery = find("gallery");
let cards = [];
let search = 0; // a number, so that the answers to an earlier search are ignored
let ends = { forward: null, back: null }; // where each direction continues; null: nowhere
let working = Promise.resolve(); // ends when all that was asked for is here
let shown; // the filter of what is here
let tell = () => {};

// `listener` is called when there are more images.
export const whenLoaded = (listener) => (tell = listener);

export const startExplorer = () => {
  find("more").addEventListener("click", () => load("forward"));
  find("earlier").addEventListener("click", () => load("back"));
  new IntersectionObserver(
    (seen) => seen.some((one) => one.isIntersecting) && cards.length < BY_ITSELF && load("forward"),
    { rootMargin: "600px" },
  ).observe(find("more"));
  follow(show);
  show();
};

const show = () => {
  const now = state();
  if (now.view !== "images" || shown === filterOf(now)) return;
  shown = filterOf(now);
  begin(/^[0-9a-f]{16}$/.test(now.image) ? now.image : "");
};

// Starts at `image`, or at the beginning.
const begin = (image) => {
  search += 1;
  working = Promise.resolve();
  cards = [];
  ends = { forward: image, back: image ? before(image) : null };
  gallery.replaceChildren();
  return load("forward");
};

const before = (id) => {
  const number = BigInt(`0x${id}`);
  return number ? (number - 1n).toString(16).padStart(id.length, "0") : null;
};

// Fetches the next images in one direction; one part at a time.
export const load = (direction) => {
  const asked = search;
  working = working.then(() => (asked === search ? fetchImages(direction) : undefined));
  return working;
};

const fetchImages = async (direction) => {
  if (ends[direction] === null) return;
  const current = search;
  const now = state();
  const asked = FILTERS.filter((key) => now[key]).map((key) => [key, now[key]]);
  if (direction === "back") asked.push(["back", "1"]);
  let found = 0;
  summarise(true);
  for (let part = 0; part < PARTS && ends[direction] !== null && found < ENOUGH; part += 1) {
    const answer = await ask(`/api/images?${new URLSearchParams([...asked, ["start", ends[direction]]])}`);
    if (current !== search) return;
    if (answer.error) return fail(answer.error);
    found += answer.images.length;
    ends[direction] = answer.next;
    add(answer.images, direction);
    summarise(true);
    tell();
  }
  summarise(false);
  tell();
};

const fail = (text) => {
  ends = { forward: null, back: null };
  summarise(false);
  say("found", text);
};

const summarise = (isSearching) => {
  const isAll = ends.forward === null && ends.back === null;
  const images = `${count(cards.length)} ${cards.length === 1 ? "image" : "images"}`;
  if (cards.length) say("found", isAll ? `${images}.` : `${images} so far.`);
  else say("found", isSearching ? "Searching …" : `No image matches${isAll ? "" : " so far"}.`);
  find("more").hidden = ends.forward === null;
  find("earlier").hidden = ends.back === null;
};

const add = (images, direction) => {
  const tiles = images.map(tileOf);
  if (direction === "forward") {
    cards.push(...images);
    gallery.append(...tiles);
    return;
  }
  const height = document.documentElement.scrollHeight;
  cards.unshift(...[...images].reverse());
  gallery.prepend(...tiles.reverse());
  scrollBy(0, document.documentElement.scrollHeight - height); // what one looks at stays where it is
};

const tileOf = (card) => {
  const content = card.picture ? pictured(card) : untold(card);
  const name = `${card.title || "untitled photo"}${card.boxes.length ? `; boxes: ${counted(card.boxes)}` : ""}`;
  const open = () => go({ image: card.image_id });
  const button = make("button", { type: "button", "aria-label": card.picture ? name : undefined, onclick: open }, content);
  const below = card.trouble ? troubled(card) : attribution(card);
  const isOther = card.check && card.check.verdict !== "same";
  if (isOther) below.append(make("span", { class: "failed" }, `now ${card.check.license_name || card.check.verdict}`));
  const tile = make("li", { "data-id": card.image_id, class: card.picture ? undefined : "bare" }, button, below);
  if (card.picture) tile.style.setProperty("--aspect", Math.min(Math.max(card.width / card.height, 0.5), 2.5));
  return tile;
};

const pictured = (card) => {
  const image = make("img", { loading: "lazy", src: card.picture, alt: "", width: card.width, height: card.height });
  image.addEventListener("error", () => {
    const note = "its file cannot be read; `oidl verify` says why";
    image.closest("button")?.replaceChildren(make("span", { class: "untold" }, note));
  });
  return layered(image, { boxes: card.boxes, names: false });
};

// What stands in the place of a picture.
const untold = (card) => {
  if (card.trouble)
    return make(
      "span",
      { class: "untold" },
      make("code", { class: card.status === "retry" ? "retry" : "failed" }, card.reason),
      make("span", {}, card.trouble.meaning),
      make("span", { class: "soft" }, card.text.retry),
    );
  const where = card.remote == null ? "browsers do not show its format" : "it is in an object store only";
  return make("span", { class: "untold" }, make("span", {}, where), make("span", { class: "soft" }, card.remote ?? ""));
};

const troubled = (card) =>
  make(
    "span",
    { class: "attribution" },
    link(card.trouble.url, card.trouble.url || "no URL", { title: card.trouble.url }),
    link(card.landing_url, "photo's page"),
  );

// ---- for the viewer and the keys

export const tiles = () => [...gallery.querySelectorAll("li > button")];

export const focusTile = (id) => gallery.querySelector(`[data-id="${CSS.escape(id)}"] > button`)?.focus();

// Where an image is among those that are here: its index, and how many there are.
export const placeOf = (id) => ({
  at: cards.findIndex((card) => card.image_id === id),
  count: cards.length,
  isAll: ends.forward === null && ends.back === null,
});

// The ImageID `step` images after `id`; fetches more if it must. Undefined if there is none.
export const neighbour = async (id, step) => {
  let { at } = placeOf(id);
  if (at < 0) return undefined;
  if (at + step < 0) await load("back");
  else if (at + step >= cards.length) await load("forward");
  ({ at } = placeOf(id));
  return cards[at + step]?.image_id;
};

// The very first image, or the last one that is here.
export const edge = async (isFirst) => {
  if (isFirst && ends.back !== null) await begin("");
  return cards.at(isFirst ? 0 : -1)?.image_id;
};
