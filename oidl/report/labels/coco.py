"""COCO: `annotations/instances_<subset>.json`, as `pycocotools` and torchvision's `CocoDetection` read it.

One JSON object, a record a line. Images are written as they come, annotations
meanwhile into a temporary file that is copied behind them at the end, so
memory holds neither. `image_id` is the image's number in the published list,
`category_id` the category's; both are the same in every export of a database. `info.image_directory` is relative to
the file if images and export are in the root.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, TextIO

from oidl.report.labels.picture import Add, Picture, Target, Thing
from oidl.storage.atomic import atomic_text
from oidl.text import without_passwords

INSTANCES = "annotations/instances_{subset}.json"


@contextmanager
def coco(target: Target) -> Iterator[Add]:
    """Writes a file for every subset."""
    with ExitStack() as files:
        instances = {
            subset: _Instances(
                files.enter_context(atomic_text(target.dest / INSTANCES.format(subset=subset))),
                files.enter_context(TemporaryFile("w+", encoding="utf-8", newline="", dir=target.dest)),
                _header(target, subset),
            )
            for subset in target.image_directories
        }
        yield lambda picture: instances[picture.file.subset].add(picture)
        for each in instances.values():
            each.end()


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

    def add(self, picture: Picture) -> None:
        """Writes a picture and what is in it."""
        file = picture.file
        license_id = self._licenses.setdefault(file.license, len(self._licenses) + 1)
        self._file.write(("" if self._images == 0 else ",") + "\n" + _json(_image(picture, license_id)))
        self._images += 1
        for thing in picture.things:
            self._spool.write("" if self._annotations == 0 else ",")
            self._annotations += 1
            self._spool.write("\n" + _json(_annotation(self._annotations, file.number, thing)))

    def end(self) -> None:
        """Puts the annotations behind the images, and the licences behind both."""
        self._file.write('\n],\n"annotations": [')
        self._spool.seek(0)
        copyfileobj(self._spool, self._file)
        licenses = [{"id": number, "name": url, "url": url} for url, number in self._licenses.items()]
        self._file.write(f'\n],\n"licenses": {_json(licenses)}\n}}\n')


def _header(target: Target, subset: str) -> dict[str, Any]:
    return {
        "info": {
            "description": f"{target.title}, {subset}",
            "rendition": target.rendition,
            "image_directory": target.images_from((target.dest / INSTANCES).parent, subset).as_posix(),
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


def _image(picture: Picture, license_id: int) -> dict[str, Any]:
    file = picture.file
    return {
        "id": file.number,
        "file_name": picture.name.as_posix(),
        "width": picture.width,
        "height": picture.height,
        "license": license_id,
        "flickr_url": without_passwords(file.original_url),
        "open_images_id": file.image_id,
        "landing_url": file.original_landing_url,
        "title": file.title,
        "author": file.author,
        "author_url": file.author_profile_url,
    }


def _annotation(number: int, image_number: int, thing: Thing) -> dict[str, Any]:
    box = thing.box
    width, height = round(box.width, 2), round(box.height, 2)
    return {
        "id": number,
        "image_id": image_number,
        "category_id": thing.category.number,
        "bbox": [round(box.left, 2), round(box.top, 2), width, height],
        "area": round(width * height, 2),
        "segmentation": [],  # as in sets of boxes alone; pycocotools' showAnns asks for it
        "iscrowd": int(thing.attribute("is_group_of")),
        "attributes": {
            "occluded": thing.attribute("is_occluded"),
            "truncated": thing.is_truncated,
            "is_depiction": thing.attribute("is_depiction"),
            "is_inside": thing.attribute("is_inside"),
        },
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
