"""Writes finished pixels in the requested format, without metadata."""

from typing import Any

import numpy

from oidl.imaging import turbo
from oidl.imaging.vips import VIPS_ERRORS, pyvips
from oidl.model import Rendition

_JPEG_QUALITY = 75  # libvips' default
LONGEST_SIDE = 65_500
"""Longest side of an output, in pixels: libjpeg-turbo's limit. Encoders of other formats enforce their own limits."""

_JPEG = frozenset({"jpg", "jpeg"})
_QUALITY_FORMATS = _JPEG | {"webp", "avif", "heic", "heif", "jxl", "jp2", "tif", "tiff"}

_SMALL_PIXELS = 100_000
_STRIP_ROWS = 32

Window = tuple[int, int, int, int]
"""A part of a picture: left, top, width, height, in pixels."""


def is_opaque(image_format: str) -> bool:
    """Whether pictures of this format have no alpha."""
    return image_format in _JPEG


def encode(
    image: pyvips.Image, window: Window, image_format: str, quality: int | None, region: pyvips.Region | None = None
) -> bytes:
    """The bytes of a file that contains the part `window` of `image`, which may have a `region` to fetch it from.

    Raises one of `VIPS_ERRORS`, or `turbo.NotEncodedError`, if it cannot be encoded.
    """
    if image_format in _JPEG:
        # Computed in this thread and encoded in one call: libvips' own saver hands data over between three threads.
        _, _, width, height = window
        pixels = numpy.frombuffer(_computed(region or pyvips.Region.new(image), window), numpy.uint8)
        return turbo.encode(pixels.reshape(height, width, -1), quality or _JPEG_QUALITY)
    options = {} if quality is None else {"Q": quality}
    body: bytes = image.crop(*window).write_to_buffer(f".{image_format}", keep="none", **options)
    return body


def _computed(region: pyvips.Region, window: Window) -> Any:
    """The pixels of an image in `window`, row by row.

    It is computed in strips, so that intermediate results stay in the processor's cache: a resize to 640 pixels takes
    a fifth less time. A small window is computed in one call, because each call hands the interpreter to other threads.
    """
    left, top, width, height = window
    rows = height if width * height <= _SMALL_PIXELS else _STRIP_ROWS
    strips = (region.fetch(left, top + y, width, min(rows, height - y)) for y in range(0, height, rows))
    return next(strips) if rows == height else b"".join(strips)


def unsupported_reason(rendition: Rendition) -> str | None:
    """Why files of `rendition` cannot be written (an unknown format, a quality for a format without it), or None."""
    if rendition.quality is not None and rendition.format not in _QUALITY_FORMATS:
        return f"{rendition.format} files have no quality setting"
    try:
        pyvips.Image.black(8, 8, bands=3).write_to_buffer(f".{rendition.format}")
    except VIPS_ERRORS:
        return f"{rendition.format!r} is not a format that oidl can write here"
    return None
