"""YOLO: a text file of boxes for every image, lists of pictures, and `data.yaml`, as Ultralytics reads them.

Its readers find the boxes of `…/images/<name>.jpg` in `…/labels/<name>.txt`. So
`images/<split>` is a link to the directory where the pictures are, and below
`labels/<split>` the same names lie again. Where there can be no links, the lists name the
images where they are. Class numbers count from 0.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledBox, LabelledImage
from oidl.model import LabelType
from oidl.storage.atomic import atomic_link, atomic_tree, can_link

DATA = "data.yaml"
LIST = "{split}.txt"
IMAGES = "images/{split}"

_KEYS = {"train": "train", "validation": "val", "test": "test"}


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes `data.yaml`, `<split>.txt`, `labels/` and `images/`."""
    # The labels are in place first, then the lists, and data.yaml last, by which both are found.
    with ExitStack() as files, atomic_tree(target.dest / "labels") as labels:
        files.enter_context(target.open_text(DATA)).write(_yaml(target))
        lists = {split: files.enter_context(target.open_text(LIST.format(split=split))) for split in target.splits}

        has_links = can_link(target.dest)
        places = {
            split: f"./{IMAGES.format(split=split)}" if has_links else _place(target, split) for split in target.splits
        }

        def add(image: LabelledImage) -> None:
            split = image.split
            path = labels / split / image.name.with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(_line(image, box) for box in image.boxes), "utf-8")
            lists[split].write(f"{places[split]}/{image.name.as_posix()}\n")

        yield add
        # A kill from here on leaves none, rather than one by which other pictures or class numbers are found.
        (target.dest / DATA).unlink(missing_ok=True)
        for split in target.splits if has_links else ():
            link = target.dest / IMAGES.format(split=split)
            atomic_link(link, target.images_from(link.parent, split))


YOLO = Format("yolo", (LabelType.BOXES,), _write, files=(DATA, LIST), links=(IMAGES,))


def _place(target: ExportTarget, split: str) -> str:
    """Where a list names the images if there can be no link: readers take `./` for its own directory."""
    directory = target.images_from(target.dest, split)
    return directory.as_posix() if directory.is_absolute() else f"./{directory.as_posix()}"


def _line(image: LabelledImage, box: LabelledBox) -> str:
    placed = box.box
    shares = (
        (placed.left + placed.right) / 2 / image.width,
        (placed.top + placed.bottom) / 2 / image.height,
        placed.width / image.width,
        placed.height / image.height,
    )
    return f"{box.category.number - 1} {' '.join(f'{share:.6f}' for share in shares)}\n"


def _yaml(target: ExportTarget) -> str:
    """JSON's strings are YAML's, too."""
    splits = "".join(f"{_KEYS.get(split, split)}: {split}.txt\n" for split in target.splits)
    names = "".join(
        f"  {category.number - 1}: {json.dumps(category.name, ensure_ascii=False)}  # {category.label_name}\n"
        for category in target.categories
    )
    # No `path:`, so readers take the directory of this file, wherever it is moved.
    return f"# {target.title}, {target.rendition}\n{splits}names:\n{names}"
