"""Pascal VOC: an XML file for every image, as torchvision's `VOCDetection` and many converters read it.

`Annotations/<split>/<name>.xml`, `ImageSets/Main/<split>.txt`, and `JPEGImages/<split>`, a
link to the directory where the pictures are; names go on below that as the pictures do. Where
there can be no links, `folder` is that directory.
Pixels count from 1, and a box holds its last ones, as in the VOC development kit.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledBox, LabelledImage
from oidl.export.text import plain
from oidl.model import LabelType
from oidl.storage.atomic import atomic_link, atomic_tree, can_link

IMAGE_SET = "ImageSets/Main/{split}.txt"
JPEG_IMAGES = "JPEGImages/{split}"

_GREY = (1, 2)  # bands, alpha included


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes `Annotations/`, `ImageSets/Main/` and `JPEGImages/`."""
    # The boxes are in place first, then the lists, by which they are found.
    with ExitStack() as files, atomic_tree(target.dest / "Annotations") as annotations:
        lists = {split: files.enter_context(target.open_text(IMAGE_SET.format(split=split))) for split in target.splits}

        has_links = can_link(target.dest)
        folders = {
            split: JPEG_IMAGES.format(split=split) if has_links else target.images_from(target.dest, split).as_posix()
            for split in target.splits
        }

        def add(image: LabelledImage) -> None:
            split = image.split
            name = split / image.name
            path = annotations / name.with_suffix(".xml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_xml(image, target.title, _below(folders[split], image)), "utf-8")
            lists[split].write(f"{name.with_suffix('').as_posix()}\n")

        yield add
        for split in target.splits:
            # A kill from here on leaves none, rather than one by which old boxes are found for other pictures.
            (target.dest / IMAGE_SET.format(split=split)).unlink(missing_ok=True)
            if has_links:
                link = target.dest / JPEG_IMAGES.format(split=split)
                atomic_link(link, target.images_from(link.parent, split))


VOC = Format("voc", (LabelType.BOXES,), _write, files=(IMAGE_SET,), links=(JPEG_IMAGES,))


def _below(folder: str, image: LabelledImage) -> str:
    return PurePosixPath(folder, image.name.parent).as_posix()


def _xml(image: LabelledImage, title: str, folder: str) -> str:
    file = image.file
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<annotation>
  <folder>{_text(folder)}</folder>
  <filename>{_text(image.name.name)}</filename>
  <source>
    <database>{_text(title)}</database>
    <annotation>Open Images</annotation>
    <image>{_text(file.original_landing_url)}</image>
    <license>{_text(file.license)}</license>
  </source>
  <owner>
    <name>{_text(file.author)}</name>
    <url>{_text(file.author_profile_url)}</url>
  </owner>
  <size>
    <width>{image.width}</width>
    <height>{image.height}</height>
    <depth>{1 if file.bands in _GREY else 3}</depth>
  </size>
  <segmented>0</segmented>
{"".join(_object(image, box) for box in image.boxes)}</annotation>
"""


def _object(image: LabelledImage, box: LabelledBox) -> str:
    left, right = _pixels(box.box.left, box.box.right, image.width)
    top, bottom = _pixels(box.box.top, box.box.bottom, image.height)
    return f"""\
  <object>
    <name>{_text(box.category.name)}</name>
    <pose>Unspecified</pose>
    <truncated>{int(box.is_truncated)}</truncated>
    <occluded>{int(box.attribute("is_occluded"))}</occluded>
    <difficult>{int(box.attribute("is_group_of"))}</difficult>
    <bndbox>
      <xmin>{left}</xmin>
      <ymin>{top}</ymin>
      <xmax>{right}</xmax>
      <ymax>{bottom}</ymax>
    </bndbox>
  </object>
"""


def _pixels(start: float, end: float, length: int) -> tuple[int, int]:
    """The first and the last pixel from `start` to `end`, counted from 1; one at least."""
    first = min(round(start) + 1, length)
    return first, max(first, round(end))


def _text(text: str) -> str:
    return escape(plain(text))
