"""A few kilobytes that would cost minutes of decoding are refused with a reason before a pixel is decoded."""

import io
import struct
import time
import zlib
from dataclasses import replace

import pytest
from PIL import Image as Pillow

from oidl.imaging.cost import is_quick
from oidl.imaging.inspect import Picture, decode_check, inspect
from oidl.imaging.photo import photo
from oidl.imaging.vips import pyvips
from oidl.model import ORIGINAL, Crop, Failure, Reason, Rendition, ResizeMode


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")


def many_scans(scans: int, width: int, height: int) -> bytes:
    """A grey progressive JPEG: a scan of the means, then scans that say in a few bytes that nothing changes."""
    blocks = -(-width // 8) * -(-height // 8)
    runs, rest = divmod(blocks, 32767)
    nothing = packed(("0" + "1" * 14) * runs) if not rest else b""
    body = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
    body += segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    body += segment(0xC4, b"\0" + bytes((1, *[0] * 15)) + b"\0")
    body += segment(0xC4, b"\x10" + bytes((1, 1, *[0] * 14)) + b"\xe0\0")
    body += segment(0xDA, b"\1\1\0\0\0\0") + packed("0" * blocks)
    cycle = [segment(0xDA, b"\1\1\0\x01\x3f\x0d")]
    cycle += [segment(0xDA, b"\1\1\0\x01\x3f" + bytes((low << 4 | low - 1,))) for low in range(13, 0, -1)]
    return body + b"".join(cycle[number % 14] + nothing for number in range(scans - 1)) + b"\xff\xd9"


def refusal(body: bytes) -> Failure:
    began = time.process_time()
    failure = inspect(body)
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TOO_LARGE
    assert time.process_time() - began < 0.5
    return failure


def accepted(body: bytes) -> Picture:
    picture = inspect(body)
    assert isinstance(picture, Picture), picture
    return picture


def test_a_hundred_scans_are_decoded_and_no_more() -> None:
    small = 1448, 1448
    accepted(many_scans(100, *small))
    assert refusal(many_scans(101, *small)).detail == "its jpeg has more than 100 scans"
    assert "100 scans" in refusal(many_scans(20_000, *small)).detail


def test_the_larger_a_picture_the_fewer_scans_it_may_have() -> None:
    large = 13288, 13888
    accepted(many_scans(16, *large))
    assert refusal(many_scans(17, *large)).detail == "its jpeg has more than 16 scans"


def test_what_is_no_scan_of_the_picture_does_not_count() -> None:
    progressive = photo(1, 320, 240, progressive=True)
    thumbnails = segment(0xE1, b"Exif\0\0" + b"\xff\xda" * 500)
    for body in (
        progressive[:2] + thumbnails + progressive[2:],
        progressive + progressive * 30,
        photo(1, 320, 240) + b"\xff\xda" * 500,
    ):
        assert decode_check(accepted(body)) is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_png_of_packed_texts_is_not_unpacked(kind: bytes) -> None:
    plain = bytes(pyvips.Image.black(64, 64).pngsave_buffer())
    flags = {b"zTXt": b"key\0\0", b"iTXt": b"key\0\1\0\0\0"}[kind]
    text = chunk(kind, flags + zlib.compress(bytes(7_900_000), 9))
    assert refusal(plain[:33] + text * 900 + plain[33:]).detail == "its png has more than 25 packed texts"
    accepted(plain[:33] + chunk(kind, flags + zlib.compress(b"text")) * 25 + plain[33:])


def directories(count: int, following: int = 0) -> bytes:
    """A TIFF of `count` pages of 8 × 8 pixels; the last one leads to `following`."""
    tags = ((256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 64))
    body = b"II*\0\x08\0\0\0"
    for number in range(count):
        body += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        body += struct.pack("<I", len(body) + 4 if number < count - 1 else following)
    return body


def test_a_tiff_of_many_directories_is_not_opened() -> None:
    assert decode_check(accepted(directories(20))) is None
    assert refusal(directories(21)).detail == "its tiff has more than 20 directories"
    assert "20 directories" in refusal(directories(5_000)).detail
    assert not isinstance(inspect(directories(3, following=8)), Failure), "one that leads back to itself ends there"


def test_many_bands_count_as_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    body = bytes(pyvips.Image.black(600, 500, bands=60).tiffsave_buffer(compression="deflate"))
    accepted(body)
    monkeypatch.setattr("oidl.imaging.inspect.MAX_PIXELS", 1)
    failure = inspect(body, max_pixels=300_000)
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TOO_LARGE
    assert "18000000 bytes of pixels" in failure.detail


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\0", b"\xff\x01", segment(0xFE, b"")])
def test_a_header_is_read_quickly_whatever_fills_it(filler: bytes) -> None:
    body = photo(1, 64, 48)
    began = time.process_time()
    inspect(body[:2] + filler * (1_000_000 // len(filler)) + body[2:])
    assert time.process_time() - began < 0.5


def test_scans_are_counted_quickly_whatever_is_between_them() -> None:
    body = many_scans(50, 1448, 1448)
    scan = body.rindex(b"\xff\xda")
    assert "scans" in refusal(body[:scan] + segment(0xFE, b"") * 1_000_000 + b"\xff\xda\0\2" * 60 + body[scan:]).detail


def test_a_thread_of_pixels_is_as_long_as_it_may_be() -> None:
    accepted(bytes(pyvips.Image.black(1, 66_000).pngsave_buffer()))
    failure = refusal(bytes(pyvips.Image.black(1, 1_000_001).pngsave_buffer()))
    assert failure.detail == "1 × 1000001 pixels, at most 1000000 along a side are decoded"


SMALL = Rendition("224", "224", ResizeMode.SHRINK_TO_FIT, 224, "jpg")
PUBLISHED = Rendition(ORIGINAL, "images-original")


def saved(width: int, height: int, **options: object) -> bytes:
    data = io.BytesIO()
    Pillow.effect_noise((width, height), 30).convert("RGB").save(data, "jpeg", **options)
    return data.getvalue()


@pytest.mark.parametrize(
    ("body", "renditions", "expected"),
    [
        (photo(1, 640, 480), (SMALL,), True),
        (photo(1, 640, 480), (PUBLISHED, SMALL, replace(SMALL, box_size=1000)), True),
        (photo(1, 1200, 900), (SMALL,), False),  # too many pixels
        (saved(900, 900, quality=100), (SMALL,), False),  # too many bytes
        (saved(200, 200, progressive=True), (SMALL,), False),  # several scans
        (photo(1, 640, 480), (replace(SMALL, box_size=1001),), False),
        (photo(1, 640, 480), (replace(SMALL, format="webp"),), False),
        (photo(1, 640, 480), (replace(SMALL, crop=Crop.ATTENTION),), False),
        (photo(1, 640, 480), (SMALL,) * 5, False),
        (b"\xff\xd8 and nothing", (SMALL,), False),
        (b"<html>", (SMALL,), False),
        (b"", (SMALL,), False),
    ],
)
def test_what_is_quick_is_small_in_every_way(body: bytes, renditions: tuple[Rendition, ...], expected: bool) -> None:
    assert is_quick(body, renditions) is expected
