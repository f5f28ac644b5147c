"""`oidl status`: shows the state of the images, from the database alone; works during a run."""

import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from json import dumps
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import AT_LEAST_ZERO, absolute
from oidl.cli.streams import is_lost
from oidl.errors import ExitCode, LoadInProgressError, UsageError
from oidl.progress.repaint import repainted, why_not_rewritten
from oidl.report.failures import failure_json, failure_line
from oidl.report.snapshot import database_snapshot
from oidl.report.status import status_text
from oidl.state.counts import NOTHING_YET, read_counts
from oidl.state.database import open_reader
from oidl.state.lock import is_held
from oidl.state.outcome_rows import failed_rows
from oidl.storage.space import existing, free_bytes
from oidl.text import printable

_INTERVAL_S = 2.0


@flattened
@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """The options of `oidl status`."""

    json: bool = False
    """Print one JSON object instead; with `--failures`, one per image."""

    failures: bool = False
    """List the images that failed for good: subset, ImageID, reason, detail and URL, with tabs between them."""

    first: Annotated[int | None, AT_LEAST_ZERO] = None
    """With `--failures`, list at most this many."""

    watch: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Show the status again and again, until Ctrl-C: every 2 seconds, or as given, like `--watch 5`."""


def status(paths: PathOptions = PathOptions(), options: StatusOptions = StatusOptions()) -> int:
    """Prints the status once, or again and again; returns the exit code."""
    if options.failures and options.watch is not None:
        raise UsageError("--failures lists once", hint="leave out --watch")
    if options.failures:
        _list_failures(paths, options)
    elif options.first is not None:
        raise UsageError("--first requires --failures")
    elif options.watch is not None:
        return _watch(paths, options, _interval_s(options.watch))
    else:
        print(_where_it_stands(paths, options))
    return ExitCode.SETTLED


def _where_it_stands(paths: PathOptions, options: StatusOptions) -> str:
    try:
        with open_reader(paths.database) as db:
            counts = read_counts(db)
    except LoadInProgressError:
        counts = NOTHING_YET
    is_running = is_held(paths.database)
    if options.json:
        return dumps(database_snapshot(counts, datetime.now(UTC), is_running=is_running))
    free = free_bytes(existing(absolute(paths.root_dir)))
    return printable(status_text(counts, is_running=is_running, free_bytes=free))


def _watch(paths: PathOptions, options: StatusOptions, interval_s: float) -> int:
    """Shows the status every `interval_s`: in place on a terminal, otherwise one below the other.

    Signals are blocked while it is made, where an interrupt may get lost, and waited for in between.
    """
    ends = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with repainted(sys.stdout, in_place=not options.json and why_not_rewritten(sys.stdout) is None) as show:
            show(_where_it_stands(paths, options))
            while signal.sigtimedwait(ends, interval_s) is None:
                show(_where_it_stands(paths, options))
                if is_lost(sys.stdout):
                    return ExitCode.SETTLED
        return ExitCode.INTERRUPTED
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interval_s(typed: tuple[float, ...]) -> float:
    interval_s = typed[0] if typed else _INTERVAL_S
    if len(typed) > 1 or not 0 < interval_s < float("inf"):
        raise UsageError("--watch takes one number of seconds, more than 0", hint="write it like --watch 5")
    return interval_s


def _list_failures(paths: PathOptions, options: StatusOptions) -> None:
    with open_reader(paths.database) as db:
        for failed in islice(failed_rows(db), options.first):
            print(failure_json(failed) if options.json else failure_line(failed))
            if is_lost(sys.stdout):
                break
