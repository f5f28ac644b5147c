"""The state of a database as JSON, for `oidl status --json` and the page of a database. Pure.

The twin of `progress.snapshot`, with the same keys for the same things.
"""

from datetime import datetime
from math import inf, isfinite

from oidl.model import NodeProgress, Status
from oidl.net.pace import PaceState
from oidl.progress.snapshot import Json, node_json, pace_json, rounded, status_counts, subset_and_reason_counts
from oidl.report.licenses import licenses_json
from oidl.state.counts import Counts, PaceRow, RunRow
from oidl.state.nodes import NodeRow
from oidl.state.plan_counts import PlanCounts
from oidl.state.times import parse_timestamp, timestamp


def database_snapshot(counts: Counts, at: datetime, *, is_running: bool) -> Json:
    """The state at `at`. Rates, `eta_s` and `run` are those of the run in progress, null without one."""
    last = counts.run
    run = last if is_running else None
    return {
        "time": timestamp(at),
        "dataset_version": counts.dataset_version,
        "outcome": None if last is None or is_running else last.outcome or "killed",
        "elapsed_s": last and round(last.elapsed_s, 3),
        **status_counts(counts.by_status),
        **subset_and_reason_counts(counts.by_subset, counts.by_reason),
        "images_per_s": run and round(run.images_per_s, 3),
        "read_bytes_per_s": run and round(run.bytes_per_s),
        "eta_s": run and rounded(eta_s(run, counts), 1),
        "run": run and _run_json(run, counts),
        "paces": [_pace_json(pace, at) for pace in counts.paces],
        "nodes": [_node_json(node) for node in counts.nodes],
        "plan": counts.plan and _plan_json(counts.plan),
        "next_attempt_at": counts.next_attempt_at,
        "skipped_rows": counts.skipped_rows,
        "bytes_downloaded": counts.bytes_downloaded,
        "files": {name: files for name, (files, _) in counts.files.items()},
        "bytes_on_disk": {name: size_bytes for name, (_, size_bytes) in counts.files.items()},
        "shards": {
            name: {
                "open": each.open,
                "sealed": each.sealed,
                "bytes": each.bytes,
                "uploaded": each.uploaded,
                "remote": each.remote,
                "waiting": each.waiting,
            }
            for name, each in counts.shards.items()
        },
        "packs": [
            {
                "directory": each.directory,
                "format": each.format,
                "rendition": each.rendition,
                "sealed": each.sealed,
                "shards": each.shards,
                "bytes": each.bytes,
                "finished_at": each.finished_at,
            }
            for each in counts.packs
        ],
        "licenses": licenses_json(counts.licenses),
    }


def eta_s(run: RunRow, counts: Counts) -> float | None:
    """Seconds until all images are settled at the rate of `run`; None if nothing moves, or all wait for a retry."""
    remaining = _remaining(counts)
    if remaining and not (counts.plan or counts).by_status[Status.PENDING]:
        return None
    left_s = remaining / run.images_per_s if run.images_per_s else inf
    return left_s if isfinite(left_s) else None


def _remaining(counts: Counts) -> int:
    return counts.plan.left if counts.plan else counts.by_status[Status.PENDING] + counts.by_status[Status.RETRY]


def _run_json(run: RunRow, counts: Counts) -> Json:
    return {
        "id": run.id,
        "started_at": run.started_at,
        "updated_at": run.updated_at,
        "done": run.done,
        "failed": run.failed,
        "throttled": run.throttled,
        "remaining": _remaining(counts),
        "bytes_read": run.bytes,
    }


def _pace_json(pace: PaceRow, at: datetime) -> Json:
    """The pace of one provider after the last run; the database does not record why it paused."""
    until = parse_timestamp(pace.paused_until)
    pause_s = max(0.0, (until - at).total_seconds()) if until else 0.0
    state = PaceState(pace.provider, pace.window, pace.rate, pause_s, pace.learned_rate, node=pace.node)
    return pace_json(state) | {"paused_until": pace.paused_until}


def _node_json(node: NodeRow) -> Json:
    """A node of the last run on a cluster."""
    progress = NodeProgress(
        "", node.name, node.host, node.threads, node.images, node.images_per_s, node.in_progress, node.lost
    )
    return node_json(progress) | {"started_at": node.started_at, "updated_at": node.updated_at}


def _plan_json(plan: PlanCounts) -> Json:
    return {
        "images": plan.images,
        **{status.value: plan.by_status[status] for status in Status},
        "by_reason": {reason: sum(row.values()) for reason, row in plan.by_reason.items()},
        "limit": plan.limit,
        "limit_per_class": plan.limit_per_class,
        "classes": plan.classes,
        "full_classes": plan.full_classes,
    }
