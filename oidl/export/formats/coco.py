"""COCO: `annotations/instances_<split>.json`, as `pycocotools` and torchvision's `CocoDetection` read it.

Relationships and points, which COCO does not support, are in `relationships_<split>.json` and `points_<split>.json`
next to it, with the same images and numbers. Each file is one JSON object with one record per line. Images are written
immediately, annotations into a temporary file that is appended at the end, so memory holds neither. `image_id` is the
number of the image in the published list, `category_id` that of the category; both are the same in every export of a
database. The images are in `images/<split>`; `file_name` is relative to that directory.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, TextIO

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import Category, LabelledBox, LabelledImage
from oidl.imaging.boxes import PlacedBox
from oidl.model import LabelType
from oidl.text import without_passwords


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of file: its name, the key of its records, and the function that makes them."""

    name: str
    key: str
    label_types: tuple[LabelType, ...]
    records: Callable[[LabelledImage, ExportTarget], Iterable[dict[str, Any]]]

    def categories(self, target: ExportTarget) -> Sequence[Category]:
        """The categories that its records may use."""
        return target.categories_of.get(self.label_types[0], target.categories)


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes a file for every split and kind."""
    with ExitStack() as files:
        documents = {
            (split, kind): _Document(
                files.enter_context(target.open_text(kind.name.format(split=split))),
                files.enter_context(TemporaryFile("w+", encoding="utf-8", newline="", dir=target.directory)),
                kind.key,
                _header(target, split, kind),
            )
            for split in target.splits
            for kind in _KINDS
            if any(label_type in target.kinds for label_type in kind.label_types)
        }

        def write(image: LabelledImage) -> None:
            for (split, kind), document in documents.items():
                if split == image.split:
                    document.add(image, kind.records(image, target))

        yield write
        for document in documents.values():
            document.end()


class _Document:
    """One file while it is written."""

    def __init__(self, file: TextIO, spool: TextIO, key: str, header: dict[str, Any]) -> None:
        self._file = file
        self._spool = spool
        self._key = key
        self._licenses: dict[str, int] = {}
        self._images = 0
        self._records = 0
        lines = "".join(f'"{name}": {_json(value)},\n' for name, value in header.items())
        file.write(f'{{\n{lines}"images": [')

    def add(self, image: LabelledImage, records: Iterable[dict[str, Any]]) -> None:
        """Writes an image and its records, which get their numbers here."""
        file = image.file
        license_id = self._licenses.setdefault(file.license, len(self._licenses) + 1)
        self._file.write(("" if self._images == 0 else ",") + "\n" + _json(_image(image, license_id)))
        self._images += 1
        for record in records:
            self._spool.write("" if self._records == 0 else ",")
            self._records += 1
            self._spool.write("\n" + _json({"id": self._records, "image_id": file.number, **record}))

    def end(self) -> None:
        """Appends the records after the images, and the licences after both."""
        self._file.write(f'\n],\n"{self._key}": [')
        self._spool.seek(0)
        copyfileobj(self._spool, self._file)
        licenses = [{"id": number, "name": url, "url": url} for url, number in self._licenses.items()]
        self._file.write(f'\n],\n"licenses": {_json(licenses)}\n}}\n')


def _header(target: ExportTarget, split: str, kind: _Kind) -> dict[str, Any]:
    return {
        "info": {
            "description": f"{target.title}, {split}",
            "rendition": target.rendition,
            "image_directory": f"../images/{split}",
        },
        "categories": [
            {
                "id": category.number,
                "name": category.name,
                "supercategory": category.parent,
                "label_name": category.label_name,
            }
            for category in kind.categories(target)
        ],
    }


def _image(image: LabelledImage, license_id: int) -> dict[str, Any]:
    file = image.file
    return {
        "id": file.number,
        "file_name": image.name,
        "width": image.width,
        "height": image.height,
        "license": license_id,
        "flickr_url": without_passwords(file.original_url),
        "open_images_id": file.image_id,
        "landing_url": file.original_landing_url,
        "title": file.title,
        "author": file.author,
        "author_url": file.author_profile_url,
    }


def _instances(image: LabelledImage, target: ExportTarget) -> Iterator[dict[str, Any]]:
    for box in image.boxes:
        *_, width, height = bbox = _bbox(box.box)
        yield {
            "category_id": box.category.number,
            "bbox": bbox,
            "area": box.mask.area if box.mask else round(width * height, 2),
            "segmentation": _segmentation(box, target),
            "iscrowd": int(box.attribute("is_group_of")),
            "attributes": {
                "occluded": box.attribute("is_occluded"),
                "truncated": box.is_truncated,
                "is_depiction": box.attribute("is_depiction"),
                "is_inside": box.attribute("is_inside"),
            },
        }


def _segmentation(box: LabelledBox, target: ExportTarget) -> object:
    """The mask as run lengths, the box as a polygon, or an empty list: pycocotools' `showAnns` requires the key."""
    if box.mask:
        return {"size": [box.mask.height, box.mask.width], "counts": box.mask.counts}
    if target.box_polygons:
        left, top, width, height = _bbox(box.box)
        right, bottom = round(left + width, 2), round(top + height, 2)
        return [[left, top, right, top, right, bottom, left, bottom]]
    return []


def _relationships(image: LabelledImage, target: ExportTarget) -> Iterator[dict[str, Any]]:
    for each in image.relationships:
        yield {
            "relationship": each.relationship,
            **{
                name: {"category_id": category.number, "bbox": _bbox(box)}
                for name, (category, box) in (("subject", each.subject), ("object", each.object))
            },
        }


def _points(image: LabelledImage, target: ExportTarget) -> Iterator[dict[str, Any]]:
    for each in image.points:
        published = each.published
        yield {
            "category_id": each.category.number,
            "point": [round(each.left, 2), round(each.top, 2)],
            "estimated_yes_no": published.estimated_yes_no,
            "source": published.source,
            "yes_votes": published.yes_votes,
            "no_votes": published.no_votes,
            "unsure_votes": published.unsure_votes,
            "text_label": published.text_label,
        }


def _bbox(box: PlacedBox) -> list[float]:
    return [round(side, 2) for side in (box.left, box.top, box.width, box.height)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_KINDS = (
    _Kind("annotations/instances_{split}.json", "annotations", (LabelType.BOXES, LabelType.SEGMENTATIONS), _instances),
    _Kind("annotations/relationships_{split}.json", "relationships", (LabelType.RELATIONSHIPS,), _relationships),
    _Kind("annotations/points_{split}.json", "points", (LabelType.POINTS,), _points),
)

COCO = Format(
    "coco",
    tuple(label_type for kind in _KINDS for label_type in kind.label_types),
    _write,
    files=tuple(kind.name for kind in _KINDS),
)
