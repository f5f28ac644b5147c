// The fields that choose what the explorer shows. They say what the address says, and change it.

import { ask } from "./ask.js";
import { count, find, make } from "./draw.js";
import { FILTERS, filterAddress, follow, go, state } from "./link.js";

const TYPING_MS = 200;

const form = find("filter");
const fields = Object.fromEntries(FILTERS.map((name) => [name, find(`by-${name}`)]));
let proposals = [];

export const startFilter = () => {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  for (const field of Object.values(fields)) field.addEventListener("change", apply);
  fields.class.addEventListener("input", propose());
  fields.class.addEventListener("focus", propose(), { once: true });
  find("clear").addEventListener("click", () => (location.hash = filterAddress({})));
  follow(showState);
  showState();
  refreshFilter();
};

// A run may load its list and annotations later, and images fail meanwhile.
export const refreshFilter = async () => {
  const found = await ask("/api/choices");
  if (found.error) return;
  const named = (list) => list.map(({ name, images }) => [name, `${name} (${count(images)})`]);
  const troubled = found.reasons.reduce((sum, { images }) => sum + images, 0);
  offer(fields.subset, named(found.subsets), "any subset");
  offer(fields.rendition, named(found.renditions), "any rendition");
  offer(fields.license, found.licenses.map(({ url, name }) => [url, name]), "any licence");
  const checks = named(found.checks);
  offer(fields.check, checks.length ? [...checks, ["unchecked", "unchecked"]] : [], "any", 1);
  const reasons = found.reasons.map(({ name, images, meaning }) => [name, `${name} (${count(images)})`, meaning]);
  const any = troubled ? [["any", `failed or waiting (${count(troubled)})`]] : [];
  offer(fields.reason, [...any, ...reasons], "on the disk", 1);
  for (const name of ["class", "in"]) fields[name].closest("label").hidden = !found.has_classes;
  showState();
};

// A field with nothing to choose from is left out.
const offer = (select, choices, any, least = 2) => {
  select.replaceChildren(...[["", any], ...choices].map(([value, text, title]) => make("option", { value, title }, text)));
  select.closest("label").hidden = choices.length < least;
};

const showState = () => {
  const now = state();
  for (const name of FILTERS) {
    const field = fields[name];
    const isKnown = field.tagName !== "SELECT" || [...field.options].some((option) => option.value === now[name]);
    if (!isKnown) field.append(make("option", { value: now[name] }, now[name])); // of a link to something that is gone
    if (document.activeElement !== field || field.tagName === "SELECT") field.value = now[name];
    if (now[name]) field.closest("label").hidden = false;
  }
  find("clear").hidden = !FILTERS.some((name) => now[name]);
};

const apply = () => {
  const changes = Object.fromEntries(FILTERS.map((name) => [name, fields[name].value.trim()]));
  if (!changes.class) changes.in = "";
  go({ ...changes, image: "", file: "" });
};

const propose = () => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    if (proposals.includes(fields.class.value)) return apply(); // one of them was chosen
    timer = setTimeout(async () => {
      const names = await ask(`/api/classes?name=${encodeURIComponent(fields.class.value)}`);
      proposals = Array.isArray(names) ? names : [];
      find("classes").replaceChildren(...proposals.map((name) => make("option", { value: name })));
    }, TYPING_MS);
  };
};
