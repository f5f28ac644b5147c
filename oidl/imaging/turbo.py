"""JPEG by libjpeg-turbo, TensorFlow's decoder: strict about damage, and able to scale while it decodes.

libvips' own loader accepts flipped bits, blanked stretches and missing pieces at
every `fail_on` level; libjpeg-turbo warns about nearly all of them. This module
classifies its warnings: extra bytes are harmless, missing or invalid data is not.
"""

import re
from typing import Any

import simplejpeg

from oidl.imaging.canvas import Canvas
from oidl.imaging.jpeg_header import normalised
from oidl.model import Validation

_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")
_END = "d9"
_PADDING = 4  # arbitrary bytes before the end; a decoder that lost its way rarely leaves so few
# Limits of this decoder, not damage: arithmetic coding and lossless pictures. (Other markers or processes do not
# occur in practice; an apparent one means flipped bits inside the data.)
_LIMITS = re.compile(r"^tj|not supported|arithmetic|SOF type 0xc[39ab]", re.IGNORECASE)

# It scales by any eighth, but has vector code only for these: three eighths take longer than four, seven twice as long
# as all eight.
_QUICK_EIGHTHS = (1, 2, 4, 8)

_COLOURS = {1: "GRAY", 3: "RGB"}


class DamagedError(Exception):
    """A part of the JPEG is missing or invalid."""


class UnsupportedError(Exception):
    """libjpeg-turbo does not support this JPEG; another decoder is needed."""


class NotEncodedError(Exception):
    """A JPEG cannot hold these pixels."""


def scaled_size(width: int, height: int, least_width: int, least_height: int) -> tuple[int, int]:
    """The smallest size that a picture of `width` × `height` decodes to quickly and that is not below the least.

    If the picture is smaller than the least, this is its own size.
    """
    for eighths in _QUICK_EIGHTHS:
        scaled = -(-width * eighths // 8), -(-height * eighths // 8)
        if scaled[0] >= min(width, least_width) and scaled[1] >= min(height, least_height):
            return scaled
    return width, height


def decode(body: bytes, canvas: Canvas, validation: Validation, *, is_shrunk: bool = False) -> None:
    """Decodes a JPEG with 1 or 3 bands into `canvas`, whose size is a `scaled_size` of the JPEG.

    All scan data is read at any scale. If the picture `is_shrunk` afterwards, subsampled colours are repeated instead
    of interpolated: a twelfth less time, and SSIM shows no difference. Raises `DamagedError` or `UnsupportedError`.
    """
    pixels = canvas.pixels
    decoded = _decoded(body, _COLOURS[canvas.bands], validation, canvas.width, canvas.height, pixels, repeats=is_shrunk)
    if decoded.shape != pixels.shape:
        raise UnsupportedError("its size is not the one in its header")
    canvas.changed()


def check(body: bytes, bands: int, validation: Validation) -> None:
    """Decodes all data of a JPEG at the smallest scale. Raises `DamagedError` or `UnsupportedError`."""
    _decoded(body, _COLOURS.get(bands, "CMYK"), validation, 1, 1)


def encode(pixels: Any, quality: int) -> bytes:
    """A JPEG of `pixels`, a uint8 array of rows × columns × 1 or 3; below quality 90 chroma is subsampled (4:2:0).

    Raises `NotEncodedError`.
    """
    grey = pixels.shape[2] == 1
    subsampling = "Gray" if grey else "420" if quality < 90 else "444"
    try:
        body: bytes = simplejpeg.encode_jpeg(
            pixels, quality=quality, colorspace="GRAY" if grey else "RGB", colorsubsampling=subsampling
        )
    except ValueError as error:
        raise NotEncodedError(str(error)) from error
    return body


def _decoded(
    body: bytes,
    colours: str,
    validation: Validation,
    width: int,
    height: int,
    buffer: Any = None,
    *,
    repeats: bool = False,
) -> Any:
    def decoded(body: bytes, *, strict: bool) -> Any:
        return simplejpeg.decode_jpeg(
            body, colours, min_width=width, min_height=height, buffer=buffer, strict=strict, fastupsample=repeats
        )

    try:
        return decoded(body, strict=validation is not Validation.OFF)
    except ValueError as error:
        if validation is not Validation.STRICT:
            if _is_padding(body, str(error)):
                return decoded(body, strict=False)
            if (clean := normalised(body)) != body:
                return _decoded(clean, colours, validation, width, height, buffer, repeats=repeats)
        raise (UnsupportedError if _LIMITS.search(str(error)) else DamagedError)(str(error)) from error


def _is_padding(body: bytes, warning: str) -> bool:
    """Whether a warning is only about extra bytes before the end of the image."""
    match = _EXTRANEOUS.search(warning)
    if not match or match[2] != _END:
        return False
    count, end = int(match[1]), body.rfind(b"\xff\xd9")
    return count <= _PADDING or len(set(body[end - count : end])) == 1
