"""The kinds of files that images are kept as, and how each kind is made."""

from dataclasses import dataclass
from enum import StrEnum


class ResizeMode(StrEnum):
    """How an image is fitted to its box: the modes of the older downloader, then those of img2dataset."""

    SHRINK_TO_FIT = "ShrinkToFit"
    FILL_CROP = "FillCrop"
    FILL_DISTORT = "FillDistort"
    BORDER = "Border"
    KEEP_RATIO = "KeepRatio"


class StoreKind(StrEnum):
    """What keeps the images of a rendition: a file for each, or shards of many."""

    FILES = "files"
    WEBDATASET = "webdataset"
    TFRECORD = "tfrecord"


class Crop(StrEnum):
    """Which part `FillCrop` keeps: the centre, or what catches the eye."""

    CENTRE = "centre"
    ATTENTION = "attention"


class Orientation(StrEnum):
    """What an image is turned by: its EXIF tag, the published `Rotation`, or nothing."""

    EXIF = "exif"
    DATASET = "dataset"
    KEEP = "keep"


class Scaling(StrEnum):
    """How much a JPEG may shrink while it is decoded, which is quicker than to resize it and less faithful."""

    FAITHFUL = "faithful"
    FAST = "fast"


class Validation(StrEnum):
    """How much of an image is checked, in addition to size and MD5, and what passes.

    `decode` refuses images that are damaged or incomplete; `strict` also refuses
    every oddity that a decoder warns about; `off` decodes only to resize, and refuses nothing.
    """

    OFF = "off"
    DECODE = "decode"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Rendition:
    """A kind of output file: one recipe, kept in one directory of every subset.

    `mode` None means the bytes as published (`box_size` and `quality` are then
    None and `format` is empty). `directory` is relative to `<root>/<version>/<subset>`; if it is absolute,
    files go to `<directory>/<subset>`. `box_size` is in pixels, `quality`
    1–100 or None for the format's own default; `background`, six hex digits of
    red, green and blue, fills transparent areas and borders. `store` is what keeps its images.
    """

    name: str
    directory: str
    mode: ResizeMode | None = None
    box_size: int | None = None
    format: str = ""
    quality: int | None = None
    crop: Crop = Crop.CENTRE
    orientation: Orientation = Orientation.EXIF
    background: str = "ffffff"
    force_rgb: bool = False
    scaling: Scaling = Scaling.FAITHFUL
    store: StoreKind = StoreKind.FILES


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """The shards that a run writes: full at this many samples, or about this many bytes.

    Sealed ones go to `remote`, the URL of a place in an object store, if there is one; with `keep_local` they also stay
    in the root.
    """

    samples: int = 10_000
    bytes: int = 1_000_000_000
    remote: str | None = None
    keep_local: bool = True


ORIGINAL = "original"
"""The name of the rendition that is the published original, byte for byte."""
