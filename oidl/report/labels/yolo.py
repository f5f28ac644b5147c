"""YOLO: a text file of boxes for every picture, lists of pictures, and `data.yaml`, as Ultralytics reads them.

Its readers find the boxes of `…/images/<name>.jpg` in `…/labels/<name>.txt`. So
`images/<subset>` is a link to the directory where the pictures are, and below
`labels/<subset>` the same names lie again. Where there can be no links, the lists name the
images where they are. Class numbers count from 0.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from oidl.report.labels.picture import Add, Picture, Target, Thing
from oidl.storage.atomic import atomic_link, atomic_text, atomic_tree, can_link

DATA = "data.yaml"
LIST = "{subset}.txt"
IMAGES = "images/{subset}"

_KEYS = {"train": "train", "validation": "val", "test": "test"}


@contextmanager
def yolo(target: Target) -> Iterator[Add]:
    """Writes `data.yaml`, `<subset>.txt`, `labels/` and `images/`."""
    # The labels are in place first, then the lists, and data.yaml last, by which both are found.
    with ExitStack() as files, atomic_tree(target.dest / "labels") as labels:
        files.enter_context(atomic_text(target.dest / DATA)).write(_yaml(target))
        lists = {
            subset: files.enter_context(atomic_text(target.dest / LIST.format(subset=subset)))
            for subset in target.image_directories
        }

        has_links = can_link(target.dest)
        places = {
            subset: f"./{IMAGES.format(subset=subset)}" if has_links else _place(target, subset)
            for subset in target.image_directories
        }

        def add(picture: Picture) -> None:
            subset = picture.file.subset
            path = labels / subset / picture.name.with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(_line(picture, thing) for thing in picture.things), "utf-8")
            lists[subset].write(f"{places[subset]}/{picture.name.as_posix()}\n")

        yield add
        # A kill from here on leaves none, rather than one by which other pictures or class numbers are found.
        (target.dest / DATA).unlink(missing_ok=True)
        for subset in target.image_directories if has_links else ():
            link = target.dest / IMAGES.format(subset=subset)
            atomic_link(link, target.images_from(link.parent, subset))


def _place(target: Target, subset: str) -> str:
    """Where a list names the images if there can be no link: readers take `./` for its own directory."""
    directory = target.images_from(target.dest, subset)
    return directory.as_posix() if directory.is_absolute() else f"./{directory.as_posix()}"


def _line(picture: Picture, thing: Thing) -> str:
    box = thing.box
    shares = (
        (box.left + box.right) / 2 / picture.width,
        (box.top + box.bottom) / 2 / picture.height,
        box.width / picture.width,
        box.height / picture.height,
    )
    return f"{thing.category.number - 1} {' '.join(f'{share:.6f}' for share in shares)}\n"


def _yaml(target: Target) -> str:
    """JSON's strings are YAML's, too."""
    subsets = "".join(f"{_KEYS.get(subset, subset)}: {subset}.txt\n" for subset in target.image_directories)
    names = "".join(
        f"  {category.number - 1}: {json.dumps(category.name, ensure_ascii=False)}  # {category.label_name}\n"
        for category in target.categories
    )
    # No `path:`, so readers take the directory of this file, wherever it is moved.
    return f"# {target.title}, {target.rendition}\n{subsets}names:\n{names}"
