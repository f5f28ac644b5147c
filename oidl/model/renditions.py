"""The kinds of files that images are kept as, and how they are made."""

from dataclasses import dataclass
from enum import StrEnum


class ResizeMode(StrEnum):
    """How a picture is fitted to its box: as the older downloader named it, then as img2dataset does."""

    SHRINK_TO_FIT = "ShrinkToFit"
    FILL_CROP = "FillCrop"
    FILL_DISTORT = "FillDistort"
    BORDER = "Border"
    KEEP_RATIO = "KeepRatio"


class Crop(StrEnum):
    """Which part `FillCrop` keeps: the middle, or what catches the eye."""

    CENTRE = "centre"
    ATTENTION = "attention"


class Orientation(StrEnum):
    """What a picture is turned by: its EXIF tag, the published `Rotation`, or nothing."""

    EXIF = "exif"
    DATASET = "dataset"
    KEEP = "keep"


class Validation(StrEnum):
    """How much of an image is checked, beside size and MD5, and what passes.

    `decode` refuses what is damaged or has a part missing; `strict` refuses
    every oddity that a decoder warns of; `off` decodes only what is resized, and complains of nothing.
    """

    OFF = "off"
    DECODE = "decode"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Rendition:
    """A kind of output file: one recipe, kept in one directory of every subset.

    `mode` None means the bytes as they came (`box_size` and `quality` are then
    None and `format` is empty). `directory` is relative to `<root>/<version>/<subset>`, or absolute:
    then files lie in `<directory>/<subset>`. `box_size` is in pixels, `quality`
    1–100 or None for the format's own default; `background`, six hex digits of
    red, green and blue, goes under what is transparent and around what has a border.
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


ORIGINAL = "original"
"""The name of the rendition that is the published original, byte for byte."""
