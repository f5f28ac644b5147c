"""Samples: what a shard says about one image."""

from dataclasses import dataclass, field
from typing import NamedTuple

SCHEMA = 2
"""The version of the fields of `Facts`; a set of shards has samples of one version."""


class Facts(NamedTuple):
    """Everything that is known about an image in a shard.

    Every field is in every sample and always has the same type, because readers infer the columns of a data set from
    its first samples: what is not known is "", 0 or -1. `width` and `height` are those of the file, `original_width`
    and `original_height` those of the image that it was made from, in pixels as stored. `md5` (base64) is that of this
    image, `source` where it came from. `rotation` is the published one, in degrees counter-clockwise, -1 if there is
    none; `orientation` is the EXIF orientation (1-8) that the file was turned by. `status` and the names of the sizes
    are those of img2dataset. `annotations` is JSON text, see `storage.shards.annotations`, or "". `license_verdict` is
    what the last check of the licence found, `license_now` the URL of the licence then, and `license_checked` when.
    """

    image_id: str
    subset: str
    width: int
    height: int
    original_width: int
    original_height: int
    license: str
    author: str
    author_profile_url: str
    title: str
    original_landing_url: str
    original_url: str
    source: str
    md5: str
    rotation: int = -1
    orientation: int = 1
    status: str = "success"
    annotations: str = ""
    license_verdict: str = ""
    license_now: str = ""
    license_checked: str = ""


FACTS: tuple[tuple[str, type], ...] = tuple(Facts.__annotations__.items())
"""The names and types of the fields of `Facts`, in order."""


ANNOTATIONS = "annotations"
"""The one of them that a format with columns leaves out: it has columns for boxes and labels."""


@dataclass(frozen=True, slots=True)
class SampleBox:
    """A box in a sample: sides are shares of the width or height of the file, from 0 to 1, from the top left.

    `number` is that of the class in the label map, counted from 1, or -1 if there is no such map. Attributes are 1,
    0, or -1 if unknown. `mask` is the mask of the object in the file as COCO's compressed run lengths, "" if there
    is none.
    """

    number: int
    label_name: str
    name: str
    x_min: float
    x_max: float
    y_min: float
    y_max: float
    is_occluded: int = -1
    is_truncated: int = -1
    is_group_of: int = -1
    is_depiction: int = -1
    is_inside: int = -1
    mask: str = ""


@dataclass(frozen=True, slots=True)
class SampleLabel:
    """A label of the whole image; `confidence` is 1 if the class is in it, 0 if not, between them for a guess."""

    number: int
    label_name: str
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Sample:
    """An image in a shard: its bytes, the suffix of its file without a dot, and what is known about it."""

    body: bytes = field(repr=False)
    suffix: str
    facts: Facts
    boxes: tuple[SampleBox, ...] = ()
    labels: tuple[SampleLabel, ...] = ()

    @property
    def key(self) -> str:
        """The name of the sample: its ImageID, which has no dot and is unique in all subsets and versions."""
        return self.facts.image_id
