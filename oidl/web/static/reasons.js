// Why images failed: a bar for each reason.

import { ask } from "./ask.js";
import { tryIt } from "./details.js";
import { bar, count, find, make } from "./draw.js";
import { filterAddress } from "./link.js";

export const imageButton = (id) =>
  make("td", {}, make("button", { type: "button", class: "plain id", "data-image": id }, id));

// A reason opens to examples, which are fetched then.
export const showReasons = (now) => {
  const box = find("reasons");
  find("reasons-card").hidden = !now.is_running && !now.reasons.length;
  const most = Math.max(...now.reasons.map((row) => row.failed + row.retry), 1);
  if (!now.reasons.length) box.replaceChildren(make("p", { class: "soft" }, "none so far"));
  else box.querySelector("p.soft")?.remove();
  const old = new Map([...box.querySelectorAll("details")].map((one) => [one.dataset.reason, one]));
  for (const row of now.reasons) {
    const one = old.get(row.reason) ?? make("details", { "data-reason": row.reason, ontoggle: showExamples }, make("summary"));
    one.firstElementChild.replaceChildren(
      make("span", { class: "reason" }, make("code", {}, row.reason), make("span", { class: "soft" }, row.meaning)),
      bar([["failed", row.failed], ["retry", row.retry]], most, ""),
      make("span", { class: "number" }, `${count(row.failed)} for good`, row.retry ? `, ${count(row.retry)} to retry` : ""),
    );
    old.delete(row.reason);
    box.append(one);
  }
  for (const gone of old.values()) gone.remove();
};

const showExamples = async (event) => {
  const one = event.target;
  if (!one.open) return;
  const examples = (await ask("/api/examples"))[one.dataset.reason] ?? [];
  const items = examples.map((each) =>
    make(
      "tr",
      {},
      imageButton(each.image_id),
      make("td", {}, each.text.host, make("span", { class: "soft detail" }, each.detail)),
      make("td", { class: "open" }, tryIt(each.url)),
    ),
  );
  const found = items.length ? make("table", {}, make("tbody", {}, ...items)) : make("p", { class: "soft" }, "None among the latest tries.");
  while (one.children.length > 1) one.lastElementChild.remove();
  const all = make("a", { href: filterAddress({ reason: one.dataset.reason }) }, "Look through all of them");
  one.append(found, make("p", { class: "look" }, all));
};
