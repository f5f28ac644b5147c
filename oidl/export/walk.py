"""The images of an export, one after another, with their annotations at their positions in the files.

Memory holds one page of files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from oidl.export.annotations import PageAnnotations, read_annotation_rows
from oidl.export.image import Category, LabelledImage
from oidl.export.masks import MaskReader
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.text import with_shown
from oidl.imaging.boxes import Transform, as_exif_turns
from oidl.model import LabelType, Rendition
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import AnnotatedFile, file_pages
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import image_suffix

TEXTS = ("original_url", "original_landing_url", "license", "author_profile_url", "author", "title")
"""The columns of a file with published text that formats show."""


@dataclass(slots=True)
class LabelledImages:
    """The images of an export, in order, with annotations of the `categories`, a mapping by label name.

    Published text is made printable here, for all formats. Files that are not `own` are left out; `result` counts
    everything that is left out.
    """

    db: StateConnection
    request: ExportRequest
    rendition: Rendition
    subsets: Sequence[str]
    own: OwnFiles
    kinds: Sequence[LabelType]
    categories: Mapping[str, Category]
    masks: MaskReader
    result: ExportResult

    def __iter__(self) -> Iterator[LabelledImage]:
        form, split = self.request.format, self.request.split
        for page in file_pages(self.db, self.rendition.name, self.subsets, self.request.selected):
            rows = read_annotation_rows(self.db, [file.image_id for file in page], self.request, self.kinds)
            annotations = PageAnnotations(rows, self.request, self.kinds, self.categories, self.masks, self.result)
            for file in page:
                if not self.own.has(file.image_id, self.rendition.name, file.path):
                    self.result.misplaced_files += 1
                    continue
                where = self._transform(file)
                if where is None:
                    self.result.without_geometry += 1
                    continue
                part = form.split_name(split.of(file.image_id, file.subset))
                yield LabelledImage(
                    with_shown(file, TEXTS),
                    part,
                    PurePosixPath(
                        form.images.format(split=part), file.image_id + image_suffix(file.path, file.image_format)
                    ),
                    where.width,
                    where.height,
                    boxes=tuple(annotations.boxes(file, where)),
                    labels=tuple(annotations.labels(file)),
                    relationships=tuple(annotations.relationships(file, where)),
                    points=tuple(annotations.points(file, where)),
                )

    def _transform(self, file: AnnotatedFile) -> Transform | None:
        whole = transform_of(file, self.rendition)
        if whole and self.request.apply_exif and file.exif_orientation:
            return as_exif_turns(whole, file.exif_orientation)
        return whole


def transform_of(file: AnnotatedFile, rendition: Rendition) -> Transform | None:
    """How the file was made; None if that was not recorded, because renditions had no geometry yet."""
    if file.scaled_width is not None and file.scaled_height is not None:
        scaled = file.orientation, file.scaled_width, file.scaled_height, file.crop_left, file.crop_top
        return Transform(*scaled, file.width, file.height)
    if rendition.mode is not None:
        return None
    return Transform(file.orientation, file.width, file.height, 0, 0, file.width, file.height)
