"""Pascal VOC: an XML file for every image, as torchvision's `VOCDetection` and many converters read it.

Everything is in `VOCdevkit/VOC2012`, where torchvision looks: `Annotations/<name>.xml`, `JPEGImages/<name>.jpg`, and
`ImageSets/Main/<split>.txt` with the names of each split. `labelmap.txt` has the classes in Datumaro's format; colons
separate its fields, so names have `-` instead of a colon, there and in the XML. Pixels count from 1, and a box
includes its last row and column, as in the VOC development kit.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from html import escape

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import Category, LabelledBox, LabelledImage
from oidl.export.text import plain
from oidl.model import LabelType

HOME = "VOCdevkit/VOC2012"
ANNOTATIONS = f"{HOME}/Annotations"
IMAGE_SET = f"{HOME}/ImageSets/Main/{{split}}.txt"
LABEL_MAP = f"{HOME}/labelmap.txt"

_GREY = (1, 2)  # bands, alpha included
_UNWRITABLE = re.compile("^#|:")  # in a label map: a comment, and the end of a field


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes `Annotations/`, `ImageSets/Main/` and `labelmap.txt`."""
    (target.directory / ANNOTATIONS).mkdir(parents=True)
    names = _class_names(target.categories)
    with target.open_text(LABEL_MAP) as file:
        file.write("# name : colour : parts : actions\nbackground:0,0,0::\n")
        file.writelines(f"{name}:::\n" for name in names.values())
    with ExitStack() as files:
        lists = {split: files.enter_context(target.open_text(IMAGE_SET.format(split=split))) for split in target.splits}

        def add(image: LabelledImage) -> None:
            name = image.path.stem
            (target.directory / ANNOTATIONS / f"{name}.xml").write_text(_xml(image, target.title, names), "utf-8")
            lists[image.split].write(f"{name}\n")

        yield add


VOC = Format(
    "voc",
    (LabelType.BOXES,),
    _write,
    files=(f"{ANNOTATIONS}/*.xml", LABEL_MAP, IMAGE_SET),
    images=f"{HOME}/JPEGImages",
    split_names={"validation": "val"},
)


def _class_names(categories: Sequence[Category]) -> dict[int, str]:
    """The names of classes, by number, without characters that a label map cannot hold; still unique."""
    names = {each.number: _UNWRITABLE.sub("-", each.name) for each in categories}
    uses = Counter(names.values())
    return {number: name if uses[name] == 1 else f"{name} ({number})" for number, name in names.items()}


def _xml(image: LabelledImage, title: str, names: Mapping[int, str]) -> str:
    file = image.file
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<annotation>
  <folder>VOC2012</folder>
  <filename>{_text(image.name)}</filename>
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
{"".join(_object(image, box, names[box.category.number]) for box in image.boxes)}</annotation>
"""


def _object(image: LabelledImage, box: LabelledBox, name: str) -> str:
    left, right = _pixels(box.box.left, box.box.right, image.width)
    top, bottom = _pixels(box.box.top, box.box.bottom, image.height)
    return f"""\
  <object>
    <name>{_text(name)}</name>
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
    """The first and the last pixel from `start` to `end`, counted from 1; at least one pixel."""
    first = min(round(start) + 1, length)
    return first, max(first, round(end))


def _text(text: str) -> str:
    return escape(plain(text), quote=False)
