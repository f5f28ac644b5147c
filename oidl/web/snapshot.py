"""What a browser is sent each second: the state of a run or of a database, as JSON. Pure.

Both have the same keys; what a database does not know is null.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from oidl.model import Status
from oidl.progress.statistics import Failed, Second, Statistics, Success
from oidl.reasons import meaning
from oidl.report.words import plan_words
from oidl.state.counts import Counts, RunFacts
from oidl.state.gallery import Card, DoneImage, Try
from oidl.state.plan_counts import PlanCounts
from oidl.state.times import parse_timestamp
from oidl.web.images import Json, attempt_json, host_of, summary_json, try_json


def about_json(root_dir: Path, dataset_version: str | None, plan: str) -> Json:
    """What the page is about: the root, the dataset's version if it is known, and the plan as options."""
    return {"root": str(root_dir), "version": dataset_version, "plan": plan}


def run_snapshot(now: Statistics) -> Json:
    """A snapshot of the run in this process. The page adds the pictures, and what it is about."""
    settled = now.done + now.failed
    return {
        "source": "run",
        "outcome": now.outcome,
        "rates": _rates(now.images_per_s, now.read_bytes_per_s, now.written_bytes_per_s)
        if now.outcome is None
        else _means(now.elapsed_s, settled, now.bytes_read, now.bytes_written),
        "run": {
            "elapsed_s": now.elapsed_s,
            "done": now.done,
            "failed": now.failed,
            "retried": now.retried,
            "bytes_read": now.bytes_read,
            "bytes_written": now.bytes_written,
            "eta_s": now.eta_s,
        },
        "plan": None,
        **_standing(now.by_subset, {reason.value: row for reason, row in now.failures.items()}),
        "history": _history(now.history),
        "downloads": [
            {
                "id": transfer.image_id,
                "host": transfer.host,
                "received": transfer.received_bytes,
                "expected": transfer.expected_bytes,
                "share": transfer.share,
                "elapsed_s": transfer.elapsed_s,
            }
            for transfer in now.transfers
        ],
        "resizes": [{"id": image.image_id, "elapsed_s": image.elapsed_s} for image in now.processing],
        "paces": [
            {
                "provider": pace.provider,
                "window": pace.window,
                "rate": pace.rate,
                "pause_s": pace.pause_s,
                "why": pace.pause_reason,
            }
            for pace in now.paces
        ],
        "successes": [_success(success) for success in now.successes],
        "failures": [_failed(failed) for failed in now.failed_tries],
    }


def database_snapshot(
    counts: Counts,
    history: Sequence[Second],
    successes: Iterable[DoneImage],
    tries: Iterable[Try],
    cards: Iterable[Card],
    *,
    is_running: bool,
    worked: RunFacts | None = None,
) -> Json:
    """A snapshot of a database, which another process may be writing.

    While no run is active, the rates are means of `worked`, the last run that settled any images.
    """
    run = counts.run
    rates: Json | None = None
    if run is not None and is_running:
        rates = _rates(run.images_per_s, run.bytes_per_s, history[-1].bytes_written if history else 0)
    elif worked is not None:
        rates = _means(worked.elapsed_s, worked.done + worked.failed, worked.bytes, None)
    left = counts.plan.left if counts.plan else counts.by_status[Status.PENDING] + counts.by_status[Status.RETRY]
    return {
        "source": "database",
        "outcome": None if is_running else (run.outcome or "killed" if run else "none yet"),
        "rates": rates,
        "run": run
        and {
            "elapsed_s": run.elapsed_s,
            "done": run.done,
            "failed": run.failed,
            "retried": None,
            "bytes_read": run.bytes,
            "bytes_written": None,
            "eta_s": left / run.images_per_s if run.images_per_s and is_running else None,
        },
        "plan": counts.plan and plan_words(counts.plan),
        **_standing(counts.by_subset, counts.plan.by_reason if counts.plan else counts.by_reason),
        **(_of_plan(counts.plan) if counts.plan else {}),
        "history": _history(history),
        "downloads": None,
        "resizes": None,
        "paces": [
            {"provider": pace.provider, "window": pace.window, "rate": pace.rate, "pause_s": 0, "why": ""}
            for pace in counts.paces
        ],
        "successes": [_done_json(each) for each in successes],
        "failures": [try_json(each) for each in tries],
        "pictures": [summary_json(card) for card in cards],
    }


def in_a_line(value: Json) -> str:
    """`value` as one line of JSON."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def run_json(run: RunFacts) -> Json:
    """One run, for the list of runs."""
    return {
        "id": run.id,
        "started_at": run.started_at,
        "outcome": run.outcome,
        "elapsed_s": run.elapsed_s,
        "done": run.done,
        "failed": run.failed,
        "bytes": run.bytes,
    }


def _done_json(done: DoneImage) -> Json:
    finished_at = parse_timestamp(done.at)
    return {
        "id": done.image_id,
        "subset": done.subset,
        "host": host_of(done.url),
        "bytes": done.bytes,
        "width": done.width,
        "height": done.height,
        "transfer_s": done.transfer_s,
        "process_s": None,
        "at": finished_at.timestamp() if finished_at else 0.0,
    }


def _success(success: Success) -> Json:
    return {
        "id": success.image_id,
        "subset": success.subset,
        "host": host_of(success.url),
        "bytes": success.bytes,
        "width": success.width,
        "height": success.height,
        "transfer_s": success.transfer_s,
        "process_s": success.process_s,
        "at": success.finished_at,
    }


def _failed(failed: Failed) -> Json:
    return attempt_json(
        failed.image_id,
        failed.subset,
        failed.status,
        failed.reason,
        failed.detail,
        failed.http_status,
        failed.url,
        failed.at,
    )


def _rates(images: float, read: float, written: float | None, *, are_means: bool = False) -> Json:
    return {
        "images_per_s": images,
        "read_bytes_per_s": read,
        "written_bytes_per_s": written,
        "are_means": are_means,
    }


def _means(elapsed_s: float, images: int, read: int, written: int | None) -> Json | None:
    """The mean rates of a whole run; None if it took no time."""
    if not elapsed_s:
        return None
    return _rates(
        images / elapsed_s, read / elapsed_s, None if written is None else written / elapsed_s, are_means=True
    )


def _of_plan(plan: PlanCounts) -> Json:
    """How the images of a plan stand; of the pending ones, only as many count as the limit asks for."""
    is_full = plan.classes > 0 and plan.full_classes == plan.classes
    left = 0 if is_full else plan.left
    retry = min(left, plan.by_status[Status.RETRY])
    done, failed = plan.by_status[Status.DONE], plan.by_status[Status.FAILED]
    by_status = {Status.PENDING: left - retry, Status.RETRY: retry, Status.DONE: done, Status.FAILED: failed}
    return {"total": sum(by_status.values()), "by_status": {status.value: by_status[status] for status in Status}}


def _standing(by_subset: dict[str, dict[Status, int]], by_reason: Mapping[str, Mapping[Status, int]]) -> Json:
    by_status = {status.value: sum(row[status] for row in by_subset.values()) for status in Status}
    ranked = sorted(by_reason.items(), key=lambda item: -sum(item[1].values()))
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "by_subset": {subset: {status.value: row[status] for status in Status} for subset, row in by_subset.items()},
        "by_reason": [
            {
                "reason": reason,
                "meaning": meaning(reason),
                "failed": row[Status.FAILED],
                "retry": row[Status.RETRY],
            }
            for reason, row in ranked
            if any(row.values())
        ],
    }


def _history(seconds: Sequence[Second]) -> Json:
    return {
        "images": [second.images for second in seconds],
        "read": [second.bytes_read for second in seconds],
        "written": [second.bytes_written for second in seconds],
    }
