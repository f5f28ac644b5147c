// The keys of the explorer: through the images and their layers. In a field they write, as everywhere.

import { find } from "./draw.js";
import { focusTile, tiles } from "./explore.js";
import { LAYERS, state, toggle } from "./link.js";
import { isOpen, step, toEdge } from "./viewer.js";

const help = find("help");

const IN_VIEWER = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  j: () => step(1),
  k: () => step(-1),
  Home: () => toEdge(true),
  End: () => toEdge(false),
};

const IN_GALLERY = {
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => moveRow(1),
  ArrowUp: () => moveRow(-1),
  Home: () => tiles().at(0)?.focus(),
  End: () => tiles().at(-1)?.focus(),
  "/": () => find("by-class").focus(),
};

export const startKeys = () => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isWriting(event.target)) return;
    const act = actionOf(event.key);
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => help.showModal());
  find("close-help").addEventListener("click", () => help.close());
  help.addEventListener("click", (event) => {
    if (event.target === help) help.close();
  });
};

const isWriting = (element) =>
  element.matches?.("select, textarea, input:not([type=checkbox])") || Boolean(element.isContentEditable);

const actionOf = (key) => {
  if (help.open) return key === "?" ? () => help.close() : undefined;
  if (key === "?") return () => help.showModal();
  const layer = LAYERS.find((each) => each[0] === key);
  if (layer && (isOpen() || state().view === "images")) return () => toggle(layer);
  if (isOpen()) return IN_VIEWER[key];
  return state().view === "images" ? IN_GALLERY[key] : undefined;
};

const move = (distance) => {
  const all = tiles();
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? 0 : Math.min(Math.max(at + distance, 0), all.length - 1)]?.focus();
};

// To the nearest image of the row below or above.
const moveRow = (direction) => {
  const now = document.activeElement.closest?.("#gallery li");
  if (!now) return move(0);
  const from = now.getBoundingClientRect();
  const middle = from.left + from.width / 2;
  const others = tiles()
    .map((tile) => tile.closest("li"))
    .map((tile) => ({ tile, place: tile.getBoundingClientRect() }))
    .filter(({ place }) => direction * (place.top - from.top) > 4);
  const nearest = Math.min(...others.map(({ place }) => direction * place.top));
  const row = others.filter(({ place }) => direction * place.top < nearest + 4);
  row.sort((one, other) => away(one.place, middle) - away(other.place, middle));
  if (row.length) focusTile(row[0].tile.dataset.id);
};

const away = (place, x) => Math.abs(place.left + place.width / 2 - x);
