// Everything that is known about one image, as elements: its attribution, facts, files and failed tries.

import { count, link, make, number } from "./draw.js";
import { coloured, counted, grouped } from "./layers.js";

// The classes on the picture, and the labels of the whole image: what is there and what people said is not there.
export const legend = (image, file) => {
  const boxes = grouped(file?.boxes ?? []).map(([box, boxed]) => chip(box, boxed > 1 ? `× ${boxed}` : ""));
  const masks = image.masked.map((one) => chip(one, one.masks > 1 ? `× ${one.masks}` : ""));
  const labels = (isThere) => image.labels.filter((label) => label.is_there === isThere).map(labelChip);
  return [
    row("boxes", "boxes", boxes),
    row("masks", "masks", masks),
    row("labels", "labels", labels(true)),
    row("labels", "not there", labels(false)),
  ];
};

const row = (layer, name, chips) =>
  chips.length
    ? make("div", { class: `chips of-${layer}` }, make("span", { class: "soft" }, name), make("ul", {}, ...chips))
    : undefined;

const chip = ({ name, colour }, more) =>
  coloured(make("li", { class: "chip" }, name, more && make("span", { class: "soft" }, ` ${more}`)), colour);

const labelChip = (label) => {
  const says = label.by === "machine" ? `a machine is ${Math.round(100 * label.confidence)} % sure` : "people checked it";
  const element = chip(label, label.by === "machine" ? `${Math.round(100 * label.confidence)} %` : "");
  element.title = says;
  if (!label.is_there) element.classList.add("absent");
  return element;
};

const checked = (check) =>
  check &&
  make(
    "span",
    {},
    `${check.verdict}${check.reason ? ` (${check.reason})` : ""}`,
    check.license ? make("span", {}, ": ", link(check.license, check.license_name)) : undefined,
    make("span", { class: "soft" }, `, checked ${check.checked_at}`),
  );

export const facts = (image, file) => {
  const { download, text } = image;
  const state = image.reason ? `${image.status}: ${image.reason}${download.detail ? ` (${download.detail})` : ""}` : image.status;
  const all = [
    ["author", link(image.author_url, image.author || "unknown author")],
    ["licence", link(image.license, image.license_name)],
    ["licence now", checked(image.check)],
    ["photo's page", link(image.landing_url, image.landing_url)],
    ["ImageID", make("code", {}, image.image_id)],
    ["subset", image.subset],
    ["state", state],
    ["next try", text.next_attempt],
    ["published size", text.original_size],
    ["downloaded", text.download],
    ["transfer", text.transfer],
    ["boxes", file && counted(file.boxes)],
    ["tries", count(download.attempts)],
    ["settled", text.finished],
    ["original", link(image.original_url, image.original_url)],
  ];
  const terms = all
    .filter(([, value]) => value)
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return make("dl", { class: "facts" }, ...terms);
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

export const files = (all) =>
  table(
    "Files",
    [make("th", {}, "rendition"), make("th", { class: "number" }, "size"), make("th", { class: "number" }, "pixels")],
    all.map((file) =>
      make("tr", {}, make("td", {}, file.rendition, make("span", { class: "soft detail" }, file.remote ?? "")), number(file.text.size), number(file.text.pixels)),
    ),
  );

export const failures = (all) =>
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
