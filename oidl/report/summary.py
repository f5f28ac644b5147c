"""The last words of a run: what is done, what failed and why, what is left and what to do."""

from collections.abc import Mapping
from datetime import UTC, datetime

from oidl.errors import ExitCode
from oidl.model import Status
from oidl.progress.words import size
from oidl.report.status import pause_lines
from oidl.report.words import meaning, plan_words, skipped_words
from oidl.state.counts import read_counts
from oidl.state.database import StateConnection


def run_summary(
    db: StateConnection,
    waiting: int,
    next_due: datetime | None,
    exit_code: ExitCode,
    last_due: datetime | None = None,
) -> str:
    """A few lines on how the images stand after a run, those of the plan if they are not the whole list.

    `waiting` images will be retried, from `next_due` on; at `last_due` all of them are due.
    """
    counts = read_counts(db)
    stand = plan_words(counts.plan) if counts.plan else f"{_stand(counts.by_status)} of {counts.total:,} images"
    lines = [f"{stand}; {size(counts.run.bytes if counts.run else 0)} downloaded"]
    if counts.skipped_rows:
        lines.append(skipped_words(counts.skipped_rows))
    by_reason = counts.plan.by_reason if counts.plan else counts.by_reason
    for reason, row in sorted(by_reason.items(), key=lambda item: -sum(item[1].values())):
        lines.append(f"{sum(row.values()):>10,}  {reason:<14} {meaning(reason)}")
    if waiting:
        when = f", the first at {next_due:%Y-%m-%d %H:%M:%S} UTC" if next_due else ""
        if last_due and waiting > 1:
            when += f", the last at {last_due:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"{waiting:,} {'image' if waiting == 1 else 'images'} will be retried{when}")
        lines += pause_lines(counts, datetime.now(UTC))
    if exit_code in (ExitCode.UNFINISHED, ExitCode.INTERRUPTED):
        lines.append("not finished: run it again to go on")
    return "\n".join(lines)


def _stand(images: Mapping[Status, int]) -> str:
    left = images[Status.RETRY] + images[Status.PENDING]
    return f"{images[Status.DONE]:,} done, {images[Status.FAILED]:,} failed, {left:,} left"
