"""COCO, YOLO, VOC and folders as Datumaro imports them. It follows no links: images are hard links or copies."""

from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally


def _boxes(home: Path, form: str, last: int = 0) -> Facts:
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset

    found = Dataset.import_from(str(home), form)
    classes = found.categories()[AnnotationType.label]
    tally = Tally()
    for item in found:
        _open(item)
        boxes = [each for each in item.annotations if each.type is AnnotationType.bbox]
        tally.image((classes[each.label].name, each.w + last, each.h + last) for each in boxes)
    return tally.facts()


def _open(item: Any) -> None:
    """Raises `ValueError` if the image is missing."""
    if item.media is None or item.media.data is None:
        raise ValueError(f"{item.id} has no image")


def coco(home: Path) -> Facts:
    """Its `coco`."""
    return _boxes(home, "coco")


def yolo(home: Path) -> Facts:
    """Its `yolo`, which knows the layout of Ultralytics."""
    return _boxes(home, "yolo")


def voc(home: Path) -> Facts:
    """Its `voc_detection`, which takes the last pixel of a box for the first one outside."""
    return _boxes(home / "VOCdevkit/VOC2012", "voc_detection", last=1)


def folders(home: Path) -> Facts:
    """Its `image_dir` on each split."""
    from datumaro.components.dataset import Dataset

    images = folders = 0
    for path in home.iterdir():
        if path.is_dir():
            folders += 1
            for item in Dataset.import_from(str(path), "image_dir"):
                _open(item)
                images += 1
    return {"images": images, "folders": folders}
