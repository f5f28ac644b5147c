"""What a JPEG says of itself before its first scan: size, bands, Exif block, colour profile; and its scans. Pure.

Formats: ITU T.81 annex B (segments), Exif 2.32 section 4.5.4 (the block in APP1),
ICC.1:2022 annex B.4 (profiles in APP2, in numbered chunks). What lies between
segments, and how often one of a kind may come, is judged as libjpeg judges it.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_START, _END, _SCAN, _JFIF, _EXIF, _ICC, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_ICC_NAME = b"ICC_PROFILE\0"
# A marker is any number of 0xFF and its code. What has no length (a 0xFF that is data, TEM, RSTn) is passed over, and
# so is what is no marker. Two bytes are looked for, not the whole run, which a long one would make quadratic.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Pixels as stored, bands, bits a sample, and the Exif block and the ICC profile, if there are such.

    `is_multiscan` says that a decoder reads on after the first scan.
    """

    width: int
    height: int
    bands: int
    bits: int
    is_multiscan: bool
    exif: bytes | None
    profile: bytes | None


def read_header(body: bytes) -> JpegHeader | None:
    """The header of a JPEG, or None if it ends, or makes no sense, before the first scan."""
    frame: tuple[int, int, int, int] | None = None
    is_sequential = True
    exif: bytes | None = None
    chunks: dict[int, bytes] = {}
    for marker, begin, end in _segments(body):
        if marker in _FRAMES:
            if frame or end - begin < 6:
                return None
            frame = struct.unpack_from(">BHHB", body, begin)
            is_sequential = marker in _SEQUENTIAL
        elif marker == _EXIF and exif is None and body.startswith(b"Exif", begin) and end - begin > 4:
            exif = body[begin:end]
        elif marker == _ICC and body.startswith(_ICC_NAME, begin) and end - begin > 14:
            chunks[body[begin + 12]] = body[begin + 14 : end]
        elif marker == _SCAN and frame:
            bits, height, width, bands = frame
            if not (width and height and begin < end):
                return None
            is_multiscan = not is_sequential or body[begin] < bands
            return JpegHeader(width, height, bands, bits, is_multiscan, exif, _joined(chunks))
    return None


def has_more_scans(body: bytes, limit: int) -> bool:
    """Whether there are more than `limit` scans before the end of the image, or of `body`."""
    # The first count is quick and hardly ever too high: thumbnails in metadata add to it, and pictures after this one.
    return body.count(b"\xff\xda") > limit and sum(1 for _ in _scans(body)) > limit


def tidied(body: bytes) -> bytes:
    """`body` without what a decoder may warn of though every pixel is there, so that what it still warns of is damage.

    These are bytes between segments, broken ICC profiles, unknown versions of JFIF and colour transforms of Adobe's,
    and parameters of sequential scans, which have none.
    """
    pieces = [body[:2]]
    frame, bands = 0, 0
    for marker, begin, end in _segments(body):
        segment = bytearray(body[begin - 4 : end])
        if marker == _ICC:
            continue
        if marker in _FRAMES and end - begin >= 6:
            frame, bands = marker, segment[9]
        elif marker == _JFIF and segment[4:9] == b"JFIF\0" and len(segment) > 9:
            segment[9] = 1
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and len(segment) > 15 and segment[15] > 2:
            segment[15] = 2 if bands == 4 else 1  # what libjpeg takes it for
        pieces.append(bytes(segment))
        if marker == _SCAN:
            pieces.append(body[end:])
    tidy = bytearray(b"".join(pieces))
    if frame in _SEQUENTIAL:
        for begin, end in _scans(bytes(tidy)):
            if end - begin >= 4:
                tidy[end - 3 : end] = b"\0\x3f\0"
    return bytes(tidy)


def _joined(chunks: dict[int, bytes]) -> bytes | None:
    """The profile in numbered chunks, up to the first one that is missing, as libvips takes it."""
    profile = b""
    for number in range(1, 256):
        if number not in chunks:
            break
        profile += chunks[number]
    return profile or None


def _segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end (of what follows the length) of each segment up to the first scan's header.

    Ends early at a second start of an image, or an end of it: no decoder goes on there.
    """
    at = 2
    while found := _MARKER.search(body, at):
        marker, begin = body[found.end() - 1], found.end() + 2
        end = found.end() + int.from_bytes(body[found.end() : begin])
        if marker in (_START, _END) or not begin <= end <= len(body):
            return
        yield marker, begin, end
        if marker == _SCAN:
            return
        at = end


def _scans(body: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end (of what follows the length) of the header of each scan up to the end of the image."""
    at = 2
    while found := _MARKER.search(body, at):
        marker, begin = body[found.end() - 1], found.end() + 2
        if marker == _END:
            return
        end = found.end() + int.from_bytes(body[found.end() : begin])
        if marker == _SCAN and begin <= end <= len(body):
            yield begin, end
        at = max(begin, end)
