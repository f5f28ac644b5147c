"""COCO, YOLO and VOC as FiftyOne's importers read them. They do not need MongoDB, in which FiftyOne keeps datasets."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally


def _detections(importer: AbstractContextManager[Iterable[tuple[str, Any, Any]]], tally: Tally, last: int = 0) -> int:
    """Counts the images that exist and their boxes; returns how many boxes have a mask."""
    masks = 0
    with importer as samples:
        for path, metadata, label in samples:
            from PIL import Image

            with Image.open(path) as picture:
                width, height = picture.size
            if metadata is not None and (metadata.width, metadata.height) != (width, height):
                raise ValueError(f"{path} is {width} × {height}")
            found = label.detections if label else []
            masks += sum(each.mask is not None for each in found)
            sides = [(each.label, *each.bounding_box[2:]) for each in found]
            tally.image((name, wide * width + last, high * height + last) for name, wide, high in sides)
    return masks


def coco(home: Path) -> Facts:
    """`COCODetectionDatasetImporter` for boxes."""
    from fiftyone.utils.coco import COCODetectionDatasetImporter

    tally = Tally()
    for path in sorted(home.glob("annotations/instances_*.json")):
        images = home / "images" / path.stem.removeprefix("instances_")
        _detections(
            COCODetectionDatasetImporter(data_path=str(images), labels_path=str(path), label_types="detections"), tally
        )
    return tally.facts()


def coco_masks(home: Path) -> Facts:
    """The same for masks."""
    from fiftyone.utils.coco import COCODetectionDatasetImporter

    tally = Tally()
    masks = 0
    for path in sorted(home.glob("annotations/instances_*.json")):
        images = home / "images" / path.stem.removeprefix("instances_")
        masks += _detections(
            COCODetectionDatasetImporter(data_path=str(images), labels_path=str(path), label_types="segmentations"),
            tally,
        )
    return {"images": tally.images, "masks": masks}


def yolo(home: Path) -> Facts:
    """`YOLOv5DatasetImporter`."""
    from fiftyone.utils.yolo import YOLOv5DatasetImporter

    tally = Tally()
    for split in sorted(path.name for path in home.glob("labels/*") if path.is_dir()):
        _detections(YOLOv5DatasetImporter(dataset_dir=str(home), yaml_path="data.yaml", split=split), tally)
    return tally.facts()


def voc(home: Path) -> Facts:
    """`VOCDetectionDatasetImporter`, which takes the last pixel of a box for the first one outside."""
    from fiftyone.utils.voc import VOCDetectionDatasetImporter

    tally = Tally()
    voc_home = home / "VOCdevkit/VOC2012"
    _detections(
        VOCDetectionDatasetImporter(
            data_path=str(voc_home / "JPEGImages"), labels_path=str(voc_home / "Annotations"), include_all_data=True
        ),
        tally,
        last=1,
    )
    return tally.facts()
