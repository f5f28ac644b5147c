"""The last words of a run: what is done, what failed and why, what is left and what to do."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from oidl.errors import ExitCode
from oidl.model import Standing, Status
from oidl.progress.words import size
from oidl.report.status import pause_lines
from oidl.report.words import meaning, skipped_words
from oidl.state.counts import read_counts
from oidl.state.database import StateConnection


def run_summary(
    db: StateConnection,
    waiting: int,
    next_due: datetime | None,
    exit_code: ExitCode,
    last_due: datetime | None = None,
    standing: Iterable[Standing] = (),
) -> str:
    """A few lines on where everything stands after a run.

    `waiting` images are to be tried again, from `next_due` on; at `last_due` all of them are due.
    `standing` is how the images stand that the run was about, empty for all.
    """
    counts = read_counts(db)
    chosen = dict.fromkeys(Status, 0)
    for each in standing:
        chosen[each.status] += each.images
    is_choice = 0 < sum(chosen.values()) < counts.total
    lines = [f"{_stand(chosen)} of the {sum(chosen.values()):,} images chosen"] if is_choice else []
    which = "images in the list" if is_choice else "images"
    downloaded = size(counts.bytes_downloaded)
    lines.append(f"{_stand(counts.by_status)} of {counts.total:,} {which}; {downloaded} downloaded")
    if counts.skipped_rows:
        lines.append(skipped_words(counts.skipped_rows))
    for reason, row in sorted(counts.by_reason.items(), key=lambda item: -sum(item[1].values())):
        lines.append(f"{sum(row.values()):>10,}  {reason:<14} {meaning(reason)}")
    if waiting:
        when = f", the first at {next_due:%Y-%m-%d %H:%M:%S} UTC" if next_due else ""
        if last_due and waiting > 1:
            when += f", the last at {last_due:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"{waiting:,} images are to be tried again{when}")
        lines += pause_lines(counts, datetime.now(UTC))
    if exit_code in (ExitCode.UNFINISHED, ExitCode.INTERRUPTED):
        lines.append("not finished: run it again to go on")
    return "\n".join(lines)


def _stand(images: Mapping[Status, int]) -> str:
    left = images[Status.RETRY] + images[Status.PENDING]
    return f"{images[Status.DONE]:,} done, {images[Status.FAILED]:,} failed, {left:,} left"
