"""The last words of a run: what is done, what failed and why, what is left, and the next step."""

from collections.abc import Mapping
from datetime import UTC, datetime

from oidl.errors import ExitCode
from oidl.model import Status
from oidl.progress.format import due_words, size
from oidl.reasons import meaning
from oidl.report.describe import plan_words, skipped_words
from oidl.report.status import pause_lines
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.queue import ScheduledRetries
from oidl.text import counted


def run_summary(db: StateConnection, exit_code: ExitCode, waiting: ScheduledRetries | None = None) -> str:
    """A few lines about the images after a run: those of the plan, if it does not include the whole list.

    `waiting` are the images that will be retried.
    """
    waiting = waiting or ScheduledRetries()
    counts = read_counts(db)
    lines = [f"{size(counts.run.bytes if counts.run else 0)} downloaded in this run"]
    if counts.plan:
        lines[0] = f"{plan_words(counts.plan)}; {lines[0]}"
    elif counts.total:
        lines[0] = f"{_status_words(counts.by_status)} of {counted(counts.total, 'image')}; {lines[0]}"
    if counts.skipped_rows:
        lines.append(skipped_words(counts.skipped_rows))
    reasons = counts.plan.by_reason if counts.plan else counts.by_reason
    if failed := _why(reasons, Status.FAILED):
        lines += [f"{counted(sum(row[Status.FAILED] for row in reasons.values()), 'image')} failed:", *failed]
    retried = _why(reasons, Status.RETRY)
    if (waiting.images or retried) and exit_code is not ExitCode.SETTLED:  # otherwise no run retries them
        images = waiting.images or sum(row[Status.RETRY] for row in reasons.values())
        when = f", the first {due_words(waiting.first)}" if waiting.first else ""
        if waiting.last and waiting.images > 1:
            when += f", the last {due_words(waiting.last)}"
        end = ":" if retried else ""
        lines += [f"{counted(images, 'image')} will be retried{when}{end}", *retried]
    if waiting.images:
        lines += pause_lines(counts, datetime.now(UTC))
    if exit_code in (ExitCode.UNFINISHED, ExitCode.INTERRUPTED):
        lines.append("not finished: run it again to resume")
    return "\n".join(lines)


def _why(reasons: Mapping[str, Mapping[Status, int]], status: Status) -> list[str]:
    """One line per reason for the images with `status`, the most frequent first."""
    rows = sorted(((row[status], reason) for reason, row in reasons.items() if row[status]), key=lambda row: -row[0])
    return [f"{images:>10,}  {reason:<14} {meaning(reason)}" for images, reason in rows]


def _status_words(images: Mapping[Status, int]) -> str:
    left = images[Status.RETRY] + images[Status.PENDING]
    return f"{images[Status.DONE]:,} done, {images[Status.FAILED]:,} failed, {left:,} left"
