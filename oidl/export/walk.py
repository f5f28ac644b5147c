"""The images of an export, one after another, with the boxes and labels in them as they lie in their files.

Memory holds one page of files. Boxes of which a crop left too little are counted and left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oidl.export.format import ExportTarget
from oidl.export.image import Category, LabelledBox, LabelledImage
from oidl.export.request import ExportRequest, ExportResult
from oidl.imaging.placing import Placing, both_turns, placed
from oidl.model import LabelType, Rendition
from oidl.settings import Layout
from oidl.state.database import StateConnection
from oidl.state.labelled import Box, FileRow, Label, boxes_of, file_pages, labels_of
from oidl.storage.layout import actual_path


@dataclass(slots=True)
class LabelledImages:
    """The images of an export, in order; what is left out is counted in `exported`."""

    db: StateConnection
    root_dir: Path
    request: ExportRequest
    target: ExportTarget
    rendition: Rendition
    exported: ExportResult
    by_label_name: Mapping[str, Category] = field(init=False)

    def __post_init__(self) -> None:
        self.by_label_name = {category.label_name: category for category in self.target.categories}

    def __iter__(self) -> Iterator[LabelledImage]:
        subsets, kinds = self.target.splits, self.target.kinds
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
                seen = tuple(self._boxes(boxes.get(file.image_id, ()), where))
                of_image = tuple(self._labels(labels.get(file.image_id, ())))
                name = path.relative_to(directory)
                yield LabelledImage(file, file.subset, name, where.width, where.height, seen, of_image)

    def _boxes(self, boxes: Sequence[Box], where: Placing) -> Iterator[LabelledBox]:
        for box in boxes:
            category = self.by_label_name.get(box.label_name)
            if category is None:  # of a file that is being loaded just now
                continue
            seen = placed(box.x_min, box.x_max, box.y_min, box.y_max, where)
            if seen is None or seen.visible < self.request.min_visible:
                self.exported.unseen_boxes += 1
                continue
            yield LabelledBox(category, box, seen)

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
