"""Goes through the files of one rendition and hands them, with what is to be seen in them, to a format.

Streamed: memory holds a page of files. What a crop left nothing of is counted
and left out; so are images that show nothing that was chosen, unless they are asked for.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from oidl.errors import StateError, UsageError
from oidl.imaging.placing import Placing, both_turns, placed
from oidl.model import LabelType, Rendition
from oidl.report.labels.coco import INSTANCES, coco
from oidl.report.labels.picture import Add, Category, Picture, Target, Thing, categories
from oidl.report.labels.stale import Names, refuse_others, remove_stale
from oidl.report.labels.table import ROWS, table
from oidl.report.labels.voc import IMAGE_SET, JPEG_IMAGES, voc
from oidl.report.labels.yolo import DATA, IMAGES, LIST, yolo
from oidl.settings import Layout, Selection
from oidl.state.audit import known_renditions
from oidl.state.choice import Chosen
from oidl.state.database import StateConnection, explained
from oidl.state.evidence import check_annotated
from oidl.state.labelled import (
    Box,
    FileRow,
    Label,
    boxes_of,
    classes_of,
    file_pages,
    known_classes,
    labels_of,
)
from oidl.state.load import ImageList, loaded_list, loaded_subsets, wanted_subsets
from oidl.storage.atomic import atomic_text
from oidl.storage.layout import actual_path, checked_subdirectory, subset_directory


class Format(StrEnum):
    """The formats; the words are those of `--format`."""

    COCO = "coco"
    YOLO = "yolo"
    VOC = "voc"
    CSV = "csv"


KINDS: dict[Format, tuple[LabelType, ...]] = {
    Format.COCO: (LabelType.BOXES,),
    Format.YOLO: (LabelType.BOXES,),
    Format.VOC: (LabelType.BOXES,),
    Format.CSV: (LabelType.BOXES, LabelType.LABELS),
}
"""The kinds of annotations that a format has a place for."""

_WRITERS: dict[Format, Callable[[Target], AbstractContextManager[Add]]] = {
    Format.COCO: coco,
    Format.YOLO: yolo,
    Format.VOC: voc,
    Format.CSV: table,
}

_NAMES: dict[Format, Names] = {
    Format.COCO: Names((INSTANCES,)),
    Format.YOLO: Names((DATA, LIST), (IMAGES,)),
    Format.VOC: Names((IMAGE_SET,), (JPEG_IMAGES,)),
    Format.CSV: Names((ROWS,)),
}


ANYTHING = Selection()
"""What is asked for where nothing is chosen."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be exported; None and empty ask for all there is.

    `selection` says which annotations, how many images at most, and of which subsets; which images beside that says
    `chosen`, the choice that was made on the connection, None for all. `label_names` are its classes as MIDs, in the
    order in which categories are to be numbered. `min_visible` is the share of a box that must be left in the file.
    `apply_exif` takes originals as a reader sees them that obeys their EXIF tag.
    """

    format: Format
    rendition: str | None = None
    selection: Selection = ANYTHING
    chosen: Chosen | None = None
    label_names: tuple[str, ...] | None = None
    min_visible: float = 0.0
    with_empty: bool = False
    apply_exif: bool = False
    dest: Path | None = None


@dataclass(slots=True)
class Exported:
    """What came of an export, while it goes on and at its end; the counts are by subset."""

    dest: Path
    rendition: str
    kinds: Sequence[str]
    images: dict[str, int]
    annotations: dict[str, int]
    unseen_boxes: int = 0
    elsewhere: int = 0
    without_geometry: int = 0


def written_kinds(form: Format, label_types: Collection[LabelType]) -> tuple[LabelType, ...]:
    """Those of `label_types` (empty: boxes) that the format has a place for; `UsageError` if it has for none."""
    label_types = label_types or (LabelType.BOXES,)
    kinds = tuple(kind for kind in KINDS[form] if kind in label_types)
    if not kinds:
        raise UsageError(
            f"--format {form} has no place for {', '.join(label_types)}", hint=f"it takes {', '.join(KINDS[form])}"
        )
    return kinds


def export_labels(db: StateConnection, root_dir: Path, request: Request) -> Exported:
    """Writes the labels of one rendition's files, and `images.meta`; `root_dir` is absolute.

    Goes to `request.dest`, or to `<root_dir>/<version>/export/<format>/<rendition>`, and takes the place of an
    earlier export in that format. Raises `UsageError` where there is nothing to export, or it does not say what.
    """
    with explained(db.path):
        held = loaded_list(db)
        if held is None:
            raise StateError("there is no image list in the database yet", hint="`oidl run` loads it")
        target, rendition = _target(db, root_dir, held, request)
        exported = Exported(
            target.dest,
            rendition.name,
            target.kinds,
            images=dict.fromkeys(target.image_directories, 0),
            annotations=dict.fromkeys(target.image_directories, 0),
        )
        names = _NAMES[request.format]
        written = names.at(target.dest, target.image_directories, target.kinds)
        meta_path = target.dest / "images.meta"
        takes_a_place = os.path.lexists(meta_path)
        if not takes_a_place:
            refuse_others(written)
        # The list of sizes is in place before the rest: it says that what comes there is an export's.
        with _WRITERS[request.format](target) as add, atomic_text(meta_path) as meta:
            for picture in _Pictures(db, root_dir, request, target, rendition, exported):
                meta.write(f"{picture.file.image_id} {picture.height} {picture.width}\n")
                if picture.shows_something or request.with_empty:
                    add(picture)
                    exported.images[picture.file.subset] += 1
                    exported.annotations[picture.file.subset] += len(picture.things) + len(picture.labels)
                if sum(exported.images.values()) == request.selection.limit:
                    break
        if takes_a_place:
            remove_stale(names.at(target.dest, loaded_subsets(db), KINDS[request.format]), written)
    return exported


def _target(db: StateConnection, root_dir: Path, held: ImageList, request: Request) -> tuple[Target, Rendition]:
    rendition = _rendition(db, request.rendition)
    subsets = wanted_subsets(db, request.selection.subsets)
    kinds = written_kinds(request.format, request.selection.label_types)
    check_annotated(db, kinds)
    classes = known_classes(db, kinds) if request.label_names is None else classes_of(db, request.label_names)
    dest = request.dest
    if dest is None:
        name = checked_subdirectory(rendition.name, "without --dest, a rendition's name")
        dest = root_dir / held.directory / "export" / request.format / name
    layout = Layout(root_dir, held.directory)
    directories = {subset: subset_directory(layout, subset, rendition.directory) for subset in subsets}
    title = f"Open Images V{held.dataset_version}"
    return Target(root_dir, dest, title, rendition.name, directories, categories(classes), kinds), rendition


def _rendition(db: StateConnection, name: str | None) -> Rendition:
    """The rendition called `name`; without a name the only resized one, or, if none is, the only one there is."""
    present = [rendition for rendition, files in known_renditions(db) if files]
    names = ", ".join(rendition.name for rendition in present)
    if not present:
        raise UsageError("there are no images yet", hint="`oidl run` downloads them")
    if name is not None:
        for rendition in present:
            if rendition.name == name:
                return rendition
        raise UsageError(f"--rendition {name}: there are no such images", hint=f"there are {names}")
    candidates = [rendition for rendition in present if rendition.mode is not None] or present
    if len(candidates) > 1:
        raise UsageError("there are images of several renditions", hint=f"say which with --rendition: {names}")
    return candidates[0]


@dataclass(slots=True)
class _Pictures:
    """The pictures of an export, one after another; what is left out is counted in `exported`."""

    db: StateConnection
    root_dir: Path
    request: Request
    target: Target
    rendition: Rendition
    exported: Exported
    by_label_name: Mapping[str, Category] = field(init=False)

    def __post_init__(self) -> None:
        self.by_label_name = {category.label_name: category for category in self.target.categories}

    def __iter__(self) -> Iterator[Picture]:
        subsets, kinds = tuple(self.target.image_directories), self.target.kinds
        wanted = self.request.label_names, self.request.selection
        for page in file_pages(self.db, self.rendition.name, subsets, self.request.chosen):
            image_ids = [file.image_id for file in page]
            boxes = boxes_of(self.db, image_ids, *wanted) if LabelType.BOXES in kinds else {}
            labels = labels_of(self.db, image_ids, *wanted) if LabelType.LABELS in kinds else {}
            for file in page:
                path = actual_path(Layout(self.root_dir, ""), file.path)
                directory = self.target.image_directories[file.subset]
                if not path.is_relative_to(directory):  # its rendition was given another directory later
                    self.exported.elsewhere += 1
                    continue
                where = self._placing(file)
                if where is None:
                    self.exported.without_geometry += 1
                    continue
                things = tuple(self._things(boxes.get(file.image_id, ()), where))
                of_image = tuple(self._labels(labels.get(file.image_id, ())))
                yield Picture(file, path.relative_to(directory), where.width, where.height, things, of_image)

    def _things(self, boxes: Sequence[Box], where: Placing) -> Iterator[Thing]:
        for box in boxes:
            category = self.by_label_name.get(box.label_name)
            if category is None:  # of a file that is being loaded just now
                continue
            seen = placed(box.x_min, box.x_max, box.y_min, box.y_max, where)
            if seen is None or seen.visible < self.request.min_visible:
                self.exported.unseen_boxes += 1
                continue
            yield Thing(category, box, seen)

    def _labels(self, labels: Sequence[Label]) -> Iterator[tuple[Category, Label]]:
        for label in labels:
            category = self.by_label_name.get(label.label_name)
            if category is not None:
                yield category, label

    def _placing(self, file: FileRow) -> Placing | None:
        """How the file came about; None where that was not noted, as before renditions had a geometry."""
        if file.scaled_width is None or file.scaled_height is None:
            if self.rendition.mode is not None:
                return None
            whole = Placing(file.orientation, file.width, file.height, 0, 0, file.width, file.height)
        else:
            whole = Placing(
                file.orientation,
                file.scaled_width,
                file.scaled_height,
                file.crop_left,
                file.crop_top,
                file.width,
                file.height,
            )
        if self.request.apply_exif and file.exif_orientation:
            return _as_exif_turns(whole, file.exif_orientation)
        return whole


def _as_exif_turns(whole: Placing, orientation: int) -> Placing:
    """A whole picture as it is when a reader has turned it by its EXIF `orientation`."""
    width, height = (whole.height, whole.width) if orientation >= 5 else (whole.width, whole.height)
    return Placing(both_turns(whole.orientation, orientation), width, height, 0, 0, width, height)
