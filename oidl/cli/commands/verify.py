"""`oidl verify`: compares the files on disk with the state database; only a repair takes the writer lock."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import trio

from oidl.cli.options.groups import flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import AT_LEAST_ONE, absolute
from oidl.cli.signals import cancel_on_signal
from oidl.cores import usable_cores
from oidl.errors import ExitCode
from oidl.model import Finding
from oidl.node.threads import run_abandonable
from oidl.pipeline.verify import Verifier, VerifySettings
from oidl.progress.console import Console, open_console
from oidl.progress.lines import repeat_line
from oidl.progress.verify import VerifyMeter
from oidl.report.verify import finding_line, is_sound, verify_json, verify_line, verify_text
from oidl.state.connection import StateConnection
from oidl.state.database import open_reader, open_writer
from oidl.state.lock import is_held, writer_lock


@flattened
@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """The options of `oidl verify`."""

    repair: bool = False
    """Let the next run fetch missing and wrong files, and remove files of `oidl` that the database does not know."""

    json: bool = False
    """Print one JSON object at the end instead of lines."""

    threads: Annotated[int | None, AT_LEAST_ONE] = None
    """Threads that read files. Default: one for each core that this process may use."""


def verify(paths: PathOptions = PathOptions(), options: VerifyOptions = VerifyOptions()) -> int:
    """Verifies, and repairs if that is requested; prints the findings and returns the exit code."""
    with _opened(paths, options) as db, open_console(None, log_to_stdout=False, never_waits=False) as console:
        meter = VerifyMeter(time.monotonic)
        is_whole = trio.run(_audit, paths, options, db, meter, console)
        console.clear()
    words = verify_json if options.json else verify_text
    print(words(meter.statistics(), is_repaired=options.repair, is_interrupted=not is_whole))
    if not is_whole:
        return ExitCode.INTERRUPTED
    return ExitCode.SETTLED if is_sound(meter.statistics(), is_repaired=options.repair) else ExitCode.UNFINISHED


async def _audit(
    paths: PathOptions, options: VerifyOptions, db: StateConnection, meter: VerifyMeter, console: Console
) -> bool:
    """Audits, with the signals and the progress lines around it; False if it was interrupted."""

    one_at_a_time = trio.CapacityLimiter(1)

    async def print_findings(findings: Sequence[Finding]) -> None:
        if not options.json:
            await run_abandonable(_print_findings, findings, console, limiter=one_at_a_time)

    async def show(line: str) -> None:
        await run_abandonable(console.show, line, limiter=one_at_a_time)

    audit = Verifier(
        db,
        VerifySettings(absolute(paths.root_dir), options.repair, options.threads or usable_cores()),
        meter,
        now_s=time.time(),
        is_running=lambda: not options.repair and is_held(paths.database),
        tell=print_findings,
    )
    is_whole = False
    async with trio.open_nursery() as nursery:
        await nursery.start(cancel_on_signal, nursery.cancel_scope)
        nursery.start_soon(
            lambda: repeat_line(lambda: verify_line(meter.statistics()), show, is_terminal=console.is_terminal)
        )
        await audit.run()
        is_whole = True
        nursery.cancel_scope.cancel()
    return is_whole


def _print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Prints a line for each; in a thread, because a terminal that was stopped (Ctrl-S) blocks."""
    console.clear()
    for finding in findings:
        print(finding_line(finding))
    if console.is_terminal:
        sys.stdout.flush()


@contextmanager
def _opened(paths: PathOptions, options: VerifyOptions) -> Iterator[StateConnection]:
    """The database for reading; with `--repair` for writing, with its lock."""
    with open_reader(paths.database) as db:  # a repair neither creates nor updates a database
        if not options.repair:
            yield db
            return
    with writer_lock(paths.database), open_writer(paths.database) as db:
        db.execute("PRAGMA synchronous = FULL")  # rows go before files, and must not come back after a power cut
        yield db
