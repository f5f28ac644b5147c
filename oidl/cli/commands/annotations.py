"""`oidl annotations load`: annotation files into the state database, without images."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from oidl.cli.displays import DisplayOptions
from oidl.cli.loopback import still_works, why_away
from oidl.cli.options.groups import DOWNLOAD, in_section
from oidl.cli.options.run import RunOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.sources import ANNOTATIONS
from oidl.cli.options.types import absolute, one_of
from oidl.cli.root import locked_root
from oidl.cli.session import run_with_displays
from oidl.cli.streams import print_error
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import StateError
from oidl.model import Extent, FileKind
from oidl.net.client import check_environment
from oidl.pipeline.annotations import AnnotationRequest
from oidl.pipeline.load_annotations import load_annotations
from oidl.progress.console import open_console
from oidl.settings import Display, Selection, Settings
from oidl.state.database import open_reader, open_writer
from oidl.state.load import loaded_subsets
from oidl.state.plan import read_plan


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class AnnotationOptions(SelectionOptions):
    """What `oidl annotations load` can be told."""

    dataset_version: str | None = None
    """The version of Open Images: one of the catalogue's; the newest, which is 7, if not given."""

    catalogue: Path | None = None
    """A TOML file in the built-in catalogue's format, to use instead of that (mirrors, tests)."""

    images_csv: str | None = None
    """The image list of your own that the database has, or is to have."""

    annotations: Annotated[tuple[FileKind, ...], ANNOTATIONS] = ()
    """Kinds to load, like `boxes,labels`. Default: what chose the images, or boxes; for whole subsets, all."""

    image_list: Annotated[Extent, one_of(Extent)] = Extent.FULL
    """The image list that the database has, or should have: `full`, `boxable` or `labels`."""

    all: bool = False
    """Load them for every image, also those that are in no list here; no image list is needed then."""


DEFAULTS = AnnotationOptions()
_FILES = "Read these instead of the published ones: files of your own, or that you have already."


def load(
    *files: Annotated[Path, Parameter(help=_FILES)],
    options: Annotated[AnnotationOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Load annotations into the state database: those of the images that are chosen, or of the list.

    Files that are not on disk yet are fetched and verified; FILES, if any, are read instead: of your own, or
    that you have already. What is loaded already is not loaded again, but for a file of yours that was
    changed since.
    """
    version = find_version(read_catalogue(options.catalogue), options.dataset_version)
    shared = {name: getattr(options, name) for name in SelectionOptions.__dataclass_fields__}
    run_options = RunOptions(
        **shared,
        dataset_version=version.name,
        catalogue=options.catalogue,
        images_csv=options.images_csv,
        annotations=options.annotations,
        image_list=options.image_list,
        download_images=not options.all,
        download_metadata=False,
        export_csv=False,
        check_space=False,
    )
    settings = run_options.settings(version.directory, version.subsets)
    settings = replace(settings, selection=_of_the_root(settings))
    request = AnnotationRequest(
        tuple(absolute(path).resolve() for path in files), for_every_image=options.all, is_explicit=True
    )
    check_environment(settings.transfers)
    away = why_away(options.catalogue, version)
    with (
        locked_root(settings),
        open_console(None, log_to_stdout=not sys.stdout.isatty()) as console,
        open_writer(settings.state_db) as db,
    ):
        if away:
            console.say(still_works(away))
        for remark in db.remarks:
            console.say(remark)
        job = partial(load_annotations, request=request)
        end = trio.run(run_with_displays, job, settings, version, db, console, DisplayOptions(Display.LINE))
    if end.error:
        print_error(end.error)
    return end.exit_code


def _of_the_root(settings: Settings) -> Selection:
    """What was chosen; where no subset was, those of the list that is loaded, and as far as the plan's limit goes."""
    selection = settings.selection
    if not settings.state_db.is_file() or not settings.download_images:
        return selection
    try:
        with open_reader(settings.state_db) as db:
            limit = read_plan(db).get("limit")
            subsets = selection.subsets or loaded_subsets(db)
    except StateError:  # half loaded, or of another schema: whoever takes the lock will say so, or bring it up to date
        return selection
    return replace(selection, subsets=subsets, limit=limit if isinstance(limit, int) else None)
