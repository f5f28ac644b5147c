"""PNGs of few colours, written without libvips: masks, and pictures of masks. Pure."""

import zlib
from collections.abc import Sequence
from struct import pack

import numpy
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_FAST, _USUAL = 1, 6  # levels of zlib


def mask_png(mask: NDArray[numpy.bool_]) -> bytes:
    """A PNG with one bit for each pixel of `mask[y, x]`, white where it is set."""
    return _png(mask.shape[1], 1, _GREY, numpy.packbits(mask, axis=1), b"", _USUAL)


def indexed_png(pixels: NDArray[numpy.uint8], palette: Sequence[tuple[int, int, int, int]]) -> bytes:
    """A PNG whose pixel at `x`, `y` is `palette[pixels[y, x]]`: red, green, blue and alpha, 0 to 255."""
    colours = b"".join(bytes(colour[:3]) for colour in palette)
    alpha = bytes(colour[3] for colour in palette)
    chunks = _chunk(b"PLTE", colours) + _chunk(b"tRNS", alpha)
    return _png(pixels.shape[1], 8, _PALETTE, pixels, chunks, _FAST)


def _png(width: int, bits: int, colour_type: int, rows: NDArray[numpy.uint8], chunks: bytes, level: int) -> bytes:
    lines = numpy.zeros((rows.shape[0], rows.shape[1] + 1), numpy.uint8)  # each begins with its filter: none
    lines[:, 1:] = rows
    head = pack(">IIBBBBB", width, rows.shape[0], bits, colour_type, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), level)
    return _SIGNATURE + _chunk(b"IHDR", head) + chunks + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))
