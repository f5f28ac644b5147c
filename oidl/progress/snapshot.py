"""A snapshot of a run as JSON, for `--progress json` and for the web page. Pure.

The keys are a public interface, which `oidl help json` lists. `oidl status --json` and the page of a database use
the same keys for the same things: `report.snapshot` and `web.snapshot` build on the functions here.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from oidl.model import NodeProgress, Status
from oidl.net.pace import PaceState
from oidl.progress.statistics import Failed, Statistics, Success

Json = dict[str, Any]


def run_snapshot(now: Statistics, at: datetime, before: Statistics | None = None) -> Json:
    """All numbers of a run at the time `at`.

    `successes` and `failures` are those since `before`, at most the last hundred of each.
    """
    done, tries = (before.done, before.failed + before.retried) if before else (0, 0)
    return {
        "time": _iso(at),
        "outcome": now.outcome,
        "elapsed_s": round(now.elapsed_s, 3),
        **status_counts(now.by_status),
        **subset_and_reason_counts(now.by_subset, {reason.value: row for reason, row in now.failures.items()}),
        "images_per_s": round(now.images_per_s, 3),
        "read_bytes_per_s": round(now.read_bytes_per_s),
        "written_bytes_per_s": round(now.written_bytes_per_s),
        "eta_s": rounded(now.eta_s, 1),
        "run": {
            "done": now.done,
            "failed": now.failed,
            "retried": now.retried,
            "by_reason": now.by_reason,
            "remaining": now.remaining,
            "in_flight": now.in_flight,
            "downloads": now.downloads,
            "resizes": now.resizes,
            "bytes_read": now.bytes_read,
            "bytes_written": now.bytes_written,
        },
        "reading": now.reading and asdict(now.reading),
        "downloads": [
            {
                "image_id": each.image_id,
                "subset": each.subset,
                "host": each.host,
                "url": each.url,
                "received_bytes": each.received_bytes,
                "expected_bytes": each.expected_bytes,
                "percent": None if each.share is None else round(100 * each.share, 1),
                "elapsed_s": round(each.elapsed_s, 3),
                "node": each.node or None,
            }
            for each in now.transfers
        ],
        "resizes": [
            {
                "image_id": each.image_id,
                "subset": each.subset,
                "elapsed_s": round(each.elapsed_s, 3),
                "node": each.node or None,
            }
            for each in now.processing
        ],
        "paces": [pace_json(pace) for pace in now.paces],
        "nodes": [node_json(node) for node in now.nodes],
        "successes": [_success(each) for each in now.successes[: now.done - done]],
        "failures": [_failed(each) for each in now.failed_tries[: now.failed + now.retried - tries]],
    }


def status_counts(by_status: Mapping[Status, int]) -> Json:
    """The number of images, in total and by status."""
    total = sum(by_status.values())
    settled = by_status[Status.DONE] + by_status[Status.FAILED]
    return {
        "total": total,
        **{status.value: by_status[status] for status in Status},
        "settled_percent": round(100 * settled / total, 4) if total else 0.0,
    }


def subset_and_reason_counts(
    by_subset: Mapping[str, Mapping[Status, int]], by_reason: Mapping[str, Mapping[Status, int]]
) -> Json:
    """The images by subset and status, and those that failed or wait for a retry by reason."""
    return {
        "by_subset": {subset: {status.value: row[status] for status in Status} for subset, row in by_subset.items()},
        "by_reason": {reason: sum(row.values()) for reason, row in by_reason.items()},
    }


def pace_json(pace: PaceState) -> Json:
    """The pace at one provider."""
    return {
        "provider": pace.provider,
        "node": pace.node or None,
        "window": pace.window,
        "rate": pace.rate,
        "learned_rate": pace.learned_rate,
        "pause_s": round(pace.pause_s, 1),
        "pause_reason": pace.pause_reason or None,
    }


def node_json(node: NodeProgress) -> Json:
    """A node of a cluster."""
    return {
        "name": node.name,
        "host": node.host,
        "threads": node.threads,
        "images": node.images,
        "images_per_s": round(node.images_per_s, 3),
        "in_progress": node.in_progress,
        "downloads": node.downloads,
        "resizes": node.resizes,
        "lost": node.lost,
    }


def rounded(value: float | None, digits: int) -> float | None:
    """`value` with at most `digits` decimals; None stays None."""
    return None if value is None else round(value, digits)


def _success(each: Success) -> Json:
    return {
        "time": _iso(datetime.fromtimestamp(each.finished_at, UTC)),
        "image_id": each.image_id,
        "subset": each.subset,
        "url": each.url,
        "bytes": each.bytes,
        "width": each.width,
        "height": each.height,
        "files": {file.rendition: file.path for file in each.files},
        "transfer_s": rounded(each.transfer_s, 3),
        "process_s": rounded(each.process_s, 3),
    }


def _failed(each: Failed) -> Json:
    return {
        "time": _iso(datetime.fromtimestamp(each.at, UTC)),
        "image_id": each.image_id,
        "subset": each.subset,
        "status": each.status,
        "reason": each.reason,
        "detail": each.detail,
        "http_status": each.http_status,
        "url": each.url,
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
