"""The images of an export, one after another, with the boxes and labels in them as they lie in their files.

Memory holds one page of files. Boxes of which a crop left too little are counted and left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath

from oidl.export.image import Category, LabelledBox, LabelledImage
from oidl.export.request import ExportRequest, ExportResult
from oidl.imaging.placing import Placing, as_exif_turns, placed
from oidl.model import LabelType, Rendition
from oidl.state.database import StateConnection
from oidl.state.labelled import Box, FileRow, Label, boxes_of, file_pages, labels_of


@dataclass(slots=True)
class LabelledImages:
    """The images of an export, in order; what is left out is counted in `result`."""

    db: StateConnection
    request: ExportRequest
    rendition: Rendition
    subsets: Sequence[str]
    kinds: Sequence[LabelType]
    categories: Sequence[Category]
    result: ExportResult
    _by_label_name: Mapping[str, Category] = field(init=False)

    def __post_init__(self) -> None:
        self._by_label_name = {category.label_name: category for category in self.categories}

    def __iter__(self) -> Iterator[LabelledImage]:
        form, split = self.request.format, self.request.split
        wanted = self.request.label_names, self.request.selection
        for page in file_pages(self.db, self.rendition.name, self.subsets, self.request.chosen):
            image_ids = [file.image_id for file in page]
            boxes = boxes_of(self.db, image_ids, *wanted) if LabelType.BOXES in self.kinds else {}
            labels = labels_of(self.db, image_ids, *wanted) if LabelType.LABELS in self.kinds else {}
            for file in page:
                where = self._placing(file)
                if where is None:
                    self.result.without_geometry += 1
                    continue
                part = form.split_name(split.of(file.image_id, file.subset))
                path = PurePosixPath(form.images.format(split=part), file.image_id + PurePath(file.path).suffix)
                seen = tuple(self._boxes(boxes.get(file.image_id, ()), where))
                of_image = tuple(self._labels(labels.get(file.image_id, ())))
                yield LabelledImage(file, part, path, where.width, where.height, seen, of_image)

    def _boxes(self, boxes: Sequence[Box], where: Placing) -> Iterator[LabelledBox]:
        for box in boxes:
            category = self._by_label_name.get(box.label_name)
            if category is None:  # of a file that is being loaded just now
                continue
            seen = placed(box.x_min, box.x_max, box.y_min, box.y_max, where)
            if seen is None or seen.visible < self.request.min_visible:
                self.result.unseen_boxes += 1
                continue
            yield LabelledBox(category, box, seen)

    def _labels(self, labels: Sequence[Label]) -> Iterator[tuple[Category, Label]]:
        for label in labels:
            category = self._by_label_name.get(label.label_name)
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
            return as_exif_turns(whole, file.exif_orientation)
        return whole
