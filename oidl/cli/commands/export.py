"""`oidl export`: downloaded images and their labels in the format of another tool, with the real sizes of the files."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import OUTPUT, SELECTION, in_section
from oidl.cli.options.selection import CLASSES, LABEL_TYPES, SelectionOptions
from oidl.cli.options.types import absolute
from oidl.cli.selection import select_images
from oidl.errors import UsageError
from oidl.export.describe import export_line, exported_text
from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.formats import FORMATS
from oidl.export.labels import export_labels, written_kinds
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.split import BY_SUBSET, parse_split
from oidl.model import LabelType
from oidl.progress.console import open_console
from oidl.progress.lines import PacedLine
from oidl.settings import Selection
from oidl.state.classes import wanted_classes
from oidl.state.connection import StateConnection
from oidl.state.database import open_reader
from oidl.text import printable, suggestion

_FORMATS = f"One of {', '.join(f'`{name}`' for name in FORMATS)}; `imagefolder` (Hugging Face) needs no labels."


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class LabelsOptions(SelectionOptions):
    """What `oidl export` can be told."""

    format: Annotated[str, Parameter(show_default=str, help=_FORMATS)] = "coco"

    rendition: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """The rendition to export, by name. Default: the only resized one."""

    classes: Annotated[tuple[str, ...], CLASSES, Parameter(group=SELECTION)] = ()
    """Only these classes, like `Cat,Dog`: display names or MIDs, in any letter case; numbered in this order."""

    include_subclasses: Annotated[bool, Parameter(group=SELECTION)] = False
    """And those that are below them in the hierarchy, each as a class of its own."""

    label_types: Annotated[tuple[LabelType, ...], LABEL_TYPES, Parameter(group=SELECTION)] = ()
    """`boxes` (default), `labels` (`csv`, `imagefolder`), `segmentations`, `relationships`, `points` (all `coco`)."""

    limit: Annotated[int | None, Parameter(group=SELECTION)] = None
    """Write no more than this many images."""

    min_visible: float = 0.0
    """Leave out boxes of which a crop left less than this share; what nothing is left of is always left out."""

    with_empty: bool = False
    """Write images without any chosen annotation too."""

    apply_exif: bool = False
    """Take originals as readers see them that obey their EXIF tag, like OpenCV; else as they are stored."""

    box_polygons: bool = False
    """Give boxes without a mask their outline as a polygon, for readers that need a segmentation (`coco`)."""

    split: Annotated[str, Parameter(show_default=str)] = BY_SUBSET
    """`subset`, or percentages of train, validation and test, like `80/20` or `80/10/10`, drawn by `--seed`."""

    copy: Annotated[bool, Parameter(negative="")] = False
    """Copy the images into the export, so that it can be moved anywhere. Default: relative links to the root."""

    hardlink: Annotated[bool, Parameter(negative="")] = False
    """Hard-link the images into the export: like `--copy`, without the space, on one filesystem."""

    dest: Path | None = None
    """Write here instead of `<root-dir>/<version>/export/<format>/<rendition>`."""


DEFAULTS = LabelsOptions()


def export(options: Annotated[LabelsOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Write downloaded images and their labels in the format of another tool.

    Widths and heights are those of the files, and boxes lie where the files have them: turned, scaled
    and cut as the pictures were. Images are chosen as `oidl run` chooses them, and so are their annotations.
    """
    if not 0 <= options.min_visible <= 1:
        raise UsageError(f"--min-visible is a share from 0 to 1, not {options.min_visible}")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {options.limit}")
    if options.copy and options.hardlink:
        raise UsageError("--copy and --hardlink exclude each other", hint="choose one of them")
    form = _format(options.format)
    if options.box_polygons and form is not FORMATS["coco"]:
        raise UsageError(f"--format {form.name} has no place for polygons", hint="use --box-polygons with coco only")
    split = parse_split(options.split, options.seed)
    selection = options.selection(options.limit)
    takes_all = form.takes_all and not selection.label_types
    if not takes_all:
        kinds = written_kinds(form, selection.label_types)
        if left_out := [kind for kind in selection.label_types if kind not in kinds]:
            print(f"oidl: --format {form.name} has no place for {', '.join(left_out)}", file=sys.stderr)
        selection = replace(selection, label_types=kinds)
    with_empty = options.with_empty or takes_all
    with open_reader(options.database) as db:
        request = ExportRequest(
            format=form,
            rendition=_rendition(options.rendition),
            selection=selection,
            chosen=select_images(db, _of_images(selection, with_empty=with_empty)),
            label_names=_label_names(db, selection),
            min_visible=options.min_visible,
            with_empty=with_empty,
            apply_exif=options.apply_exif,
            box_polygons=options.box_polygons,
            split=split,
            image_files=_image_files(options),
            dest=absolute(options.dest) if options.dest else None,
        )
        exported = _export(db, absolute(options.root_dir), request)
    print(printable(exported_text(exported, request)))


def _export(db: StateConnection, root_dir: Path, request: ExportRequest) -> ExportResult:
    """Exports, with a line on stderr that says how far it is."""
    with open_console(None, log_to_stdout=False) as console:
        line = PacedLine(console.show, is_terminal=console.is_terminal)

        def tell(now: ExportResult) -> None:
            line(lambda elapsed_s: export_line(now, request, elapsed_s))

        return export_labels(db, root_dir, request, tell)


def _of_images(selection: Selection, *, with_empty: bool) -> Selection:
    """What chooses the images before their annotations are looked at: all of it, or what is not about annotations.

    Without classes, which have an index, that an image shows something to be written is a choice as good.
    """
    is_counted = selection.limit_per_class is not None
    if is_counted and with_empty:
        raise UsageError(
            "--limit-per-class is of images that show a class, --with-empty adds those that show none",
            hint="leave one of them out",
        )
    if (selection.classes and not with_empty) or is_counted:
        return selection
    return replace(
        selection,
        classes=(),
        include_subclasses=False,
        label_types=(),
        verified_only=False,
        attributes=(),
        min_box_area=None,
    )


def _format(typed: str) -> Format:
    form = FORMATS.get(typed.lower())
    if form is None:
        raise UsageError(f"--format: there is no format {typed!r}", hint=suggestion(typed, FORMATS))
    return form


def _image_files(options: LabelsOptions) -> ImageFiles:
    if options.copy:
        return ImageFiles.COPY
    return ImageFiles.HARDLINK if options.hardlink else ImageFiles.LINK


def _rendition(typed: tuple[str, ...]) -> str | None:
    """The one that is named; a recipe is `run`'s, from the file of settings or the environment that they share."""
    names = [text for text in typed if "=" not in text]
    if len(names) > 1:
        raise UsageError(f"--rendition: one at a time, not {' and '.join(names)}")
    return names[0] if names else None


def _label_names(db: StateConnection, selection: Selection) -> tuple[str, ...] | None:
    if not selection.classes:
        return None
    found = wanted_classes(db, selection.classes, include_subclasses=selection.include_subclasses)
    return tuple(dict.fromkeys(label_name for label_name, _ in found))
