"""What the page is sent each second, as JSON: the snapshot of a run or a database, and what only the page shows. Pure.

The keys of `--progress json` are those of a run's snapshot. Both kinds have the same keys; what a database does not
know, or is not asked for, is null.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from oidl.model import Status
from oidl.progress.snapshot import Json, run_snapshot, status_counts
from oidl.progress.statistics import Second, Statistics
from oidl.reasons import meaning
from oidl.report.snapshot import database_snapshot
from oidl.state.counts import Counts, RunRow
from oidl.state.image_lookup import DoneImage, FailedAttempt
from oidl.state.plan_counts import PlanCounts
from oidl.web.images import failure_json


def about_json(root_dir: Path, dataset_version: str | None, plan: str) -> Json:
    """What the page is about: the root, the dataset's version if it is known, and the plan as options."""
    return {"root": str(root_dir), "version": dataset_version, "plan": plan}


def run_page(now: Statistics, at: datetime) -> Json:
    """A snapshot of the run in this process. The page's process adds the pictures, the texts and what it is about."""
    means = _means(now.elapsed_s, now.done + now.failed, now.bytes_read, now.bytes_written)
    return run_snapshot(now, at) | {
        "source": "run",
        "is_running": now.outcome is None,
        "means": None if now.outcome is None else means,
        "history": _history(now.history),
        "reasons": _reasons({reason.value: row for reason, row in now.failures.items()}),
    }


def database_page(
    counts: Counts,
    at: datetime,
    history: Sequence[Second],
    successes: Iterable[DoneImage],
    tries: Iterable[FailedAttempt],
    *,
    is_running: bool,
    worked: RunRow | None = None,
) -> Json:
    """A snapshot of a database, which another process may be writing.

    `means` are of `worked`, the last run that settled any images. Where the plan chooses images, the numbers in all
    are those of the plan.
    """
    plan = counts.plan
    means = _means(worked.elapsed_s, worked.done + worked.failed, worked.bytes, None) if worked else None
    return {
        **database_snapshot(counts, at, is_running=is_running),
        **status_counts(_of_plan(plan) if plan else counts.by_status),
        "source": "database",
        "is_running": is_running,
        "written_bytes_per_s": history[-1].bytes_written if is_running and history else None,
        "means": None if is_running else means,
        "history": _history(history),
        "reasons": _reasons(plan.by_reason if plan else counts.by_reason),
        "reading": None,
        "downloads": None,
        "resizes": None,
        "successes": [_success(each) for each in successes],
        "failures": [failure_json(each) for each in tries],
    }


def run_json(run: RunRow) -> Json:
    """One run, for the list of runs."""
    return {
        "id": run.id,
        "started_at": run.started_at,
        "outcome": run.outcome,
        "elapsed_s": run.elapsed_s,
        "done": run.done,
        "failed": run.failed,
        "bytes_read": run.bytes,
    }


def in_a_line(value: Json) -> str:
    """`value` as one line of JSON."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _success(done: DoneImage) -> Json:
    return {
        "time": done.at,
        "image_id": done.image_id,
        "subset": done.subset,
        "url": done.url,
        "bytes": done.bytes,
        "width": done.width,
        "height": done.height,
        "files": None,
        "transfer_s": done.transfer_s,
        "process_s": None,
    }


def _means(elapsed_s: float, images: int, bytes_read: int, bytes_written: int | None) -> Json | None:
    """The mean rates of a whole run; None if it took no time."""
    if not elapsed_s:
        return None
    return {
        "images_per_s": images / elapsed_s,
        "read_bytes_per_s": bytes_read / elapsed_s,
        "written_bytes_per_s": None if bytes_written is None else bytes_written / elapsed_s,
    }


def _of_plan(plan: PlanCounts) -> dict[Status, int]:
    """How the images of a plan stand; of the pending ones, only as many count as the limit asks for."""
    left = plan.left
    retry = min(left, plan.by_status[Status.RETRY])
    return {
        Status.PENDING: left - retry,
        Status.RETRY: retry,
        Status.DONE: plan.by_status[Status.DONE],
        Status.FAILED: plan.by_status[Status.FAILED],
    }


def _reasons(by_reason: Mapping[str, Mapping[Status, int]]) -> list[Json]:
    """Why images failed, the most frequent reason first."""
    ranked = sorted(by_reason.items(), key=lambda item: -sum(item[1].values()))
    return [
        {"reason": reason, "meaning": meaning(reason), "failed": row[Status.FAILED], "retry": row[Status.RETRY]}
        for reason, row in ranked
        if any(row.values())
    ]


def _history(seconds: Sequence[Second]) -> Json:
    return {
        "images": [second.images for second in seconds],
        "read": [second.bytes_read for second in seconds],
        "written": [second.bytes_written for second in seconds],
    }
