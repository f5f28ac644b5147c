// The page: follows the server's moments, and shows each. Nothing is computed here that the server knows.

import { ask, openImage, search } from "./details.js";
import { bar, chart, find, make, number, rows, say, stacked } from "./draw.js";
import { arrive, startWall } from "./wall.js";
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
  const left = now.run?.left_s;
  say("left", now.outcome || left == null ? "" : `about ${duration(left)} left`);
  for (const status of STATUSES) say(status, count(now.by_status[status]));
  const parts = STATUSES.map((status) => [status, now.by_status[status]]);
  stacked(find("overall"), parts, now.total, `${share(done + failed, now.total)} settled`);
  document.title = now.total ? `${share(done + failed, now.total)} · oidl` : "oidl";
};

const showRates = (now) => {
  say("images-per-s", rate(now.rates.images_per_s));
  say("read-per-s", `${size(now.rates.read_bytes_per_s)}/s`);
  say("written-per-s", `${size(now.rates.written_bytes_per_s)}/s`);
  for (const name of ["images", "read", "written"]) chart(find(`${name}-chart`), now.history[name]);
};

const NOT_KNOWN = [{ id: "", text: "Only the page of the run itself (oidl run --web) knows." }];
const note = (text) => [make("td", { colspan: 5, class: "soft" }, text)];

// Rows of what may not be known, or of which there is none.
const list = (id, items, none, cells) => {
  const shown = items === null ? NOT_KNOWN : items.length ? items : [{ id: "", text: none }];
  rows(find(id), shown, (item) => item.key ?? item.id, (item) => (item.text ? note(item.text) : cells(item)));
};

const showInHand = (now) => {
  say("downloads-count", now.downloads ? count(now.downloads.length) : "");
  list("downloads", now.downloads, "none", (one) => [
    imageButton(one.id),
    make("td", { class: "soft" }, one.host),
    make("td", { class: "bar" }, bar([["done", one.share ?? 0]], 1, "")),
    number(one.share == null ? size(one.received) : `${Math.floor(100 * one.share)} %`),
  ]);
  say("resizes-count", now.resizes ? count(now.resizes.length) : "");
  list("resizes", now.resizes, "none", (one) => [imageButton(one.id), number(milliseconds(one.elapsed_s))]);
  const paces = now.paces.map((pace) => ({ ...pace, id: pace.provider }));
  list("paces", paces, "nobody was asked yet", (pace) => [
    make("td", {}, pace.provider),
    number(count(pace.window)),
    number(paceWords(pace.rate)),
    make("td", { class: "soft" }, pace.pause_s >= 1 ? `paused for ${duration(pace.pause_s)}: ${pace.why}` : ""),
  ]);
};

const showLast = (now) => {
  const keyed = (items) => items && items.map((item) => ({ ...item, key: `${item.id} ${item.at}` }));
  list("successes", keyed(now.successes), "none yet", (one) => [
    imageButton(one.id),
    number(size(one.bytes)),
    number(`${one.width} × ${one.height}`),
    number(milliseconds(one.transfer_s)),
    number(milliseconds(one.process_s)),
  ]);
  list("failures", keyed(now.failures), "none yet", (one) => [
    imageButton(one.id),
    make("td", { class: one.status === "retry" ? "retry" : "failed" }, one.reason),
    make("td", { class: "soft" }, one.detail),
  ]);
};

// A reason opens to examples, which are asked for then.
const showReasons = (now) => {
  const box = find("reasons");
  const most = Math.max(...now.by_reason.map((row) => row.failed + row.retry), 1);
  if (!now.by_reason.length) box.replaceChildren(make("p", { class: "soft" }, "None has."));
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
  const items = examples.map((each) => make("tr", {}, imageButton(each.id), make("td", {}, each.host ?? ""), make("td", { class: "soft" }, each.detail)));
  const found = items.length ? make("table", {}, make("tbody", {}, ...items)) : make("p", { class: "soft" }, "None among the latest tries.");
  while (one.children.length > 1) one.lastElementChild.remove();
  one.append(found);
};

const showSubsets = (now) => {
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
  showState(now);
  showOverall(now);
  showRates(now);
  showInHand(now);
  showReasons(now);
  showLast(now);
  showSubsets(now);
  arrive(now.pictures);
  find("wall-title").textContent = now.source === "run" ? "Pictures as they arrive" : "Some of the pictures";
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

startWall(openImage);
follow();
showRuns();
setInterval(() => document.body.dataset.outcome || showRuns(), 30_000);
