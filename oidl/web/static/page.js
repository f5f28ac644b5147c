// The page: follows the server's moments, and shows each. Nothing is computed here that the server knows.

import { ask, openImage, search, tryIt } from "./details.js";
import { bar, chart, find, make, number, rows, say, stacked } from "./draw.js";
import { offerSubsets, refreshFilter, startFilter } from "./filter.js";
import { arrive, startGrid } from "./grid.js";
import { count, duration, milliseconds, moment, pace as paceWords, rate, share, size } from "./words.js";

const STATUSES = ["done", "failed", "retry", "pending"];
const OUTCOMES = {
  finished: "finished: every image is settled",
  unfinished: "not finished: run it again to go on",
  limit: "stopped at a limit",
  interrupted: "interrupted; run it again to go on",
  disk: "stopped: a file could not be written",
  metadata: "some metadata could not be had",
  bug: "stopped: oidl failed; the log has the traceback",
  error: "stopped: oidl failed; the log has the traceback",
  killed: "killed; run it again to go on",
};

const imageButton = (id) =>
  make("td", {}, make("button", { type: "button", class: "plain id", "data-image": id }, id));

document.addEventListener("click", (event) => {
  const chosen = event.target.closest?.("[data-image]");
  if (chosen) openImage(chosen.dataset.image);
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

const showState = (now) => {
  const run = now.run;
  say("since", run ? ` · ${duration(run.elapsed_s)}` : ""); // apart, as it would be read aloud every second
  if (!now.outcome) say("state", now.total ? "a run is at work" : "loading the image list");
  else if (now.outcome === "none yet") say("state", "no run yet");
  else say("state", `last run ${OUTCOMES[now.outcome] ?? `ended: ${now.outcome}`}`);
  document.body.dataset.outcome = now.outcome ?? "";
};

const showOverall = (now) => {
  const { done, failed } = now.by_status;
  say("share", now.total ? share(done + failed, now.total) : "–");
  say("settled", count(done + failed));
  say("total", count(now.total));
  const left = now.run?.eta_s;
  const lasts = now.outcome || left == null ? "" : `about ${duration(left)} left`;
  say("left", [now.plan, lasts].filter(Boolean).join(" · "));
  for (const status of STATUSES) say(status, count(now.by_status[status]));
  const parts = STATUSES.map((status) => [status, now.by_status[status]]);
  stacked(find("overall"), parts, now.total, `${share(done + failed, now.total)} settled`);
  const root = now.about.root.split("/").pop();
  document.title = [now.total && share(done + failed, now.total), root, "oidl"].filter(Boolean).join(" · ");
};

// Of a run that has ended its means are shown, and what is not known is not there.
const showRates = (now) => {
  const rates = now.rates ?? {};
  const shown = { images: rates.images_per_s, read: rates.read_bytes_per_s, written: rates.written_bytes_per_s };
  for (const [name, value] of Object.entries(shown)) {
    find(`${name}-card`).hidden = value == null;
    if (value == null) continue;
    say(`${name}-per-s`, name === "images" ? rate(value) : `${size(value)}/s`);
    say(`${name}-mean`, rates.are_means ? ", on average in the last run with images" : "");
    find(`${name}-chart`).toggleAttribute("hidden", rates.are_means && !now.history[name].length);
    chart(find(`${name}-chart`), now.history[name]);
  }
};

const note = (text) => [make("td", { colspan: 5, class: "soft" }, text)];

// Rows, or in words that there are none.
const list = (id, items, none, cells) => {
  const shown = items.length ? items : [{ id: "", text: none }];
  rows(find(id), shown, (item) => item.key ?? item.id, (item) => (item.text ? note(item.text) : cells(item)));
};

const showInHand = (now) => {
  const isKnown = now.downloads !== null && !now.outcome;
  find("downloads-card").hidden = !isKnown;
  find("resizes-part").hidden = !isKnown;
  find("pace-part").hidden = !now.paces.length;
  find("pace-card").hidden = !isKnown && !now.paces.length;
  if (isKnown) {
    say("downloads-count", count(now.downloads.length));
    list("downloads", now.downloads, "none", (one) => [
      imageButton(one.id),
      make("td", { class: "soft" }, one.host),
      make("td", { class: "bar" }, bar([["done", one.share ?? 0]], 1, "")),
      number(one.share == null ? size(one.received) : `${Math.floor(100 * one.share)} %`),
    ]);
    say("resizes-count", count(now.resizes.length));
    list("resizes", now.resizes, "none", (one) => [imageButton(one.id), number(milliseconds(one.elapsed_s))]);
  }
  const paces = now.paces.map((pace) => ({ ...pace, id: pace.provider }));
  list("paces", paces, "", (pace) => [
    make("td", {}, pace.provider),
    number(count(pace.window)),
    number(paceWords(pace.rate)),
    make("td", { class: "soft" }, pace.pause_s >= 1 ? `paused for ${duration(pace.pause_s)}: ${pace.why}` : ""),
  ]);
};

const showLast = (now) => {
  const keyed = (items) => items.map((item) => ({ ...item, key: `${item.id} ${item.at}` }));
  find("successes-card").hidden = now.outcome && !now.successes.length;
  find("failures-card").hidden = now.outcome && !now.failures.length;
  const isResizeKnown = !now.successes.length || now.successes.some((one) => one.process_s != null);
  find("successes-table").classList.toggle("no-resize", !isResizeKnown); // a database does not note it
  list("successes", keyed(now.successes), "none yet", (one) => [
    imageButton(one.id),
    number(one.bytes == null ? "–" : size(one.bytes)),
    number(one.width == null ? "–" : `${one.width} × ${one.height}`),
    number(milliseconds(one.transfer_s)),
    number(milliseconds(one.process_s)),
  ]);
  list("failures", keyed(now.failures), "none yet", failure);
};

const failure = (one) => [
  imageButton(one.id),
  make(
    "td",
    {},
    make("span", { class: one.status === "retry" ? "retry" : "failed" }, one.reason),
    make("span", { class: "soft detail" }, one.detail),
  ),
  make("td", { class: "open" }, tryIt(one.url)),
];

// A reason opens to examples, which are asked for then.
const showReasons = (now) => {
  const box = find("reasons");
  find("reasons-card").hidden = now.outcome && !now.by_reason.length;
  const most = Math.max(...now.by_reason.map((row) => row.failed + row.retry), 1);
  if (!now.by_reason.length) box.replaceChildren(make("p", { class: "soft" }, "none so far"));
  else box.querySelector("p.soft")?.remove();
  const old = new Map([...box.querySelectorAll("details")].map((one) => [one.dataset.reason, one]));
  for (const row of now.by_reason) {
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
      imageButton(each.id),
      make("td", {}, each.host ?? "", make("span", { class: "soft detail" }, each.detail)),
      make("td", { class: "open" }, tryIt(each.url)),
    ),
  );
  const found = items.length ? make("table", {}, make("tbody", {}, ...items)) : make("p", { class: "soft" }, "None among the latest tries.");
  while (one.children.length > 1) one.lastElementChild.remove();
  one.append(found);
};

const showSubsets = (now) => {
  offerSubsets(Object.keys(now.by_subset));
  find("subsets-card").hidden = now.outcome && !now.total;
  const subsets = Object.entries(now.by_subset).map(([id, row]) => ({ id, ...row }));
  list("subsets", subsets, "not loaded yet", (row) => {
    const total = row.done + row.failed + row.retry + row.pending;
    const parts = STATUSES.map((status) => [status, row[status]]);
    return [
      make("td", {}, row.id),
      make("td", { class: "bar" }, bar(parts, total, share(row.done + row.failed, total))),
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
  list("runs", runs.map((run) => ({ ...run, id: String(run.id) })), "none yet", (run) => [
    make("td", {}, moment(run.started_at)),
    make("td", {}, run.outcome ?? "at work"),
    number(duration(run.elapsed_s)),
    number(count(run.done)),
    number(count(run.failed)),
    number(size(run.bytes)),
  ]);
};

const show = (now) => {
  showAbout(now.about);
  showState(now);
  showOverall(now);
  showRates(now);
  showInHand(now);
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
    if (now.source === "run" && now.outcome) {
      events.close(); // the server goes with the run; what is on the page stays
      showRuns();
    }
  };
  events.onerror = () => {
    isLost ||= setTimeout(() => say("state", "the server does not answer; trying again …"), 2500);
  };
};

startGrid(openImage);
startFilter();
follow();
showRuns();
setInterval(() => {
  if (document.body.dataset.outcome) return;
  showRuns();
  refreshFilter();
}, 30_000);
