"""YOLO: a text file of boxes for every image, and `data.yaml`, as Ultralytics and YOLOv5 read them.

Their readers take all images in the directory of a split and find the boxes of `…/images/<name>.jpg` in
`…/labels/<name>.txt`. Class numbers count from 0.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledBox, LabelledImage
from oidl.model import LabelType

DATA = "data.yaml"


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes `data.yaml` and `labels/`."""
    with target.open_text(DATA) as file:
        file.write(_yaml(target))
    for split in target.splits:
        for name in ("images", "labels"):
            (target.directory / name / split).mkdir(parents=True, exist_ok=True)

    def add(image: LabelledImage) -> None:
        name = image.path.with_suffix(".txt").name
        with open(target.directory / "labels" / image.split / name, "w", encoding="ascii") as file:
            file.writelines(_line(image, box) for box in image.boxes)

    yield add


YOLO = Format(
    "yolo",
    (LabelType.BOXES,),
    _write,
    files=("labels/{split}/*.txt", DATA),
    split_names={"validation": "val"},
    required_splits=("train", "val"),
)


def _line(image: LabelledImage, box: LabelledBox) -> str:
    sides = box.box
    shares = (
        (sides.left + sides.right) / 2 / image.width,
        (sides.top + sides.bottom) / 2 / image.height,
        sides.width / image.width,
        sides.height / image.height,
    )
    return f"{box.category.number - 1} {' '.join(f'{share:.6f}' for share in shares)}\n"


def _yaml(target: ExportTarget) -> str:
    """The contents of `data.yaml`; names are JSON strings, which are also YAML strings."""
    splits = "".join(f"{split}: images/{split}\n" for split in target.splits)
    names = "".join(
        f"  {category.number - 1}: {json.dumps(category.name, ensure_ascii=False)}  # {category.label_name}\n"
        for category in target.categories
    )
    # Without `path:`, readers take the directory of this file, even after it was moved.
    return f"# {target.title}, {target.rendition}\n{splits}names:\n{names}"
