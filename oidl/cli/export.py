"""`oidl export`: the labels of downloaded images in the format of another tool, with the real sizes of its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.choice import split
from oidl.cli.places import PlaceOptions
from oidl.errors import UsageError
from oidl.report.labels.export import Format, Request, export_labels
from oidl.report.labels.words import exported_text
from oidl.state.classes import wanted_classes
from oidl.state.database import StateConnection, explained, open_reader

_KINDS = ("boxes", "labels", "segmentations", "relationships", "points")


@dataclass(frozen=True, kw_only=True)
class LabelsOptions(PlaceOptions):
    """What `oidl export` can be told."""

    format: Annotated[str, Parameter(show_default=str)] = "coco"
    """`coco`, `yolo`, `voc` or `csv`."""

    rendition: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """The rendition whose files are labelled, by name; the only resized one if not given."""

    subset: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """`train`, `validation` or `test`; repeatable; all if not given."""

    classes: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """Only these classes, like `"Cat,Dog"`: display names or MIDs, in any letter case; numbered in this order."""

    include_subclasses: bool = False
    """And those that are below them in the hierarchy, each as a class of its own."""

    label_types: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """`boxes` (if not given), `labels` (of whole images; `csv` only) or both; others are passed over."""

    min_visible: float = 0.0
    """Leave out boxes of which a crop left less than this share; what nothing is left of is always left out."""

    with_empty: bool = False
    """Write images without any chosen annotation too."""

    apply_exif: bool = False
    """Take originals as readers see them that obey their EXIF tag, like OpenCV; else as they are stored."""

    dest: Path | None = None
    """Write here instead of `<root-dir>/<version>/export/<format>/<rendition>`."""


DEFAULTS = LabelsOptions()


def export(options: Annotated[LabelsOptions, Parameter(name="*")] = DEFAULTS) -> None:
    """Write the labels of downloaded images as COCO, YOLO, Pascal VOC or CSV.

    Widths and heights are those of the files, and boxes lie where the files have them: turned, scaled
    and cut as the pictures were.
    """
    if not 0 <= options.min_visible <= 1:
        raise UsageError(f"--min-visible is a share from 0 to 1, not {options.min_visible}")
    db = open_reader(options.database)
    try:
        with explained(db.path):
            request = Request(
                format=_format(options.format),
                rendition=_rendition(options.rendition),
                subsets=tuple(dict.fromkeys(options.subset)),
                label_names=_label_names(db, options),
                kinds=_kinds(options.label_types),
                min_visible=options.min_visible,
                with_empty=options.with_empty,
                apply_exif=options.apply_exif,
                dest=options.dest.absolute() if options.dest else None,
            )
        exported = export_labels(db, options.root_dir.absolute(), request)
    finally:
        db.close()
    print(exported_text(exported, request))


def _format(typed: str) -> Format:
    try:
        return Format(typed.lower())
    except ValueError:
        raise UsageError(f"--format {typed}: choose from {', '.join(Format)}") from None


def _rendition(typed: tuple[str, ...]) -> str | None:
    """The one that is named; a recipe is `run`'s, from the file of settings or the environment that they share."""
    names = [text for text in typed if "=" not in text]
    if len(names) > 1:
        raise UsageError(f"--rendition: one at a time, not {' and '.join(names)}")
    return names[0] if names else None


def _kinds(typed: tuple[str, ...]) -> tuple[str, ...]:
    if not typed:
        return ("boxes",)
    kinds = [kind for text in ",".join(typed).split(",") if (kind := text.strip().lower())]
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(f"--label-types {kind}: choose from {', '.join(_KINDS)}")
    if not kinds:
        raise UsageError("--label-types is empty", hint=f"choose from {', '.join(_KINDS)}")
    return tuple(kinds)


def _label_names(db: StateConnection, options: LabelsOptions) -> tuple[str, ...] | None:
    names = split(options.classes)
    if not names:
        if options.include_subclasses:
            raise UsageError("--include-subclasses is about --classes", hint="name some, like Animal")
        if options.classes:
            raise UsageError("--classes is empty", hint="name some, like Cat,Dog")
        return None
    found = wanted_classes(db, names, include_subclasses=options.include_subclasses)
    return tuple(dict.fromkeys(label_name for label_name, _ in found))
