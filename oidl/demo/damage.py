"""Damage to a JPEG, and mere oddities: for the tests and the bench. Pure.

After a `Damage` a part of the image is missing or wrong; after an `Oddity` all of it is there.
"""

import random
import struct
from collections.abc import Callable

Damage = Callable[[bytes, random.Random], bytes]
Oddity = Callable[[bytes], bytes]

_SCAN, _FRAME, _QUANTIZATION = b"\xff\xda", b"\xff\xc0", b"\xff\xdb"


def scan(body: bytes) -> int:
    """About where the data of the last scan begins."""
    return body.rindex(_SCAN) + 14


def kept(share: float) -> Damage:
    """Keeps this share of the scan data, from its start."""

    def damage(body: bytes, rng: random.Random) -> bytes:
        first = body.index(_SCAN) + 14
        return body[: first + int((len(body) - first) * share)]

    return damage


def without_two_bytes(body: bytes, rng: random.Random) -> bytes:
    """Without the last two bytes of the scan data; the end marker stays."""
    return body[:-4] + body[-2:]


def cut_short_by_two(body: bytes, rng: random.Random) -> bytes:
    """Without the end marker and the two bytes before it."""
    return body[:-4]


def chunk_cut_out(body: bytes, rng: random.Random) -> bytes:
    """Without 5 kB from the middle."""
    at = rng.randrange(scan(body), len(body) - 5100)
    return body[:at] + body[at + 5000 :]


def without_frame(body: bytes, rng: random.Random) -> bytes:
    """Without the frame header, which has the size of the image."""
    return _without_segment(body, _FRAME)


def without_quantization(body: bytes, rng: random.Random) -> bytes:
    """Without the first of the quantization tables."""
    return _without_segment(body, _QUANTIZATION)


def zeroed(body: bytes, rng: random.Random) -> bytes:
    """With 4 kB of zeros somewhere, as after a crash of a filesystem."""
    at = rng.randrange(scan(body), len(body) - 4100)
    return body[:at] + bytes(4096) + body[at + 4096 :]


def flipped(body: bytes, rng: random.Random) -> bytes:
    """With 30 bits flipped somewhere."""
    damaged = bytearray(body)
    for _ in range(30):
        damaged[rng.randrange(scan(body), len(body) - 2)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


DAMAGES: dict[str, Damage] = {
    "truncated at 10 %": kept(0.1),
    "truncated at 50 %": kept(0.5),
    "truncated at 90 %": kept(0.9),
    "truncated at 99 %": kept(0.99),
    "truncated by 2 bytes": cut_short_by_two,
    "2 bytes less before the end": without_two_bytes,
    "5 kB cut out": chunk_cut_out,
    "no frame header": without_frame,
    "no quantization table": without_quantization,
    "4 kB zeroed": zeroed,
    "30 bits flipped": flipped,
}
"""All kinds of damage by name; the one without a frame header works on baseline JPEGs."""


def before_tables(body: bytes, more: bytes) -> bytes:
    """With `more` before the segment of the quantization tables; some cameras leave such padding."""
    at = body.index(_QUANTIZATION)
    return body[:at] + more + body[at:]


ODDITIES: dict[str, Oddity] = {
    "trailing garbage": lambda body: body + random.Random(4).randbytes(3000),
    "another picture after it": lambda body: body + body,
    "zeros after it": lambda body: body + bytes(4096),
    "padding before a segment": lambda body: before_tables(body, b"\xff" * 7),
    "bytes between segments": lambda body: before_tables(body, b"\0\0\0"),
    "a few bytes before the end": lambda body: body[:-2] + b"\x11" * 5 + body[-2:],
    "zeros before the end": lambda body: body[:-2] + bytes(600) + body[-2:],
    "an EXIF block of nonsense": lambda body: body[:2] + b"\xff\xe1\x00\x14Exif\0\0" + b"\xee" * 12 + body[2:],
    "an unknown segment": lambda body: body[:2] + b"\xff\xec\x00\x10" + b"?" * 14 + body[2:],
}
"""All oddities by name; the image is complete."""


def _without_segment(body: bytes, marker: bytes) -> bytes:
    at = body.index(marker)
    return body[:at] + body[at + 2 + struct.unpack_from(">H", body, at + 2)[0] :]
