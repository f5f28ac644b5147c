"""COCO as pycocotools, torchvision, globox and Datumaro read it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally


def _instances(home: Path) -> Iterator[tuple[Path, Path]]:
    """The file of each split, and the directory of its images."""
    for path in sorted(home.glob("annotations/instances_*.json")):
        yield path, home / "images" / path.stem.removeprefix("instances_")


def _opened(home: Path) -> Iterator[tuple[Any, Path]]:
    from pycocotools.coco import COCO

    for path, images in _instances(home):
        yield COCO(str(path)), images


def boxes(home: Path) -> Facts:
    """The images that exist, and their boxes, with `getAnnIds`."""
    tally = Tally()
    for coco, images in _opened(home):
        names = {each["id"]: each["name"] for each in coco.loadCats(coco.getCatIds())}
        for image in coco.loadImgs(coco.getImgIds()):
            if (images / image["file_name"]).is_file():
                found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
                tally.image((names[each["category_id"]], *each["bbox"][2:]) for each in found)
    return tally.facts()


def masks(home: Path) -> Facts:
    """The masks that `annToMask` makes with the size of their image and as many pixels as `area`."""
    count = 0
    images = set()
    for coco, _ in _opened(home):
        for each in coco.loadAnns(coco.getAnnIds()):
            image = coco.imgs[each["image_id"]]
            mask = coco.annToMask(each)
            count += int(mask.shape == (image["height"], image["width"]) and mask.sum() == each["area"])
            images.add(image["open_images_id"])
    return {"images": len(images), "masks": count}


def drawn(home: Path) -> Facts:
    """The masks that `showAnns` draws on a figure, image by image."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    count = 0
    for coco, _ in _opened(home):
        for image_id in coco.getImgIds():
            axes = pyplot.figure().gca()
            coco.showAnns(coco.loadAnns(coco.getAnnIds(imgIds=image_id)))
            count += len(axes.images)
            pyplot.close("all")
    return {"masks": count}


def box_results(home: Path) -> Facts:
    """The precision that `COCOeval` gives the boxes as results of `loadRes`."""
    return _precision(home, "bbox", "bbox")


def mask_results(home: Path) -> Facts:
    """The same for masks."""
    return _precision(home, "segm", "segmentation")


def _precision(home: Path, kind: str, key: str) -> Facts:
    from pycocotools.cocoeval import COCOeval

    worst = 1.0
    for coco, _ in _opened(home):
        kept = [each for each in coco.dataset["annotations"] if not each["iscrowd"]]
        found = [{"score": 1.0, **{name: each[name] for name in ("image_id", "category_id", key)}} for each in kept]
        evaluation = COCOeval(coco, coco.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        worst = min(worst, float(evaluation.stats[0]))
    return {"AP": round(worst, 3)}


def beside(home: Path) -> Facts:
    """Relationships and points, which are in separate JSON files."""
    return {
        kind: sum(len(json.loads(path.read_text("utf-8"))[kind]) for path in home.glob(f"annotations/{kind}_*.json"))
        for kind in ("relationships", "points")
    }


def torchvision_boxes(home: Path) -> Facts:
    """`CocoDetection` wrapped for `transforms.v2`."""
    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2

    tally = Tally()
    for path, images in _instances(home):
        plain = CocoDetection(images, path)
        names = {number: each["name"] for number, each in plain.coco.cats.items()}
        for picture, target in wrap_dataset_for_transforms_v2(plain):
            if "boxes" not in target:
                raise ValueError(f"no boxes in image {target['image_id']}")
            height, width = target["boxes"].canvas_size
            if (width, height) != picture.size:
                raise ValueError(f"a canvas of {width} × {height} on a picture of {picture.size}")
            sides = target["boxes"].tolist()
            found = zip(target["labels"].tolist(), sides, strict=True)
            tally.image((names[label], box[2] - box[0], box[3] - box[1]) for label, box in found)
    return tally.facts()


def torchvision_masks(home: Path) -> Facts:
    """The masks of the same dataset."""
    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2

    images = count = 0
    for path, directory in _instances(home):
        for _, target in wrap_dataset_for_transforms_v2(CocoDetection(directory, path), target_keys=("masks",)):
            images += 1
            count += len(target["masks"])
    return {"images": images, "masks": count}


def globox_boxes(home: Path) -> Facts:
    """`AnnotationSet.from_coco`."""
    from globox import AnnotationSet

    tally = Tally()
    for path, _ in _instances(home):
        for image in AnnotationSet.from_coco(path):
            tally.image((box.label, box.width, box.height) for box in image.boxes)
    return tally.facts()
