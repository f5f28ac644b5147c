"""The last words of a run: what is done, what failed and why, what is left and what to do."""

from datetime import datetime

from oidl.errors import ExitCode
from oidl.model import Reason, Status
from oidl.progress.words import size
from oidl.report.words import MEANINGS
from oidl.state.counts import read_counts
from oidl.state.database import StateConnection


def run_summary(
    db: StateConnection,
    waiting: int,
    next_due: datetime | None,
    exit_code: ExitCode,
    last_due: datetime | None = None,
) -> str:
    """A few lines on where everything stands after a run.

    `waiting` images are to be tried again, from `next_due` on; at `last_due` all of them are due.
    """
    counts = read_counts(db)
    by_status = counts.by_status
    lines = [
        f"{by_status[Status.DONE]:,} done, {by_status[Status.FAILED]:,} failed, "
        f"{by_status[Status.RETRY] + by_status[Status.PENDING]:,} left of {counts.total:,} images; "
        f"{size(counts.bytes_downloaded)} downloaded"
    ]
    for reason, row in sorted(counts.by_reason.items(), key=lambda item: -sum(item[1].values())):
        lines.append(f"{sum(row.values()):>10,}  {reason:<14} {MEANINGS[Reason(reason)]}")
    if waiting:
        when = f", the first at {next_due:%Y-%m-%d %H:%M:%S} UTC" if next_due else ""
        if last_due and waiting > 1:
            when += f", the last at {last_due:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"{waiting:,} images are to be tried again{when}")
    if exit_code in (ExitCode.UNFINISHED, ExitCode.INTERRUPTED):
        lines.append("not finished: run it again to go on")
    return "\n".join(lines)
