// One image in a dialog, with what lies over it and what is known about it; and what a search by ImageID found.

import { ask } from "./ask.js";
import { facts, failures, files, legend } from "./details.js";
import { find, make, say } from "./draw.js";
import { edge, focusTile, neighbour, placeOf, whenLoaded } from "./explore.js";
import { attribution } from "./grid.js";
import { counted, layered, switches } from "./layers.js";
import { follow, go, state } from "./link.js";

const dialog = find("details");
let image; // that is open
let asked = 0; // a number, so that answers that come too late are ignored

export const startViewer = () => {
  find("close").addEventListener("click", () => dialog.close());
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("viewer-switches").replaceWith(switches());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  dialog.addEventListener("close", () => {
    const { image: id } = state();
    image = undefined;
    go({ image: "", file: "" });
    if (id) focusTile(id);
  });
  follow((now, before) => {
    if (now.image !== before.image || now.file !== before.file) obey(now);
  });
  whenLoaded(() => image && place());
  obey(state());
};

export const openImage = (id) => go({ image: id, file: "" });

export const isOpen = () => dialog.open;

// The image `distance` images further on in the explorer, if there is one.
export const step = async (distance) => {
  const { image: id, view } = state();
  const next = view === "images" && id && (await neighbour(id, distance));
  if (next && state().image === id) go({ image: next, file: "" }, true);
};

export const toEdge = async (isFirst) => {
  const id = state().view === "images" && (await edge(isFirst));
  if (id) go({ image: id, file: "" }, true);
};

const obey = async ({ image: id, file }) => {
  asked += 1;
  if (!id) {
    if (dialog.open && dialog.classList.contains("of-image")) dialog.close();
    return;
  }
  const current = asked;
  if (image?.image_id !== id) {
    const answer = await ask(`/api/image/${encodeURIComponent(id)}`);
    if (current !== asked) return;
    image = answer.error ? undefined : answer;
    if (answer.error) return show(id, [make("p", {}, answer.error)], "of-image");
  }
  show(image.title || "untitled photo", about(image, chosenFile(image, file)), "of-image");
  place();
};

const show = (title, content, kind) => {
  find("details-title").textContent = title;
  find("details-body").replaceChildren(...content.filter(Boolean));
  find("details-body").scrollTop = 0;
  dialog.className = kind;
  say("position", "");
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus(); // not the first of its switches
};

// Says where the image is among those of the explorer.
const place = () => {
  const { at, count, isAll } = placeOf(image.image_id);
  const isOne = state().view === "images" && at >= 0;
  say("position", isOne ? `${at + 1} of ${count}${isAll ? "" : " so far"}` : "");
  for (const id of ["previous", "next"]) find(id).hidden = state().view !== "images";
};

// The file that is shown: the one that was asked for, that of the filter, or the largest.
const chosenFile = (image, asked) => {
  const shown = image.files.filter((file) => file.picture);
  const of = (rendition) => rendition && shown.find((file) => file.rendition === rendition);
  return of(asked) || of(state().rendition) || shown.at(-1);
};

const about = (image, file) => [
  make("div", { class: "stage" }, ...(file ? staged(image, file) : [missing(image)]), ...legend(image, file).filter(Boolean)),
  make(
    "div",
    { class: "beside" },
    facts(image, file),
    image.files.length ? files(image.files) : undefined,
    image.failures.length ? failures(image.failures) : undefined,
  ),
];

const staged = (image, file) => {
  const seen = counted(file.boxes);
  const alt = `${image.title || "untitled photo"}${seen ? `; boxes: ${seen}` : ""}`;
  const picture = make("img", { class: "large", src: file.picture, alt, width: file.width, height: file.height });
  const shown = image.files.filter((each) => each.picture);
  return [
    layered(picture, file),
    make("div", { class: "below" }, attribution(image), shown.length > 1 ? renditions(shown, file) : undefined),
  ];
};

const renditions = (shown, file) => {
  const choose = make(
    "select",
    { "aria-label": "rendition" },
    ...shown.map((each) => make("option", { value: each.rendition }, `${each.rendition}, ${each.text.pixels}`)),
  );
  choose.value = file.rendition;
  choose.addEventListener("change", () => go({ file: choose.value }, true));
  return choose;
};

const missing = (image) => {
  if (image.remote != null) return make("p", { class: "none" }, `This image is in an object store only: ${image.remote}`);
  const why = image.reason ? `${image.reason}: ${image.meaning}` : "There is no file that browsers show.";
  return make("p", { class: "none" }, why);
};

export const search = async (typed) => {
  const found = await ask(`/api/search?id=${encodeURIComponent(typed)}`);
  if (found.error) show("Search", [make("p", {}, found.error)], "of-search");
  else if (!found.length) show("Search", [make("p", {}, `No ImageID of the list begins with ${typed}.`)], "of-search");
  else if (found.length === 1) openImage(found[0].image_id);
  else {
    const items = found.map((card) =>
      make(
        "li",
        {},
        make("button", { type: "button", class: "plain id", "data-image": card.image_id }, card.image_id),
        ` ${card.status} `,
        make("span", { class: "soft" }, card.title),
      ),
    );
    show(`ImageIDs that begin with ${typed}`, [make("ul", { class: "found" }, ...items)], "of-search");
  }
};
