"""Pascal VOC: an XML file for every picture, as torchvision's `VOCDetection` and many converters read it.

`Annotations/<subset>/<name>.xml`, `ImageSets/Main/<subset>.txt`, and `JPEGImages/<subset>`, a
link to the directory where the pictures are; names go on below that as the pictures do. Where
there can be no links, `folder` is that directory.
Pixels count from 1, and a box holds its last ones, as in the VOC development kit.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from oidl.report.labels.picture import Add, Picture, Target, Thing
from oidl.report.labels.text import plain
from oidl.storage.atomic import atomic_link, atomic_text, atomic_tree, can_link

IMAGE_SET = "ImageSets/Main/{subset}.txt"
JPEG_IMAGES = "JPEGImages/{subset}"

_GREY = (1, 2)  # bands, alpha included


@contextmanager
def voc(target: Target) -> Iterator[Add]:
    """Writes `Annotations/`, `ImageSets/Main/` and `JPEGImages/`."""
    # The boxes are in place first, then the lists, by which they are found.
    with ExitStack() as files, atomic_tree(target.dest / "Annotations") as annotations:
        lists = {
            subset: files.enter_context(atomic_text(target.dest / IMAGE_SET.format(subset=subset)))
            for subset in target.image_directories
        }

        has_links = can_link(target.dest)
        folders = {
            subset: JPEG_IMAGES.format(subset=subset)
            if has_links
            else target.images_from(target.dest, subset).as_posix()
            for subset in target.image_directories
        }

        def add(picture: Picture) -> None:
            subset = picture.file.subset
            name = subset / picture.name
            path = annotations / name.with_suffix(".xml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_xml(picture, target.title, _below(folders[subset], picture)), "utf-8")
            lists[subset].write(f"{name.with_suffix('').as_posix()}\n")

        yield add
        for subset in target.image_directories:
            # A kill from here on leaves none, rather than one by which old boxes are found for other pictures.
            (target.dest / IMAGE_SET.format(subset=subset)).unlink(missing_ok=True)
            if has_links:
                link = target.dest / JPEG_IMAGES.format(subset=subset)
                atomic_link(link, target.images_from(link.parent, subset))


def _below(folder: str, picture: Picture) -> str:
    return PurePosixPath(folder, picture.name.parent).as_posix()


def _xml(picture: Picture, title: str, folder: str) -> str:
    file = picture.file
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<annotation>
  <folder>{_text(folder)}</folder>
  <filename>{_text(picture.name.name)}</filename>
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
    <width>{picture.width}</width>
    <height>{picture.height}</height>
    <depth>{1 if file.bands in _GREY else 3}</depth>
  </size>
  <segmented>0</segmented>
{"".join(_object(picture, thing) for thing in picture.things)}</annotation>
"""


def _object(picture: Picture, thing: Thing) -> str:
    left, right = _pixels(thing.box.left, thing.box.right, picture.width)
    top, bottom = _pixels(thing.box.top, thing.box.bottom, picture.height)
    return f"""\
  <object>
    <name>{_text(thing.category.name)}</name>
    <pose>Unspecified</pose>
    <truncated>{int(thing.is_truncated)}</truncated>
    <occluded>{int(thing.attribute("is_occluded"))}</occluded>
    <difficult>{int(thing.attribute("is_group_of"))}</difficult>
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
