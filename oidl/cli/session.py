"""What `oidl run` does: takes the lock, opens the state, runs, says how it ended."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import trio

from oidl.cli.asking import ask_first
from oidl.cli.displays import DisplayOptions, choose_display, open_displays
from oidl.cli.dry_run import dry_run
from oidl.cli.loopback import still_works, why_away
from oidl.cli.options.run import RunOptions
from oidl.cli.options.types import absolute
from oidl.cli.planning import plan_remarks
from oidl.cli.root import locked_root
from oidl.cli.signals import interrupt, watch_signals
from oidl.cli.streams import print_error
from oidl.cli.web_page import PageRequest, open_page, request_page
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import Version
from oidl.errors import ExitCode, UsageError
from oidl.export.outcomes_csv import export_csvs
from oidl.imaging.encode import unsupported_reason
from oidl.model import Source
from oidl.net.client import check_environment
from oidl.net.descriptors import fit_connections, raise_limit
from oidl.node.stop import Stop
from oidl.pipeline.context import Context
from oidl.pipeline.ending import RunEnd
from oidl.pipeline.forecast import make_forecast
from oidl.pipeline.removal import lost_remarks
from oidl.pipeline.run import Run
from oidl.pipeline.writer import StateWriter
from oidl.progress.console import Console, open_console
from oidl.progress.meter import Meter
from oidl.report.forecast import forecast_lines
from oidl.report.summary import run_summary
from oidl.settings import Display, Settings
from oidl.state.connection import StateConnection, interruptible
from oidl.state.database import open_reader, open_writer
from oidl.state.load import loaded_list
from oidl.state.plan import read_plan
from oidl.state.renditions import check_layout, with_own_directory
from oidl.storage.output import open_log
from oidl.text import printable


def run_root(options: RunOptions) -> int:
    """Runs as `options` say; returns the exit code."""
    version = find_version(read_catalogue(options.catalogue), options.dataset_version)
    settings = replace(options, dataset_version=version.name).settings(version.directory, version.subsets)
    if Source.CVDF in settings.originals.sources and Source.CVDF not in version.mirrors:
        raise UsageError("the catalogue names no mirror cvdf", hint="its [mirror] says where one is")
    for rendition in settings.renditions:
        if problem := unsupported_reason(rendition):
            raise UsageError(f"the resized images cannot be made: {problem}")
    if options.dry_run:
        print(printable(dry_run(settings, version)))
        return ExitCode.SETTLED
    check_environment(settings.transfers)
    away = why_away(options.catalogue, version)
    is_new = settings.images_csv is None and not settings.state_db.exists()
    if away and (is_new or settings.retries.failed is not None):
        raise away  # what is asked for begins with a request
    was_asked = not options.yes and ask_first(settings, version)
    page_request = request_page(options.web, is_to_open=options.open)
    to_stdout = options.log_to_stdout if options.log_to_stdout is not None else not sys.stdout.isatty()
    displays = DisplayOptions(
        choose_display(options.progress, log_to_stdout=to_stdout),
        options.metrics_file,
        page_url=page_request.address.url if page_request else "",
    )
    with (
        locked_root(settings) as root,
        open_console(
            open_log(absolute(options.log_file)) if options.log_file else None,
            log_to_stdout=to_stdout,
            is_stderr_for_machines=displays.display is Display.JSON,
        ) as console,
    ):
        if away:
            console.say(still_works(away))
        end = execute(settings, version, console, displays, page_request, says_forecast=not was_asked)
        root.is_kept = end.exit_code is ExitCode.UNFINISHED  # a limit of the run: the next goes on
    if end.error:
        print_error(end.error)
    return end.exit_code


def execute(
    settings: Settings,
    version: Version,
    console: Console,
    displays: DisplayOptions,
    page_request: PageRequest | None = None,
    *,
    says_forecast: bool = True,
) -> RunEnd:
    """Runs `settings` under the writer lock that the caller holds, exports, and says how it ended.

    With `says_forecast` a run with another plan than the root has begins by saying what it will do.
    """
    transfers, cut = fit_connections(settings.transfers, raise_limit())
    if cut:
        console.say(cut)
        settings = replace(settings, transfers=transfers)
    with open_writer(settings.state_db) as db:
        for remark in db.remarks:
            console.say(remark)
        settings = with_own_directory(db, settings)
        check_layout(db, settings.every, settings.layout)
        plan = read_plan(db)
        remarks = (*plan_remarks(plan, settings.plan), *lost_remarks(db, settings))
        is_new = bool(settings.plan) and settings.plan != plan
        introduce = partial(_introduction, settings, version, remarks, says_forecast=says_forecast and is_new)
        job = partial(_run, introduce)
        end = trio.run(run_with_displays, job, settings, version, db, console, displays, page_request)
    with open_reader(settings.state_db) as reader:
        is_wanted = (
            settings.export_csv and settings.download_images and end.exit_code != ExitCode.DISK and not end.is_cut
        )
        if is_wanted and loaded_list(reader):  # none if it was interrupted before that
            export_csvs(reader, settings.root_dir)
        console.say(run_summary(reader, end.exit_code, end.waiting))
    return end


def _introduction(
    settings: Settings, version: Version, remarks: Sequence[str], *, says_forecast: bool
) -> Sequence[str]:
    """What a run says before it begins; in a thread, as a choice of images may take a while."""
    if not says_forecast:
        return remarks
    with open_reader(settings.state_db) as db, interruptible(db, trio.from_thread.check_cancelled):
        return (*remarks, *forecast_lines(make_forecast(db, settings, version)))


async def _run(introduce: Callable[[], Sequence[str]], context: Context) -> RunEnd:
    return await Run(context, introduce).run()


async def run_with_displays(
    job: Callable[[Context], Awaitable[RunEnd]],
    settings: Settings,
    version: Version,
    db: StateConnection,
    console: Console,
    displays: DisplayOptions,
    page_request: PageRequest | None = None,
) -> RunEnd:
    """What `job` comes to, with the signals and whatever shows it around it."""
    stop = Stop()
    state = StateWriter(db, stop, console.say)
    meter = Meter(trio.current_time)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, stop, console.say)
        async with (
            open_displays(displays, meter, console, lambda: interrupt(stop, console.say)),
            open_page(page_request, meter, settings, console.say),
        ):
            outcome = "error"
            try:
                end = await job(Context(settings, version, state, meter, stop, console.say))
                outcome = end.outcome
            finally:
                meter.ended(outcome)
        nursery.cancel_scope.cancel()
    return end
