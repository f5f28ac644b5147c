"""What `oidl run` does, from options to exit code: settings, a locked root, the run, the lists of images, a summary."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import trio

from oidl.cli.asking import ask_first
from oidl.cli.displays import DisplayOptions, choose_display
from oidl.cli.dry_run import dry_run
from oidl.cli.loopback import still_works, why_away
from oidl.cli.machines import connect_first, machines_of
from oidl.cli.options.run import RunOptions
from oidl.cli.options.types import absolute
from oidl.cli.planning import nothing_kept, plan_of, plan_remarks
from oidl.cli.root import locked_root
from oidl.cli.session import RunSession
from oidl.cli.streams import print_error
from oidl.cli.web_page import request_page
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import Version
from oidl.errors import ExitCode, UsageError
from oidl.export.outcomes_csv import export_csvs
from oidl.net.client import check_environment
from oidl.net.descriptors import fit_connections, raise_limit
from oidl.pipeline.ending import RunEnd
from oidl.pipeline.forecast import make_forecast
from oidl.pipeline.removal import lost_remarks
from oidl.pipeline.run import Run
from oidl.progress.console import open_console
from oidl.report.forecast import forecast_lines
from oidl.report.summary import run_summary
from oidl.settings import Display, Settings
from oidl.state.connection import interruptible
from oidl.state.database import open_reader, open_writer
from oidl.state.load import loaded_list
from oidl.state.plan import read_plan
from oidl.state.renditions import check_layout, with_own_directory
from oidl.storage.output import open_log
from oidl.text import printable


def run_root(options: RunOptions) -> int:
    """Runs as `options` say; returns the exit code."""
    version = find_version(read_catalogue(options.dataset.catalogue), options.dataset.dataset_version)
    settings = _checked_settings(options, version)
    if options.start.dry_run:
        print(printable(dry_run(settings, version)))
        return ExitCode.SETTLED
    check_environment(settings.transfers)
    away = why_away(options.dataset.catalogue, version)
    is_new = settings.images_csv is None and not settings.state_db.exists()
    if away and (is_new or settings.retries.failed is not None):
        raise away  # what is asked for begins with a request
    was_asked = not options.start.yes and ask_first(settings, version)

    output, page = options.output, request_page(options.progress)
    to_stdout = output.log_to_stdout if output.log_to_stdout is not None else not sys.stdout.isatty()
    display = choose_display(options.progress.progress, log_to_stdout=to_stdout)
    displays = DisplayOptions(display, output.metrics_file)
    log = open_log(absolute(output.log_file)) if output.log_file else None
    with (
        locked_root(settings) as root,
        open_console(log, log_to_stdout=to_stdout, is_stderr_for_machines=display is Display.JSON) as console,
    ):
        if away:
            console.say(still_works(away))
        connect_first(settings, console.say)
        end = _run(RunSession(settings, version, console, displays, page), says_forecast=not was_asked)
        root.is_kept = end.exit_code is ExitCode.UNFINISHED  # a limit of the run: the next continues
    if end.error:
        print_error(end.error)
    return end.exit_code


def _checked_settings(options: RunOptions, version: Version) -> Settings:
    """The settings of a run, with its plan. Raises `UsageError` for what `version` or libvips cannot do."""
    options = replace(options, dataset=replace(options.dataset, dataset_version=version.name))
    options.check(version)
    settings = options.settings(version.directory)
    machines_of(settings)  # it fails at once if a package is missing
    shards = replace(options.shards, output_format=options.shards.store(on_cluster=settings.cluster is not None))
    settings = replace(settings, plan=plan_of(replace(options, shards=shards)))
    unusual = [rendition for rendition in settings.renditions if rendition.format not in ("jpg", "jpeg")]
    if unusual:
        from oidl.imaging.encode import unsupported_reason  # it loads libvips, which the coordinator may not need

        for rendition in unusual:
            if problem := unsupported_reason(rendition):
                raise UsageError(f"the resized images cannot be made: {problem}")
    return settings


def _run(session: RunSession, *, says_forecast: bool) -> RunEnd:
    """Runs, writes the lists of images, and says how it ended.

    With `says_forecast`, a run whose plan is not the root's begins by saying what it will do.
    """
    settings, say = session.settings, session.console.say
    transfers, cut = fit_connections(settings.transfers, raise_limit())
    if cut:
        say(cut)
    with open_writer(settings.state_db) as db:
        for remark in db.remarks:
            say(remark)
        settings = with_own_directory(db, replace(settings, transfers=transfers))
        check_layout(db, settings.all_renditions, settings.layout)
        plan = read_plan(db)
        remarks = (*plan_remarks(plan, settings.plan), *lost_remarks(db, settings), *nothing_kept(settings))
        is_new = bool(settings.plan) and settings.plan != plan
        session = replace(session, settings=settings)
        introduce = partial(_introduction, session, remarks, says_forecast=says_forecast and is_new)
        machines = machines_of(settings)
        end = session.run(db, lambda context: Run(context, introduce, machines).run())
    with open_reader(settings.state_db) as reader:
        is_wanted = (
            settings.export_csv and settings.download_images and end.exit_code != ExitCode.DISK and not end.is_cut
        )
        if is_wanted and loaded_list(reader):  # there is none if the run was interrupted before that
            export_csvs(reader, settings.root_dir)
        say(run_summary(reader, end.exit_code, end.waiting))
    return end


def _introduction(session: RunSession, remarks: Sequence[str], *, says_forecast: bool) -> Sequence[str]:
    """What a run says before it begins; called in a thread, because choosing images may take a while."""
    if not says_forecast:
        return remarks
    settings = session.settings
    with open_reader(settings.state_db) as db, interruptible(db, trio.from_thread.check_cancelled):
        return (*remarks, *forecast_lines(make_forecast(db, settings, session.version)))
