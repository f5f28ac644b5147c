"""YOLO as Ultralytics, globox and Datumaro read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally


def ultralytics(home: Path) -> Facts:
    """Its check of a dataset, then the images and labels that it uses for training; none may be corrupt."""
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(home / "data.yaml"), autodownload=False)
    tally = Tally()
    for split in ("train", "val", "test"):
        if data.get(split):
            for each in YOLODataset(img_path=data[split], data=data, task="detect", augment=False).labels:
                height, width = each["shape"]
                found = zip(each["cls"][:, 0], each["bboxes"], strict=True)
                tally.image((data["names"][int(number)], box[2] * width, box[3] * height) for number, box in found)
    return tally.facts()


def globox_boxes(home: Path) -> Facts:
    """`AnnotationSet.from_yolo_v5`, with the names of `data.yaml`."""
    from globox import AnnotationSet

    names = {str(number): name for number, name in _data(home)["names"].items()}
    tally = Tally()
    for split in _splits(home):
        for image in AnnotationSet.from_yolo_v5(home / "labels" / split, image_folder=home / "images" / split):
            tally.image((names[box.label], box.width, box.height) for box in image.boxes)
    return tally.facts()


def _splits(home: Path) -> Iterator[str]:
    yield from (path.name for path in sorted(home.glob("labels/*")) if path.is_dir())


def _data(home: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((home / "data.yaml").read_text("utf-8"))
    return found
