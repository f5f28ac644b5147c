"""The rows of V7's annotation files, for the objects on a demo's photos. Pure.

Each function returns the text of one published file, with its header, for photos
in ImageID order. The annotations are true: labels name the objects drawn, boxes
and masks are read from the painted pixels.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from oidl.demo.classes import BOXABLE, DRAWN, DUCKS, SCENES, WOODEN
from oidl.demo.objects import DemoObject
from oidl.imaging.shapes import Point, Seen
from oidl.model import Image

_BOX_HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
_CLICKS = ",XClick1X,XClick2X,XClick3X,XClick4X,XClick1Y,XClick2Y,XClick3Y,XClick4Y"
_LABEL_HEADER = "ImageID,Source,LabelName,Confidence\n"
_MASK_HEADER = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks\n"
_RELATIONSHIP_HEADER = (
    "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,RelationshipLabel\n"
)
_POINT_HEADER = "ImageId,X,Y,Label,EstimatedYesNo,Source,YesVotes,NoVotes,UnsureVotes,TextLabel\n"
_UNDER, _IS = "under", "is"

RELATIONSHIPS = (_IS, _UNDER)
"""The words between two objects, or between an object and an attribute."""


@dataclass(frozen=True, slots=True)
class Box:
    """An object with its box; the sides are fractions, as published. `box_id` names its mask, None without a mask."""

    object: DemoObject
    seen: Seen
    sides: tuple[float, float, float, float]
    box_id: str | None

    @property
    def label_name(self) -> str:
        """The label name of its class."""
        return self.object.drawn_class.label_name

    @property
    def is_occluded(self) -> bool:
        """Whether another object covers a part of it."""
        return self.seen.pixels < self.seen.all_pixels

    def corners(self) -> str:
        """XMin, XMax, YMin and YMax, as in a row."""
        return ",".join(map(_share, self.sides))


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """A listed image with its annotations: boxes, and labels of the whole photo by people and by a machine."""

    image: Image
    boxes: tuple[Box, ...]
    human: tuple[tuple[str, int], ...]
    machine: tuple[tuple[str, float], ...]

    def mask_path(self, box: Box) -> str:
        """The published file name of the mask of `box`."""
        return f"{self.image.image_id}_{box.label_name.replace('/', '')}_{box.box_id}.png"


def annotate(
    rng: random.Random,
    image: Image,
    size: tuple[int, int],
    objects: Sequence[DemoObject],
    visible: Sequence[Seen | None],
) -> AnnotatedImage:
    """`image`, whose stored pixels have this `size` (width, height), with its annotations.

    `visible` is the visible part of each of `objects`. A few images have no human labels.
    """
    boxes = tuple(
        _box(rng, image, size, each, seen) for each, seen in zip(objects, visible, strict=True) if seen is not None
    )
    present = sorted({box.label_name for box in boxes})
    absent = [label_name for label_name in sorted(d.label_name for d in DRAWN) if label_name not in present]
    scenes = rng.sample(sorted(SCENES), 3)
    human = [(name, 1) for name in present] + [(name, 0) for name in rng.sample(absent, 2)]
    human += [(name, rng.randint(0, 1)) for name in scenes]
    if "/m/09ddx" in present:
        human.append((DUCKS, 1))
    machine = [(name, rng.randint(6, 10) / 10) for name in present if rng.random() < 0.9]
    machine += [(name, rng.randint(5, 9) / 10) for name in scenes]
    machine.append((rng.choice(absent), 0.5))
    was_verified = bool(boxes) or rng.random() < 0.5
    return AnnotatedImage(image, boxes, tuple(human) if was_verified else (), tuple(machine))


def _box(rng: random.Random, image: Image, size: tuple[int, int], drawn: DemoObject, seen: Seen) -> Box:
    width, height = size
    sides = (seen.left / width, seen.right / width, seen.top / height, seen.bottom / height)
    box_id = f"{rng.getrandbits(32):08x}"
    has_mask = not drawn.is_group_of and (image.subset != "train" or rng.random() < 0.75)
    return Box(drawn, seen, sides, box_id if has_mask else None)


def boxes(photos: Iterable[AnnotatedImage], *, clicks: bool) -> str:
    """A list of boxes; `clicks` adds the columns with the extreme points that `train` has."""
    return _BOX_HEADER + (_CLICKS if clicks else "") + "\n" + "".join(_box_rows(photos, clicks))


def _box_rows(photos: Iterable[AnnotatedImage], clicks: bool) -> Iterator[str]:
    for photo in photos:
        for box in photo.boxes:
            drawn = box.object
            flags = (box.is_occluded, drawn.is_truncated, drawn.is_group_of, drawn.is_depiction, drawn.is_inside)
            row = f"{photo.image.image_id},xclick,{box.label_name},1,{box.corners()},{','.join(map(_flag, flags))}"
            yield row + (f",{_clicks(box.seen.extremes)}" if clicks else "") + "\n"


def human_labels(photos: Iterable[AnnotatedImage], *, boxable_only: bool = False) -> str:
    """Labels that people confirmed or denied; `boxable_only` omits those of whole scenes."""
    return _LABEL_HEADER + "".join(
        f"{photo.image.image_id},verification,{name},{confidence}\n"
        for photo in photos
        for name, confidence in photo.human
        if name in BOXABLE or not boxable_only
    )


def machine_labels(photos: Iterable[AnnotatedImage]) -> str:
    """Labels by a machine, with its confidence."""
    return _LABEL_HEADER + "".join(
        f"{photo.image.image_id},machine,{name},{confidence}\n"
        for photo in photos
        for name, confidence in photo.machine
    )


def segmentations(photos: Iterable[AnnotatedImage]) -> str:
    """The list of masks."""
    return _MASK_HEADER + "".join(
        f"{photo.mask_path(box)},{photo.image.image_id},{box.label_name},{box.box_id},{box.corners()},0.95,\n"
        for photo in photos
        for box in photo.boxes
        if box.box_id is not None
    )


def relationships(photos: Iterable[AnnotatedImage]) -> str:
    """The objects under others, and the houses, which are wooden."""
    return _RELATIONSHIP_HEADER + "".join(
        f"{photo.image.image_id},{one},{other},{sides},{other_sides},{word}\n"
        for photo in photos
        for one, other, sides, other_sides, word in _related(photo)
    )


def triplets(photos: Iterable[AnnotatedImage]) -> str:
    """The pairs of classes with a relationship between them, in any photo."""
    found = {(one, other, word) for photo in photos for one, other, _, _, word in _related(photo)}
    return "LabelName1,LabelName2,RelationshipLabel\n" + "".join(f"{','.join(row)}\n" for row in sorted(found))


def _related(photo: AnnotatedImage) -> Iterator[tuple[str, str, str, str, str]]:
    for box in photo.boxes:
        if box.object.drawn_class.name == "House":
            yield box.label_name, WOODEN, box.corners(), box.corners(), _IS
    for one, other in permutations(photo.boxes, 2):
        left, right, top, _ = one.sides
        other_left, other_right, _, other_bottom = other.sides
        if top >= other_bottom and left < other_right and other_left < right:
            yield one.label_name, other.label_name, one.corners(), other.corners(), _UNDER


def points(photos: Iterable[AnnotatedImage]) -> str:
    """Two answers for the middle of each box: its own class (yes) and another one (no)."""
    return _POINT_HEADER + "".join(_point_rows(photos))


def _point_rows(photos: Iterable[AnnotatedImage]) -> Iterator[str]:
    for photo in photos:
        for box in photo.boxes:
            if box.is_occluded or box.object.is_truncated:
                continue
            left, right, top, bottom = box.sides
            point = f"{photo.image.image_id},{_share((left + right) / 2)},{_share((top + bottom) / 2)}"
            other = "/m/09qck" if box.label_name != "/m/09qck" else "/m/01yrx"
            yield f"{point},{box.label_name},yes,ih,1,0,0,\n"
            yield f"{point},{other},no,ih,0,1,0,\n"


def captions(photos: Iterable[AnnotatedImage]) -> str:
    """A sentence about each photo, one line of JSON per photo."""
    return "".join(
        json.dumps(
            {
                "dataset_id": f"open_images_{photo.image.subset}",
                "image_id": photo.image.image_id,
                "annotator_id": 17,
                "caption": _sentence(photo),
            }
        )
        + "\n"
        for photo in photos
        if photo.boxes
    )


def _sentence(photo: AnnotatedImage) -> str:
    names = sorted({box.object.drawn_class.name.lower() for box in photo.boxes})
    return f"In this photo there is {' and '.join(f'a {name}' for name in names)} in front of hills."


def _share(value: float) -> str:
    return f"{value:.7g}"


def _flag(value: bool) -> str:
    return str(int(value))


def _clicks(extremes: tuple[Point, ...]) -> str:
    return ",".join([*(_share(x) for x, _ in extremes), *(_share(y) for _, y in extremes)])
