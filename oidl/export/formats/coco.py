"""COCO: `annotations/instances_<split>.json`, as `pycocotools` and torchvision's `CocoDetection` read it.

One JSON object, a record a line. Images are written as they come, annotations
meanwhile into a temporary file that is copied behind them at the end, so
memory holds neither. `image_id` is the image's number in the published list,
`category_id` the category's; both are the same in every export of a database. The images are in `images/<split>`;
`file_name` is relative to that.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, TextIO

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledBox, LabelledImage
from oidl.model import LabelType
from oidl.text import without_passwords

INSTANCES = "annotations/instances_{split}.json"


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes a file for every split."""
    with ExitStack() as files:
        instances = {
            split: _Instances(
                files.enter_context(target.open_text(INSTANCES.format(split=split))),
                files.enter_context(TemporaryFile("w+", encoding="utf-8", newline="", dir=target.directory)),
                _header(target, split),
            )
            for split in target.splits
        }
        yield lambda image: instances[image.split].add(image)
        for each in instances.values():
            each.end()


COCO = Format("coco", (LabelType.BOXES,), _write, files=(INSTANCES,))


class _Instances:
    """One file while it is written."""

    def __init__(self, file: TextIO, spool: TextIO, header: dict[str, Any]) -> None:
        self._file = file
        self._spool = spool
        self._licenses: dict[str, int] = {}
        self._images = 0
        self._annotations = 0
        lines = "".join(f'"{key}": {_json(value)},\n' for key, value in header.items())
        file.write(f'{{\n{lines}"images": [')

    def add(self, image: LabelledImage) -> None:
        """Writes an image and its boxes."""
        file = image.file
        license_id = self._licenses.setdefault(file.license, len(self._licenses) + 1)
        self._file.write(("" if self._images == 0 else ",") + "\n" + _json(_image(image, license_id)))
        self._images += 1
        for box in image.boxes:
            self._spool.write("" if self._annotations == 0 else ",")
            self._annotations += 1
            self._spool.write("\n" + _json(_annotation(self._annotations, file.number, box)))

    def end(self) -> None:
        """Puts the annotations behind the images, and the licences behind both."""
        self._file.write('\n],\n"annotations": [')
        self._spool.seek(0)
        copyfileobj(self._spool, self._file)
        licenses = [{"id": number, "name": url, "url": url} for url, number in self._licenses.items()]
        self._file.write(f'\n],\n"licenses": {_json(licenses)}\n}}\n')


def _header(target: ExportTarget, split: str) -> dict[str, Any]:
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
            for category in target.categories
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


def _annotation(number: int, image_number: int, box: LabelledBox) -> dict[str, Any]:
    placed = box.box
    width, height = round(placed.width, 2), round(placed.height, 2)
    return {
        "id": number,
        "image_id": image_number,
        "category_id": box.category.number,
        "bbox": [round(placed.left, 2), round(placed.top, 2), width, height],
        "area": round(width * height, 2),
        "segmentation": [],  # as in sets of boxes alone; pycocotools' showAnns asks for it
        "iscrowd": int(box.attribute("is_group_of")),
        "attributes": {
            "occluded": box.attribute("is_occluded"),
            "truncated": box.is_truncated,
            "is_depiction": box.attribute("is_depiction"),
            "is_inside": box.attribute("is_inside"),
        },
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
