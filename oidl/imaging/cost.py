"""Limits of the cost of decoding, because a body of a few kilobytes can take minutes. Pure.

`--max-pixels` bounds the pixels; this module bounds how often, and in how many
bands, a decoder goes over them, and what else it reads. A camera's JPEG has
about ten scans, a photo in TIFF has one directory.

The worst accepted files, in seconds of CPU for the check and one rendition
(libraries of 2026 on a shared machine with two cores): 4 for a JPEG of 184
million pixels in 16 scans, or of 31 million in 95; 8 for a PNG of 190 million
pixels of 8 bytes, 6 for such a TIFF; 4 for 20 directories of a million strips
each; 2 for 25 texts that unpack to 8 MB.
"""

import struct
from collections.abc import Sequence

from oidl.imaging.jpeg_header import has_more_scans, read_header
from oidl.model import Crop, Rendition

_SCANS = 100
_DIRECTORIES = 20
_PNG_TEXTS = 25
_PNG_KINDS = (b"zTXt", b"iTXt", b"iCCP")  # compressed chunks, which unpack to at most 8 MB each
_LONGEST_SIDE = 1_000_000  # each row costs about a microsecond, however short it is
_SCANS_OF_LARGEST = 15  # for a picture of the maximum number of pixels
_BYTES_A_PIXEL = 8  # 16 bits of red, green, blue and alpha
_QUICK_BYTES = 500_000
_QUICK_PIXELS = 1_000_000
_QUICK_SIDE = 1000
_QUICK_RENDITIONS = 4


def is_quick(body: bytes, renditions: Sequence[Rendition]) -> bool:
    """Whether `body` is made into `renditions` in a few milliseconds, whatever it contains.

    That is so for a few small JPEGs from a JPEG of one scan, 500 kB and a million pixels, like Flickr's thumbnails.
    """
    if len(body) > _QUICK_BYTES or len(renditions) > _QUICK_RENDITIONS:
        return False
    if not all(rendition.mode is None or _is_quick(rendition) for rendition in renditions):
        return False
    header = read_header(body) if body.startswith(b"\xff\xd8") else None
    return header is not None and not header.is_multiscan and header.width * header.height <= _QUICK_PIXELS


def _is_quick(rendition: Rendition) -> bool:
    is_small = (rendition.box_size or 0) <= _QUICK_SIDE
    return is_small and rendition.format in ("jpg", "jpeg") and rendition.crop is Crop.CENTRE


def excess(body: bytes, form: str) -> str | None:
    """Describes what `body` has too much of to be opened; None if it may be opened."""
    if form == "tiff" and _has_more_directories(body, _DIRECTORIES):
        return f"more than {_DIRECTORIES} directories"
    if form == "png" and sum(body.count(kind) for kind in _PNG_KINDS) > _PNG_TEXTS:
        return f"more than {_PNG_TEXTS} packed texts"
    return None


def excess_pixels(width: int, height: int, max_pixels: int) -> str | None:
    """Describes the size of a picture that is too large to decode; None if it may be decoded."""
    if width * height > max_pixels:
        return f"{width} × {height} pixels, at most {max_pixels} are decoded"
    if max(width, height) > _LONGEST_SIDE:
        return f"{width} × {height} pixels, at most {_LONGEST_SIDE} along a side are decoded"
    return None


def excess_scans(body: bytes, pixels: int, max_pixels: int) -> str | None:
    """Describes the limit if a multi-scan JPEG has too many scans to decode; None if it may be decoded."""
    limit = min(_SCANS, _SCANS_OF_LARGEST * max_pixels // pixels)
    return f"more than {limit} scans" if has_more_scans(body, limit) else None


def excess_bytes(pixels: int, bytes_a_pixel: int, max_pixels: int) -> str | None:
    """Describes the size of the decoded pixels if it is too large; None if they may be decoded."""
    decoded, limit = pixels * bytes_a_pixel, max_pixels * _BYTES_A_PIXEL
    return f"{decoded} bytes of pixels, at most {limit} are decoded" if decoded > limit else None


def _has_more_directories(body: bytes, limit: int) -> bool:
    """Whether a TIFF has more than `limit` directories; opening it reads all of them."""
    order = "<" if body[:2] == b"II" else ">"
    seen: set[int] = set()
    at = 4
    while at + 4 <= len(body):
        (directory,) = struct.unpack_from(f"{order}I", body, at)
        if directory in seen or not directory or directory + 2 > len(body):
            return False
        seen.add(directory)
        if len(seen) > limit:
            return True
        at = directory + 2 + 12 * struct.unpack_from(f"{order}H", body, directory)[0]
    return False
