"""The header of a JPEG: size, bands, Exif block and colour profile before its first scan; and its scans. Pure.

Formats: ITU T.81 annex B (segments), Exif 2.32 section 4.5.4 (the block in APP1),
ICC.1:2022 annex B.4 (profiles in APP2, in numbered chunks). Bytes between
segments and repeated segments are treated as libjpeg treats them.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_START, _END, _SCAN, _JFIF, _EXIF, _ICC, _ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_ICC_NAME = b"ICC_PROFILE\0"
_SEGMENTS = 10_000  # a ceiling; a profile of 25 MB has 400
# A marker is one or more 0xFF and a code. Markers without a length (a 0xFF that is data, TEM, RSTn) are skipped, and
# so are bytes that are no marker. The pattern has two bytes, because matching a long run of 0xFF would be quadratic.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Pixels as stored, bands, bits per sample, and the Exif block and the ICC profile, if present.

    `is_readable` is False for lossless, hierarchical and 12-bit pictures, which common decoders do not support;
    `is_multiscan`: a decoder continues after the first scan.
    """

    width: int
    height: int
    bands: int
    bits: int
    is_readable: bool
    is_multiscan: bool
    exif: bytes | None
    profile: bytes | None


def read_header(body: bytes) -> JpegHeader | None:
    """The header of a JPEG, or None if the body ends or is invalid before the first scan."""
    frame: tuple[int, int, int, int] | None = None
    process = 0
    exif: bytes | None = None
    chunks: dict[int, bytes] = {}
    for marker, begin, end in _segments(body):
        if marker in _FRAMES:
            if frame or end - begin < 6:
                return None
            frame = struct.unpack_from(">BHHB", body, begin)
            process = marker
        elif marker == _EXIF and exif is None and body.startswith(b"Exif", begin) and end - begin > 4:
            exif = body[begin:end]
        elif marker == _ICC and body.startswith(_ICC_NAME, begin) and end - begin > 14:
            chunks[body[begin + 12]] = body[begin + 14 : end]
        elif marker == _SCAN and frame:
            bits, height, width, bands = frame
            if not (width and height and begin < end):
                return None
            return JpegHeader(
                width=width,
                height=height,
                bands=bands,
                bits=bits,
                is_readable=bits == 8 and process in _SEQUENTIAL | _PROGRESSIVE,
                is_multiscan=process in _PROGRESSIVE or body[begin] < bands,
                exif=exif,
                profile=_joined(chunks),
            )
    return None


def has_more_scans(body: bytes, limit: int) -> bool:
    """Whether there are more than `limit` scans, or too many segments to count them, before the end of the image."""
    # This count is quick and rarely too high: it includes thumbnails in metadata and pictures after this one.
    if body.count(b"\xff\xda") <= limit:
        return False
    scans = 0
    for number, (marker, _, _) in enumerate(_markers(body)):
        scans += marker == _SCAN
        if scans > limit or number >= _SEGMENTS:
            return True
    return False


def normalised(body: bytes) -> bytes:
    """`body` without the causes of harmless warnings, so that every remaining warning means damage.

    These are bytes between segments, broken ICC profiles, unknown JFIF versions and Adobe colour transforms, and
    progressive parameters of sequential scans.
    """
    segments = list(_segments(body))
    frame, bands = next(((m, body[at + 5]) for m, at, end in segments if m in _FRAMES and end - at >= 6), (0, 0))
    pieces = [body[:2]]
    for marker, begin, end in segments:
        segment = bytearray(body[begin - 4 : end])
        if marker == _ICC:
            continue
        if marker == _JFIF and segment[4:9] == b"JFIF\0" and len(segment) > 9:
            segment[9] = 1
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and len(segment) > 15 and segment[15] > 2:
            segment[15] = 2 if bands == 4 else 1  # libjpeg's assumption
        pieces.append(bytes(segment))
        if marker == _SCAN:
            pieces.append(body[end:])
    clean = bytearray(b"".join(pieces))
    if frame in _SEQUENTIAL:
        for marker, begin, end in islice(_markers(bytes(clean)), _SEGMENTS):
            if marker == _SCAN and begin + 4 <= end <= len(clean):
                clean[end - 3 : end] = b"\0\x3f\0"
    return bytes(clean)


def _joined(chunks: dict[int, bytes]) -> bytes | None:
    """The profile in numbered chunks, up to the first missing one, as libvips reads it."""
    profile = b""
    for number in range(1, 256):
        if number not in chunks:
            break
        profile += chunks[number]
    return profile or None


def _segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """`_markers` up to the first scan's header, at most `_SEGMENTS`; stops at a truncated one."""
    for marker, begin, end in islice(_markers(body), _SEGMENTS):
        if end > len(body):
            return
        yield marker, begin, end
        if marker == _SCAN:
            return


def _markers(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end (of the data after the length) of each segment up to the end of the image.

    Stops at a second start of image: no decoder continues there.
    """
    at = 2
    while match := _MARKER.search(body, at):
        marker, begin = body[match.end() - 1], match.end() + 2
        if marker in (_START, _END):
            return
        at = max(begin, match.end() + int.from_bytes(body[match.end() : begin]))
        yield marker, begin, at
