// One image with everything that is known about it, in a dialog; and what a search found.

import { counted, withBoxes } from "./boxes.js";
import { count, find, link, make, number } from "./draw.js";
import { attribution } from "./grid.js";

const dialog = find("details");

find("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // the backdrop
});

const show = (title, ...content) => {
  find("details-title").textContent = title;
  find("details-body").replaceChildren(...content);
  if (!dialog.open) dialog.showModal();
};

export const ask = async (path) => {
  try {
    const answer = await fetch(path);
    return await answer.json();
  } catch {
    return { error: "The server does not answer." };
  }
};

export const openImage = async (id) => {
  const image = await ask(`/api/image/${encodeURIComponent(id)}`);
  if (image.error) show(id, make("p", {}, image.error));
  else show(image.title || "untitled photo", ...about(image));
};

export const search = async (typed) => {
  const found = await ask(`/api/search?id=${encodeURIComponent(typed)}`);
  if (found.error) show("Search", make("p", {}, found.error));
  else if (!found.length) show("Search", make("p", {}, `No ImageID of the list begins with ${typed}.`));
  else if (found.length === 1) openImage(found[0].image_id);
  else {
    const items = found.map((card) =>
      make(
        "li",
        {},
        make("button", { type: "button", class: "plain id", onclick: () => openImage(card.image_id) }, card.image_id),
        ` ${card.status} `,
        make("span", { class: "soft" }, card.title),
      ),
    );
    show(`ImageIDs that begin with ${typed}`, make("ul", { class: "found" }, ...items));
  }
};

let areBoxesShown = true;

const shown = (image, file) => {
  const picture = make("img", { class: "large", src: file.picture, alt: image.title || "untitled photo" });
  if (!file.boxes.length) return [picture, make("p", {}, attribution(image))];
  const framed = withBoxes(picture, file.boxes);
  const choose = make("input", { type: "checkbox", checked: areBoxesShown ? "" : undefined });
  const obey = () => {
    areBoxesShown = choose.checked;
    framed.classList.toggle("bare", !areBoxesShown);
  };
  choose.addEventListener("change", obey);
  obey();
  return [framed, make("p", { class: "beside" }, attribution(image), make("label", {}, choose, " boxes"))];
};

const about = (image) => {
  const { download, text } = image;
  const pictures = image.files.filter((file) => file.picture);
  const largest = pictures[pictures.length - 1];
  const facts = [
    ["author", link(image.author_url, image.author || "unknown author")],
    ["licence", link(image.license, image.license_name)],
    ["photo's page", link(image.landing_url, image.landing_url)],
    ["ImageID", make("code", {}, image.image_id)],
    ["subset", image.subset],
    ["state", image.reason ? `${image.status}: ${image.reason}${download.detail ? ` (${download.detail})` : ""}` : image.status],
    ["next try", text.next_attempt],
    ["published size", text.original_size],
    ["downloaded", text.download],
    ["transfer", text.transfer],
    ["boxes", largest && counted(largest.boxes)],
    ["labels", image.labels.join(", ")],
    ["tries", count(download.attempts)],
    ["settled", text.finished],
    ["original", link(image.original_url, image.original_url)],
  ];
  const terms = facts
    .filter(([, value]) => value)
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return [
    ...(largest ? shown(image, largest) : []),
    make("dl", { class: "facts" }, ...terms),
    image.files.length ? files(image.files) : undefined,
    image.failures.length ? failures(image.failures) : undefined,
  ].filter(Boolean);
};

// Opens the URL of a failed try, so that users see what the server answers today. It gets no referrer.
export const tryIt = (url) => (url ? link(url, "open", { title: url, "aria-label": `open ${url}` }) : "");

const table = (title, heads, rows) =>
  make(
    "div",
    { class: "scroll" },
    make("h3", {}, title),
    make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)),
  );

const files = (all) =>
  table(
    "Files",
    [make("th", {}, "rendition"), make("th", { class: "number" }, "size"), make("th", { class: "number" }, "pixels")],
    all.map((file) =>
      make("tr", {}, make("td", {}, file.rendition), number(file.text.size), number(file.text.pixels)),
    ),
  );

const failures = (all) =>
  table(
    "Failed tries, the latest first",
    [make("th", {}, "ago"), make("th", {}, "reason"), make("th", {}, "detail"), make("th")],
    all.map((each) =>
      make(
        "tr",
        {},
        make("td", {}, each.text.ago),
        make("td", {}, each.reason),
        make("td", {}, each.detail),
        make("td", { class: "open" }, tryIt(each.url)),
      ),
    ),
  );
