// What is shown, as the part of the address after the #: a view, a filter, the open image and the switched-off layers.
// So every view has a link, and the browser's history goes through them.

export const FILTERS = ["class", "in", "subset", "rendition", "reason", "license", "check", "min", "max"];
export const LAYERS = ["boxes", "masks", "labels"];

const KEYS = [...FILTERS, "image", "file", "hide"];
const listeners = [];

const read = () => {
  const [view, query] = location.hash.slice(1).split("?", 2);
  const asked = new URLSearchParams(query ?? "");
  const state = { view: view === "images" ? "images" : "overview" };
  for (const key of KEYS) state[key] = asked.get(key) ?? "";
  return state;
};

let now = read();

export const state = () => now;

// The address of what is shown now, with some changes.
export const address = (changes) => {
  const { view, ...rest } = { ...now, ...changes };
  const query = new URLSearchParams(KEYS.filter((key) => rest[key]).map((key) => [key, rest[key]])).toString();
  if (view === "overview" && !query) return "#";
  return `#${view === "images" ? "images" : ""}${query && `?${query}`}`;
};

// The address of the explorer with this filter and nothing else.
export const filterAddress = (filter) =>
  address({ ...Object.fromEntries(KEYS.map((key) => [key, ""])), hide: now.hide, view: "images", ...filter });

// Shows something else. `isSmall`: a step that the history need not remember.
export const go = (changes, isSmall = false) => {
  const target = address(changes);
  if (target === address({})) return;
  if (isSmall) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  changed();
};

export const follow = (listener) => listeners.push(listener);

export const filterOf = (some) => FILTERS.map((key) => some[key]).join("\n");

export const isShown = (layer) => !now.hide.split(",").includes(layer);

export const toggle = (layer) => {
  const hidden = LAYERS.filter((each) => isShown(each) === (each === layer));
  go({ hide: hidden.join(",") }, true);
};

const changed = () => {
  const before = now;
  now = read();
  for (const listener of listeners) listener(now, before);
};

addEventListener("popstate", changed);
