"""`oidl annotations load`: loads annotation files into the state database, without images."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.displays import DisplayOptions
from oidl.cli.loopback import still_works, why_away
from oidl.cli.options.dataset import DatasetOptions
from oidl.cli.options.groups import DOWNLOAD, LIMITS, flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.run import RunOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.types import BYTES, absolute
from oidl.cli.root import locked_root
from oidl.cli.session import RunSession
from oidl.cli.streams import print_error
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import Version
from oidl.errors import StateError
from oidl.net.client import check_environment
from oidl.pipeline.annotations import AnnotationRequest
from oidl.pipeline.load_annotations import load_annotations
from oidl.progress.console import open_console
from oidl.settings import Display, Settings
from oidl.state.database import open_reader, open_writer
from oidl.state.load import loaded_subsets
from oidl.state.plan import last_min_free, read_plan


@flattened
@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The other options of `oidl annotations load`."""

    all: Annotated[bool, Parameter(group=DOWNLOAD)] = False
    """Load the annotations of every image, even of images that are not in the database."""

    min_free: Annotated[int | None, BYTES, Parameter(group=LIMITS)] = None
    """Bytes to leave free on every disk that is written to, like `500M`. Default: as in the last run, or 1 GB."""


_FILES = "Read these files instead of the published ones: your own, or published ones that you have already."


def load(
    *files: Annotated[Path, Parameter(help=_FILES)],
    paths: PathOptions = PathOptions(),
    dataset: DatasetOptions = DatasetOptions(),
    selection: SelectionOptions = SelectionOptions(),
    options: LoadOptions = LoadOptions(),
) -> int:
    """Loads `files`, or the published ones; returns the exit code."""
    version = find_version(read_catalogue(dataset.catalogue), dataset.dataset_version)
    settings = _settings(RunOptions(paths=paths, dataset=dataset, selection=selection), version, options)
    request = AnnotationRequest(
        tuple(absolute(path).resolve() for path in files), for_every_image=options.all, is_explicit=True
    )
    check_environment(settings.transfers)
    away = why_away(dataset.catalogue, version)
    with (
        locked_root(settings),
        open_console(None, log_to_stdout=not sys.stdout.isatty()) as console,
        open_writer(settings.state_db) as db,
    ):
        if away:
            console.say(still_works(away))
        for remark in db.remarks:
            console.say(remark)
        session = RunSession(settings, version, console, DisplayOptions(Display.LINE))
        end = session.run(db, partial(load_annotations, request=request))
    if end.error:
        print_error(end.error)
    return end.exit_code


def _settings(run_options: RunOptions, version: Version, options: LoadOptions) -> Settings:
    """The settings of a run that would choose these images, for loading nothing but their annotations."""
    run_options.check(version)
    settings = replace(
        run_options.settings(version.directory),
        dataset_version=version.name,
        download_images=not options.all,
        download_metadata=False,
    )
    settings = _of_the_root(settings)
    if options.min_free is None:
        return settings
    return replace(settings, limits=replace(settings.limits, min_free_bytes=options.min_free))


def _of_the_root(settings: Settings) -> Settings:
    """The settings with those of the root: the disk space that its last run left free, and the images it has.

    The images are by default those of the subsets that are loaded, up to the limit of the plan.
    """
    if not settings.state_db.is_file():
        return settings
    try:
        with open_reader(settings.state_db) as db:
            min_free = last_min_free(db)
            limit = read_plan(db).get("limit")
            subsets = settings.selection.subsets or loaded_subsets(db)
    except StateError:  # half loaded, or another schema: taking the lock reports or migrates it
        return settings
    if min_free is not None:
        settings = replace(settings, limits=replace(settings.limits, min_free_bytes=min_free))
    if not settings.download_images:
        return settings
    limit = limit if isinstance(limit, int) else None
    return replace(settings, selection=replace(settings.selection, subsets=subsets, limit=limit))
