"""What a JPEG says of itself before its first scan: size, bands, orientation, colour profile. Pure.

Formats: ITU T.81 annex B (segments), Exif 2.32 section 4.6 (the orientation tag
of the first directory), ICC.1:2022 annex B.4 (profiles in APP2, in numbered chunks).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_END, _SCAN, _EXIF, _ICC = 0xD9, 0xDA, 0xE1, 0xE2
_EXIF_NAME, _ICC_NAME = b"Exif\0\0", b"ICC_PROFILE\0"
_ORIENTATION_TAG, _SHORT = 0x0112, 3


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Pixels as stored, bands, bits a sample, EXIF orientation (1–8) and the ICC profile, if there is one."""

    width: int
    height: int
    bands: int
    bits: int
    orientation: int
    profile: bytes | None


def read_header(body: bytes) -> JpegHeader | None:
    """The header of a JPEG, or None if it ends, or makes no sense, before the first scan."""
    frame: tuple[int, int, int, int] | None = None
    orientation = 1
    chunks: dict[int, bytes] = {}
    for marker, begin, end in _segments(body):
        if marker in _FRAMES and end - begin >= 6:
            frame = struct.unpack_from(">BHHB", body, begin)
        elif marker == _EXIF and body.startswith(_EXIF_NAME, begin):
            orientation = _orientation(body[begin + len(_EXIF_NAME) : end])
        elif marker == _ICC and body.startswith(_ICC_NAME, begin) and end - begin > 14:
            chunks[body[begin + 12]] = body[begin + 14 : end]
        elif marker == _SCAN and frame:
            bits, height, width, bands = frame
            profile = b"".join(chunk for _, chunk in sorted(chunks.items())) or None
            return JpegHeader(width, height, bands, bits, orientation, profile) if width and height else None
    return None


def without_junk(body: bytes) -> bytes:
    """`body` less what lies between its segments, up to the first scan; some cameras leave padding there."""
    pieces = [body[:2]]
    for marker, begin, end in _segments(body):
        pieces.append(body[begin - 4 : end])
        if marker == _SCAN:
            pieces.append(body[end:])
    return b"".join(pieces)


def _segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end (of what follows the length) of each segment up to the first scan's header."""
    at = 2
    while (at := body.find(b"\xff", at)) >= 0:
        while body[at + 1 : at + 2] == b"\xff":  # any number of these may come before a marker
            at += 1
        begin = at + 4
        if begin > len(body):
            return
        marker = body[at + 1]
        if marker == 0 or marker in _STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(body[at + 2 : begin])
        if marker == _END or not begin <= end <= len(body):
            return
        yield marker, begin, end
        if marker == _SCAN:
            return
        at = end


def _orientation(tiff: bytes) -> int:
    """The orientation in an Exif block; 1 (upright) if it has none, or none that means anything."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:  # it points outside itself
        pass
    return 1
