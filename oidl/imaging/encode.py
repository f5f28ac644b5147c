"""Writes finished pixels in the format asked for, without metadata."""

import numpy

from oidl.imaging import turbo
from oidl.imaging.vips import pyvips
from oidl.model import Rendition

_JPEG_QUALITY = 75  # libvips' default
_JPEG = frozenset({"jpg", "jpeg"})
_QUALITY_FORMATS = _JPEG | {"webp", "avif", "heic", "heif", "jxl", "jp2", "tif", "tiff"}

Window = tuple[int, int, int, int]
"""A part of a picture: left, top, width, height, in pixels."""


def is_opaque(image_format: str) -> bool:
    """Whether pictures of this format have no alpha."""
    return image_format in _JPEG


def encode(image: pyvips.Image, window: Window, image_format: str, quality: int | None) -> bytes:
    """The bytes of a file of what `window` shows of `image`; raises `pyvips.Error` if there can be none."""
    if image_format in _JPEG:
        # Computed in this thread, and encoded in one call: libvips' own way costs three threads' worth of handing over.
        pixels = numpy.frombuffer(pyvips.Region.new(image).fetch(*window), numpy.uint8)
        _, _, width, height = window
        return turbo.encode(pixels.reshape(height, width, -1), quality or _JPEG_QUALITY)
    options = {} if quality is None else {"Q": quality}
    body: bytes = image.crop(*window).write_to_buffer(f".{image_format}", keep="none", **options)
    return body


def why_not_saved(rendition: Rendition) -> str | None:
    """Why such files cannot be written here (an unknown format, a quality that means nothing), or None."""
    if rendition.quality is not None and rendition.format not in _QUALITY_FORMATS:
        return f"{rendition.format} files have no quality to set"
    try:
        pyvips.Image.black(8, 8, bands=3).write_to_buffer(f".{rendition.format}")
    except pyvips.Error:
        return f"{rendition.format!r} is not a format that can be written here"
    return None
