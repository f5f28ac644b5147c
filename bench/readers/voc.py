"""Pascal VOC as torchvision and globox read it."""

from pathlib import Path

from bench.readers.check import Facts
from bench.readers.tally import Tally


def torchvision_boxes(home: Path) -> Facts:
    """`VOCDetection` on each split; its pixels count from 1 and include the last ones."""
    from torchvision.datasets import VOCDetection

    tally = Tally()
    for path in sorted(home.glob("VOCdevkit/VOC2012/ImageSets/Main/*.txt")):
        for picture, target in VOCDetection(home, year="2012", image_set=path.stem):
            size = target["annotation"]["size"]
            if picture.size != (int(size["width"]), int(size["height"])):
                raise ValueError(f"{target['annotation']['filename']} is {picture.size}")
            found = [(each["name"], each["bndbox"]) for each in target["annotation"]["object"]]
            tally.image(
                (name, int(box["xmax"]) - int(box["xmin"]) + 1, int(box["ymax"]) - int(box["ymin"]) + 1)
                for name, box in found
            )
    return tally.facts()


def globox_boxes(home: Path) -> Facts:
    """`AnnotationSet.from_pascal_voc`, which takes the last pixel of a box for the first one outside."""
    from globox import AnnotationSet

    tally = Tally()
    for image in AnnotationSet.from_pascal_voc(home / "VOCdevkit/VOC2012/Annotations"):
        tally.image((box.label, box.width + 1, box.height + 1) for box in image.boxes)
    return tally.facts()
