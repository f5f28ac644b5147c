"""`oidl export`: writes downloaded images and their labels in the format of another tool."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import OUTPUT, SELECTION, filled, in_section
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.types import A_SHARE, AT_LEAST_ONE, absolute
from oidl.cli.selection import before_annotations, label_names, select_images
from oidl.errors import UsageError
from oidl.export.describe import export_line, exported_text
from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.formats import FORMATS
from oidl.export.labels import export_labels, written_kinds
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.split import BY_SUBSET, parse_split
from oidl.progress.console import open_console
from oidl.progress.lines import PacedLine
from oidl.state.connection import StateConnection
from oidl.state.database import open_reader
from oidl.text import printable, suggestion

_DEFAULTS = ExportRequest(FORMATS["coco"])
_FORMATS = "One of " + ", ".join(f"`{each.name}` ({', '.join(each.label_types)})" for each in FORMATS.values())
_FORMATS += f"; {', '.join(f'`{each.name}`' for each in FORMATS.values() if each.takes_all)} also without annotations."


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class LabelOptions:
    """How images and their labels are written."""

    format: Annotated[str, Parameter(help=_FORMATS)] = _DEFAULTS.format.name

    rendition: str | None = _DEFAULTS.rendition
    """The rendition to export, as `oidl renditions` names it. Default: the only resized one."""

    limit: Annotated[int | None, AT_LEAST_ONE, Parameter(group=SELECTION)] = None
    """Write at most this many images."""

    min_visible: Annotated[float, A_SHARE] = _DEFAULTS.min_visible
    """Leave out boxes of which a crop left less than this share, like `0.3`; those cut off entirely always are."""

    with_empty: bool = _DEFAULTS.with_empty
    """Also write images that have none of the chosen annotations."""

    apply_exif: bool = _DEFAULTS.apply_exif
    """Compute boxes for readers that apply the EXIF orientation (OpenCV, Ultralytics). Default: pixels as stored."""

    box_polygons: bool = _DEFAULTS.box_polygons
    """Give boxes without a mask their outline as a polygon, for readers that need a segmentation (`coco`)."""

    split: str = BY_SUBSET
    """`subset` (as published), or percentages of train, validation and test, like `80/20` or `80/10/10`."""

    copy: Annotated[bool, Parameter(negative="")] = False
    """Copy the images into the export, so that it can be moved anywhere. Default: relative links to the root."""

    hardlink: Annotated[bool, Parameter(negative="")] = False
    """Hard-link the images into the export: like `--copy`, but without using space, on one filesystem."""

    dest: Path | None = _DEFAULTS.dest
    """Write here instead of `<root-dir>/<version>/export/<format>/<rendition>`."""

    @property
    def image_files(self) -> ImageFiles:
        """How image files come into the export. Raises `UsageError`."""
        if self.copy and self.hardlink:
            raise UsageError("--copy and --hardlink exclude each other", hint="choose one of them")
        if self.copy:
            return ImageFiles.COPY
        return ImageFiles.HARDLINK if self.hardlink else ImageFiles.LINK

    @property
    def label_format(self) -> Format:
        """The format that `--format` names. Raises `UsageError`."""
        label_format = FORMATS.get(self.format.lower())
        if label_format is None:
            raise UsageError(f"--format: there is no format {self.format!r}", hint=suggestion(self.format, FORMATS))
        if self.box_polygons and label_format is not FORMATS["coco"]:
            raise UsageError(
                f"--format {label_format.name} cannot contain polygons",
                hint="use --format coco, or leave out --box-polygons",
            )
        return label_format


def export(
    paths: PathOptions = PathOptions(),
    images: SelectionOptions = SelectionOptions(),
    labels: LabelOptions = LabelOptions(),
) -> None:
    """Exports the chosen images, and prints what was written and what was left out."""
    image_files, label_format, split = labels.image_files, labels.label_format, parse_split(labels.split, images.seed)
    selection = images.settings(labels.limit)
    takes_all = label_format.takes_all and not selection.label_types
    if not takes_all:
        selection = replace(selection, label_types=written_kinds(label_format, selection.label_types))
    with_empty = labels.with_empty or takes_all
    with open_reader(paths.database) as db:
        request = filled(
            ExportRequest,
            labels,
            format=label_format,
            selection=selection,
            selected=select_images(db, before_annotations(selection, with_empty=with_empty)),
            label_names=label_names(db, selection),
            with_empty=with_empty,
            split=split,
            image_files=image_files,
            dest=absolute(labels.dest) if labels.dest else None,
        )
        exported = _export(db, absolute(paths.root_dir), request)
    print(printable(exported_text(exported, request)))


def _export(db: StateConnection, root_dir: Path, request: ExportRequest) -> ExportResult:
    """Exports, with a progress line on stderr."""
    with open_console(None, log_to_stdout=False) as console:
        line = PacedLine(console.show, is_terminal=console.is_terminal)

        def tell(now: ExportResult) -> None:
            line(lambda elapsed_s: export_line(now, request, elapsed_s))

        return export_labels(db, root_dir, request, tell)
