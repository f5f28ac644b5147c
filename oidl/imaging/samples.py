"""Converts pixels of any kind to those that are resized and saved: 8 bits, grey or colour, with or without alpha.

A TIFF may have any number of bands, of any size. Bands beyond the colours and
alpha are something else (depth, infrared, masks) and are dropped. Integers of
any size go from black to white over their whole range; libvips decides for floats.
"""

from oidl.imaging.vips import pyvips

SAMPLE_BYTES = {
    "uchar": 1,
    "char": 1,
    "ushort": 2,
    "short": 2,
    "uint": 4,
    "int": 4,
    "float": 4,
    "complex": 8,
    "double": 8,
    "dpcomplex": 16,
}
"""Bytes per sample, by libvips' name for its kind."""

_COLOURS = {"b-w": 1, "grey16": 1, "cmyk": 4}
_SPACES = {1: "b-w", 3: "srgb", 4: "cmyk"}
# libvips has no colour space for these ranges and would clip at 255; these factors make white 255.
_SHARES = {"char": 2, "short": 2**-7, "uint": 2**-24, "int": 2**-23}


def is_standard(image: pyvips.Image) -> bool:
    """Whether libvips' own thumbnails handle such pixels correctly."""
    return image.bands - colours(image) <= 1 and image.format not in _SHARES


def standardised(image: pyvips.Image) -> pyvips.Image:
    """`image` with bands and samples that libvips' thumbnails handle correctly."""
    if is_standard(image):
        return image
    count, space = colours(image), image.interpretation
    if image.bands - count > 1:
        image = image.extract_band(0, n=count)
    if image.format in _SHARES:
        image = (image * _SHARES[image.format]).cast("uchar")
        space = _SPACES[count]
    return image.copy(interpretation=space)


def colours(image: pyvips.Image) -> int:
    """The number of colour bands: 1 (grey), 3 or 4; the bands after them are alpha, or something else."""
    bands: int = image.bands
    return min(bands, _COLOURS.get(image.interpretation, 3 if bands > 2 else 1))
