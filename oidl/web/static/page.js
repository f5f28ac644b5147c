// The page: shows each snapshot that the server sends. Numbers come with their texts; nothing is formatted twice.

import { ask } from "./ask.js";
import { tryIt } from "./details.js";
import { bar, chart, count, find, make, number, rows, say, stacked } from "./draw.js";
import { startExplorer } from "./explore.js";
import { refreshFilter, startFilter } from "./filter.js";
import { arrive, startGrid } from "./grid.js";
import { startKeys } from "./keys.js";
import { filterAddress } from "./link.js";
import { imageButton, showReasons } from "./reasons.js";
import { openImage, search, startViewer } from "./viewer.js";
import { startViews } from "./views.js";

const STATUSES = ["done", "failed", "retry", "pending"];

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-image]");
  if (button) openImage(button.dataset.image);
});

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = find("image-id").value.trim().toLowerCase();
  if (typed) search(typed);
});

const showAbout = ({ root, version, plan }) => {
  say("title", version ? `Open Images V${version}` : "Open Images");
  say("root", root);
  say("plan", plan);
};

const showState = ({ text, is_running: isRunning }) => {
  say("state", text.state);
  say("since", text.elapsed && ` · ${text.elapsed}`); // apart, because it would be read aloud every second
  document.body.dataset.isRunning = isRunning;
};

const showOverall = (now) => {
  say("share", now.text.settled);
  say("settled", count(now.done + now.failed));
  say("total", count(now.total));
  say("left", now.text.left);
  for (const status of STATUSES) say(status, count(now[status]));
  const parts = STATUSES.map((status) => [status, now[status]]);
  stacked(find("overall"), parts, now.total, `${now.text.settled} settled`);
  const root = now.about.root.split("/").pop();
  document.title = [now.total && now.text.settled, root, "oidl"].filter(Boolean).join(" · ");
};

// After a run these are its means. A rate that is not known has no card.
const showRates = ({ text, history, is_running: isRunning }) => {
  for (const name of ["images", "read", "written"]) {
    const rate = text[name === "images" ? "images_per_s" : `${name}_bytes_per_s`];
    find(`${name}-card`).hidden = rate == null;
    if (rate == null) continue;
    say(`${name}-per-s`, rate);
    say(`${name}-mean`, isRunning ? "" : ", on average in the last run with images");
    find(`${name}-chart`).toggleAttribute("hidden", !isRunning && !history[name].length);
    chart(find(`${name}-chart`), history[name]);
  }
};

const note = (text) => [make("td", { colspan: 5, class: "soft" }, text)];

// Rows, or a note that there are none.
const list = (id, items, none, cells) => {
  const shown = items.length ? items : [{ key: "", note: none }];
  rows(find(id), shown, (item) => item.key, (item) => (item.note === undefined ? cells(item) : note(item.note)));
};

const byImage = (items) => items.map((item) => ({ ...item, key: item.image_id }));

const showInProgress = (now) => {
  const isKnown = now.downloads !== null && now.is_running;
  find("downloads-card").hidden = !isKnown;
  find("resizes-part").hidden = !isKnown;
  find("pace-part").hidden = !now.paces.length;
  find("nodes-part").hidden = !now.nodes.length;
  find("pace-card").hidden = !isKnown && !now.paces.length && !now.nodes.length;
  if (isKnown) {
    say("downloads-count", count(now.run.downloads));
    list("downloads", byImage(now.downloads), "none", (one) => [
      imageButton(one.image_id),
      make("td", { class: "soft", title: one.host }, one.node ?? one.host),
      make("td", { class: "bar" }, bar([["done", one.percent ?? 0]], 100, "")),
      number(one.text.received),
    ]);
    say("resizes-count", count(now.run.resizes));
    list("resizes", byImage(now.resizes), "none", (one) => [imageButton(one.image_id), number(one.text.elapsed)]);
  }
  const paces = now.paces.map((pace) => ({ ...pace, key: `${pace.provider} ${pace.node ?? ""}` }));
  list("paces", paces, "", (pace) => [
    make("td", {}, pace.node ? `${pace.provider} from ${pace.node}` : pace.provider),
    number(count(pace.window)),
    number(pace.text.rate),
    make("td", { class: "soft" }, pace.text.pause),
  ]);
  list("nodes", now.nodes.map((node) => ({ ...node, key: `${node.name} ${node.host}` })), "", (node) => [
    make("td", {}, node.name),
    number(count(node.images)),
    number(node.text.images_per_s),
    number(count(node.in_progress)),
    make("td", { class: "soft" }, node.lost ?? ""),
  ]);
};

const byTime = (items) => items.map((item) => ({ ...item, key: `${item.image_id} ${item.time}` }));

const showLast = (now) => {
  find("successes-card").hidden = !now.is_running && !now.successes.length;
  find("failures-card").hidden = !now.is_running && !now.failures.length;
  const isResizeKnown = !now.successes.length || now.successes.some((one) => one.process_s != null);
  find("successes-table").classList.toggle("no-resize", !isResizeKnown); // the database does not record it
  list("successes", byTime(now.successes), "none yet", ({ image_id: id, text }) => [
    imageButton(id),
    number(text.size),
    number(text.pixels),
    number(text.transfer),
    number(text.process),
  ]);
  list("failures", byTime(now.failures), "none yet", failure);
};

const failure = (one) => [
  imageButton(one.image_id),
  make(
    "td",
    {},
    make("span", { class: one.status === "retry" ? "retry" : "failed" }, one.reason),
    make("span", { class: "soft detail" }, one.detail),
  ),
  make("td", { class: "open" }, tryIt(one.url)),
];

const showSubsets = (now) => {
  find("subsets-card").hidden = !now.is_running && !now.total;
  const subsets = Object.entries(now.by_subset).map(([key, row]) => ({ key, ...row }));
  list("subsets", subsets, "not loaded yet", (row) => {
    const total = row.done + row.failed + row.retry + row.pending;
    const parts = STATUSES.map((status) => [status, row[status]]);
    return [
      make("td", {}, make("a", { href: filterAddress({ subset: row.key }) }, row.key)),
      make("td", { class: "bar" }, bar(parts, total, `${now.text.subsets[row.key]} settled`)),
      number(count(row.done)),
      number(count(row.failed)),
      number(count(total)),
    ];
  });
};

const showRuns = async () => {
  const runs = await ask("/api/runs");
  if (runs.error) return;
  find("runs-card").hidden = !runs.length;
  list("runs", runs.map((run) => ({ ...run, key: String(run.id) })), "none yet", (run) => [
    make("td", {}, run.text.started),
    make("td", {}, run.outcome ?? "active"),
    number(run.text.elapsed),
    number(count(run.done)),
    number(count(run.failed)),
    number(run.text.read),
  ]);
};

const show = (now) => {
  showAbout(now.about);
  showState(now);
  showOverall(now);
  showRates(now);
  showInProgress(now);
  showReasons(now);
  showLast(now);
  showSubsets(now);
  arrive(now.pictures);
  say("grid-title", now.source === "run" ? "Images as they arrive" : "Some of the images");
};

const follow = () => {
  const events = new EventSource("/events");
  let isLost = 0;
  events.onmessage = (event) => {
    clearTimeout(isLost);
    isLost = 0;
    const now = JSON.parse(event.data);
    show(now);
    if (now.source === "run" && !now.is_running) {
      events.close(); // the server ends with the run; the page stays as it is
      showRuns();
    }
  };
  events.onerror = () => {
    isLost ||= setTimeout(() => say("state", "the server does not answer; trying again …"), 2500);
  };
};

startGrid(openImage);
startViews();
startFilter();
startExplorer();
startViewer();
startKeys();
follow();
showRuns();
setInterval(() => {
  if (document.body.dataset.isRunning === "false") return;
  showRuns();
  refreshFilter();
}, 30_000);
