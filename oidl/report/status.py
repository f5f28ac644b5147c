"""The text of `oidl status`; `snapshot` is the same as JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime

from oidl.hints import command
from oidl.model import Reason, Status
from oidl.net.pace import PaceState
from oidl.progress.format import due_words, duration, moment_words, pace_words, size
from oidl.reasons import meaning
from oidl.report.describe import plan_words, share, skipped_words
from oidl.report.licenses import license_shares, shares_lines
from oidl.report.snapshot import eta_s
from oidl.state.counts import Counts, PaceRow, RunRow
from oidl.state.plan_counts import PlanCounts
from oidl.state.times import parse_timestamp
from oidl.text import counted

_MOST_PAUSES = 5
_MOST_NODES = 20


def status_text(counts: Counts, *, is_running: bool, free_bytes: int | None = None) -> str:
    """Some lines and three small tables; `free_bytes` is the free space on the disk with the files."""
    if not counts.total:
        return "The image list is not loaded yet." + (" A run is active." if is_running else "")
    parts = [
        _subsets(counts),
        _reasons(counts),
        _files(counts, free_bytes),
        _packs(counts),
        _licenses(counts),
        _run_lines(counts, is_running),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _subsets(counts: Counts) -> list[str]:
    by_status = counts.by_status
    settled = _settled(by_status)
    listed = " in the list" if counts.plan else ""
    return [
        *([f"{plan_words(counts.plan)}.", ""] if counts.plan else []),
        f"Open Images V{counts.dataset_version}: {settled:,} of {counted(counts.total, 'image')}{listed} settled "
        f"({share(settled, counts.total)}), {size(counts.bytes_downloaded)} downloaded for those that are done",
        "",
        _row("", [*Status, "total", "settled"]),
        *(_subset(subset, row) for subset, row in counts.by_subset.items()),
        _subset("all", by_status),
        *(["", skipped_words(counts.skipped_rows)] if counts.skipped_rows else []),
    ]


def _subset(name: str, row: dict[Status, int]) -> str:
    total = sum(row.values())
    return _row(name, [*(f"{row[status]:,}" for status in Status), f"{total:,}", share(_settled(row), total)])


def _reasons(counts: Counts) -> list[str]:
    """One row per reason: the images that failed for good, those that will be retried, and its meaning."""
    if not counts.by_reason:
        return []
    ranked = sorted(counts.by_reason.items(), key=lambda item: -sum(item[1].values()))
    return [
        "Why images failed:",
        "",
        f"{'for good':>12}{'to retry':>12}",
        *(
            f"{row[Status.FAILED]:>12,}{row[Status.RETRY]:>12,}  {reason:<14} {meaning(reason)}"
            for reason, row in ranked
        ),
        *_next_try(counts),
    ]


def _next_try(counts: Counts) -> list[str]:
    """The commands that try failed images again; none for those that were removed because of their licence."""
    every = command("run", "--retry-failed")
    is_waiting = any(row[Status.RETRY] for row in counts.by_reason.values())
    removed = counts.by_reason.get(Reason.LICENSE, {}).get(Status.FAILED, 0)
    others = sum(row[Status.FAILED] for row in counts.by_reason.values()) - removed
    if is_waiting and counts.is_plan_done:
        return ["", _needless(counts.plan)]
    if is_waiting:
        them = "all others" if removed else "all of them"
        return ["", f"Run {command('run')} for those to retry, or {every} for {them}."]
    return ["", f"Run {every} to try {'the others' if removed else 'them'} again."] if others else []


def _needless(plan: PlanCounts | None) -> str:
    """Why the next run, whose `plan` is done, will retry nothing."""
    if plan and plan.is_full:
        return "The images to retry are not needed, because there are enough of each class."
    if plan and plan.is_enough:
        every = command("run", "--limit all")
        return f"The images to retry are not needed, because the limit is reached; use {every} to lift it."
    return f"The images to retry are not in the plan of this root; see {command('plan')}."


def _files(counts: Counts, free_bytes: int | None) -> list[str]:
    if not counts.files:
        return []
    files, taken = (sum(column) for column in zip(*counts.files.values(), strict=True))
    free = "" if free_bytes is None else f", {size(free_bytes)} free"
    return [
        "On disk:",
        "",
        f"{'images' if counts.shards else 'files':>12}{'size':>12}",
        *(f"{files:>12,}{size(taken):>12}  {name}" for name, (files, taken) in counts.files.items()),
        f"{files:>12,}{size(taken):>12}  in all{free}",
        *_shards(counts),
    ]


def _shards(counts: Counts) -> list[str]:
    if not counts.shards:
        return []
    return [
        "",
        "Of these in shards:",
        "",
        f"{'complete':>12}{'open':>12}{'size':>12}",
        *(f"{each.sealed:>12,}{each.open:>12,}{size(each.bytes):>12}  {name}" for name, each in counts.shards.items()),
        *_uploads(counts),
    ]


def _uploads(counts: Counts) -> list[str]:
    uploaded, remote, waiting = (
        sum(getattr(each, name) for each in counts.shards.values()) for name in ("uploaded", "remote", "waiting")
    )
    if not uploaded and not waiting:
        return []
    only = f", {remote:,} of them nowhere else" if remote else ""
    return [
        "",
        f"Uploaded to an object store: {counted(uploaded, 'shard')}{only}; {waiting:,} waiting for the next run.",
    ]


def _packs(counts: Counts) -> list[str]:
    if not counts.packs:
        return []
    rows = [(f"{each.sealed:,} of {each.shards:,}", each) for each in counts.packs]
    return [
        "Packed, complete shards of those planned:",
        "",
        f"{'shards':>16}{'size':>12}",
        *(f"{shards:>16}{size(each.bytes):>12}  {each.directory} ({each.format})" for shards, each in rows),
    ]


def _licenses(counts: Counts) -> list[str]:
    lines = shares_lines(license_shares(counts.licenses))
    return ["Licences now:", "", *lines] if lines else []


def _run_lines(counts: Counts, is_running: bool) -> list[str]:
    run = counts.run
    if is_running and (run is None or run.finished_at):
        return ["Another oidl command is using the database.", *_run_lines(counts, is_running=False)]
    if run is None:
        return ["No run yet."]
    due = []
    if counts.next_attempt_at and not counts.is_plan_done:
        resume = "." if is_running else f"; {command('run')} resumes."
        moment = parse_timestamp(counts.next_attempt_at)
        due = [f"The next retry is due {due_words(moment) if moment else _words(counts.next_attempt_at)}{resume}"]
    if not is_running:
        outcome = run.outcome or "killed"
        ended = _words(run.finished_at or run.updated_at)
        return [
            f"Last run: {outcome}, {ended}; {run.done:,} done, {run.failed:,} failed{_throttled(run)}.",
            *pause_lines(counts, datetime.now(UTC)),
            *due,
        ]
    line = (
        f"A run has been active since {_words(run.started_at)}: {run.done:,} done, {run.failed:,} failed"
        f"{_throttled(run)}, {run.images_per_s:.1f} img/s, {size(round(run.bytes_per_s))}/s"
    )
    left_s = eta_s(run, counts)
    return [
        line + (f", about {duration(left_s)} left." if left_s is not None else "."),
        *_node_lines(counts),
        *(f"  {_pace_words(pace, run)}" for pace in counts.paces if pace.updated_at >= run.started_at),
        *due,
    ]


def _node_lines(counts: Counts) -> Iterator[str]:
    """What each node of the run does, at most twenty of them, and how many have ended."""
    living = [node for node in counts.nodes if node.lost is None]
    for node in living[:_MOST_NODES]:
        yield f"  node {node.name}: {node.images:,} done, {node.images_per_s:.1f} img/s, {node.in_progress} in progress"
    if len(living) > _MOST_NODES:
        yield f"  and {counted(len(living) - _MOST_NODES, 'node')} more"
    if ended := len(counts.nodes) - len(living):
        yield f"  {counted(ended, 'node')} ended, the last one: {counts.nodes[-1].name} {counts.nodes[-1].lost}"


def pause_lines(counts: Counts, now: datetime) -> list[str]:
    """At most five providers that the next run will not ask for a while, why, and how to ask them anyway."""
    paused = [pace for pace in counts.paces if (until := parse_timestamp(pace.paused_until)) and until > now]
    return [
        f'{pace.provider} is paused until {_words(pace.paused_until)}, because it answered "too many requests"; '
        f"run {command('run', '--retry-now')} to resume at once."
        for pace in paused[:_MOST_PAUSES]
    ]


def _throttled(run: RunRow) -> str:
    return f", {counted(run.throttled, 'request')} throttled" if run.throttled else ""


def _pace_words(pace: PaceRow, run: RunRow) -> str:
    until, updated = parse_timestamp(pace.paused_until), parse_timestamp(run.updated_at)
    pause_s = (until - updated).total_seconds() if until and updated else 0.0
    return pace_words(PaceState(pace.provider, pace.window, pace.rate, pause_s, node=pace.node))


def _settled(row: dict[Status, int]) -> int:
    return row[Status.DONE] + row[Status.FAILED]


def _words(text: str | None) -> str:
    """A time from the database, for people; text that is not a time is returned unchanged."""
    moment = parse_timestamp(text)
    return moment_words(moment) if moment else text or "at an unknown time"


def _row(name: str, cells: list[str]) -> str:
    return f"{name:<12}" + "".join(f"{cell:>11}" for cell in cells)
