// What the grid shows: images as they arrive, or those of one class, subset or licence, which are fetched part by part.

import { ask } from "./details.js";
import { count, find, make, say } from "./draw.js";
import { append, clear } from "./grid.js";

const ENOUGH = 24; // images at a time
const PARTS = 25; // of a search, before the user has to ask for more
const TYPING_MS = 200;

const form = find("filter");
const fields = { class: find("class"), subset: find("subset"), license: find("license") };
let search = 0; // a number, so that the answers to an earlier search are ignored

export const startFilter = () => {
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const field of Object.values(fields)) field.addEventListener("change", look);
  fields.class.addEventListener("input", propose());
  fields.class.addEventListener("focus", propose(), { once: true });
  find("all").addEventListener("click", () => {
    for (const field of Object.values(fields)) field.value = "";
    look();
  });
  find("more").addEventListener("click", () => more(search, find("more").dataset.next));
  refreshFilter();
};

// A run may load its list and annotations later.
export const refreshFilter = async () => {
  offer(fields.license, (await list("/api/licenses")).map((one) => [one.license, one.name]), "any licence");
  fields.class.hidden = !(await list("/api/classes")).length;
  showForm();
};

// `subsets` are those of the image list.
export const offerSubsets = (subsets) => {
  if (fields.subset.options.length - 1 === subsets.length) return;
  offer(fields.subset, subsets.map((subset) => [subset, subset]), "any subset");
  showForm();
};

const list = async (path) => {
  const found = await ask(path);
  return Array.isArray(found) ? found : [];
};

const offer = (select, choices, any) => {
  const before = select.value;
  select.replaceChildren(...[["", any], ...choices].map(([value, text]) => make("option", { value }, text)));
  select.value = before;
  select.hidden = choices.length < 2; // there is nothing to choose
};

const showForm = () => {
  form.hidden = Object.values(fields).every((field) => field.hidden);
};

const propose = () => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const names = await list(`/api/classes?name=${encodeURIComponent(fields.class.value)}`);
      find("classes").replaceChildren(...names.map((name) => make("option", { value: name })));
    }, TYPING_MS);
  };
};

const conditions = () =>
  Object.entries(fields)
    .map(([name, field]) => [name, field.value.trim()])
    .filter(([, value]) => value);

const look = () => {
  search += 1;
  const isOn = conditions().length > 0;
  clear(isOn);
  find("pause").hidden = isOn;
  find("all").hidden = !isOn;
  find("more").hidden = true;
  say("no-pictures", isOn ? "Searching …" : "No image yet.");
  find("no-pictures").hidden = false;
  if (isOn) more(search, "");
};

const more = async (mine, next) => {
  find("more").hidden = true;
  let shown = 0;
  for (let part = 0; part < PARTS && next != null && shown < ENOUGH; part += 1) {
    const found = await ask(`/api/images?${new URLSearchParams([...conditions(), ["start", next]])}`);
    if (mine !== search) return;
    if (found.error) {
      say("no-pictures", found.error);
      find("no-pictures").hidden = false;
      return;
    }
    shown += append(found.pictures);
    next = found.next;
  }
  const all = find("grid").children.length;
  const rest = next == null ? "" : " so far";
  say("no-pictures", all ? `${count(all)} ${all === 1 ? "image" : "images"}${rest}.` : `No image matches${rest}.`);
  find("no-pictures").hidden = false;
  find("more").hidden = next == null;
  find("more").dataset.next = next ?? "";
};
