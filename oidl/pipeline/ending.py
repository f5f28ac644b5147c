"""Decides how a run ended, and its exit code."""

from collections.abc import Sequence
from dataclasses import dataclass

from oidl.errors import DiskError, ExitCode, MetadataError, OidlError
from oidl.node.stop import Stop
from oidl.pipeline.bugs import find_tracebacks
from oidl.state.queue import ScheduledRetries

_NONE = ScheduledRetries()


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: the exit code, one word for `run.outcome`, and the images that wait for a retry.

    `is_cut` is true after a second request to stop.
    """

    exit_code: ExitCode
    outcome: str
    error: OidlError | None = None
    waiting: ScheduledRetries = _NONE
    is_cut: bool = False


def run_end(
    stop: Stop, missing: Sequence[MetadataError] = (), waiting: ScheduledRetries = _NONE, *, is_left: bool = True
) -> RunEnd:
    """The end of a run, decided by the most serious event.

    `missing` are the errors of metadata files that could not be fetched. If nothing `is_left` to do, a limit that was
    reached is no reason to run again.
    """
    error: OidlError | None = None
    if stop.disk_failure:
        error = DiskError(stop.disk_failure.detail, hint=stop.disk_failure.hint)
        code, outcome = ExitCode.DISK, "disk"
    elif stop.bug:
        error = OidlError(stop.bug, hint=find_tracebacks())
        code, outcome = ExitCode.BUG, "bug"
    elif stop.is_interrupted:
        code, outcome = ExitCode.INTERRUPTED, "interrupted"
    elif stop.limit and is_left:
        code, outcome = ExitCode.UNFINISHED, "limit"
    elif missing:
        error = missing[0]
        code, outcome = ExitCode.METADATA, "metadata"
    elif waiting.images:
        code, outcome = ExitCode.UNFINISHED, "unfinished"
    else:
        code, outcome = ExitCode.SETTLED, "finished"
    return RunEnd(code, outcome, error, waiting, is_cut=stop.cancelling.is_set())
