"""The orientation is the one that libvips reads, however a camera or a later program wrote it."""

import base64
import io
import struct
import warnings
from collections.abc import Iterator

import pytest
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.vips import pyvips

_TAG, _WIDTH, _MAKER, _POINTER = 0x0112, 0x0100, 0x010F, 0x8769
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
_WORDS = {"<": b"II*\0", ">": b"MM\0*"}


def plain() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 8)).save(buffer, "JPEG")
    return buffer.getvalue()


PLAIN = plain()


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def entry(order: str, tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")[:4]


def directory(order: str, entries: list[bytes], following: int = 0, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    return struct.pack(f"{order}H", number) + b"".join(entries) + struct.pack(f"{order}I", following)


def block(order: str, *entries: bytes, at: int = 8, following: int = 0, count: int | None = None) -> bytes:
    """A TIFF of one directory, as Exif has it."""
    start = _WORDS[order] + struct.pack(f"{order}I", at) + bytes(at - 8)
    return start + directory(order, list(entries), following, count)


def turned(order: str, value: int = 6) -> bytes:
    return entry(order, _TAG, 3, 1, struct.pack(f"{order}H", value))


def exif(tiff: bytes, name: bytes = b"Exif\0\0") -> bytes:
    return segment(0xE1, name + tiff)


def beginning_with(*segments: bytes) -> bytes:
    return PLAIN[:2] + b"".join(segments) + PLAIN[2:]


def by_kind(order: str) -> Iterator[tuple[str, bytes]]:
    """Every type, with values that mean something and that do not, and more values than one."""
    for kind in (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 14):
        letter = _LETTERS.get(kind, "I")
        for value in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 127):
            yield (
                f"type {kind}, value {value}",
                block(order, entry(order, _TAG, kind, 1, struct.pack(order + letter, value))),
            )
    for kind, letter in _LETTERS.items():
        for count in (0, 2, 3, 5, 1000):
            values = struct.pack(order + letter, 6) * count
            where = values if len(values) <= 4 else struct.pack(f"{order}I", 26)
            yield f"type {kind}, {count} values", block(order, entry(order, _TAG, kind, count, where)) + values[:100]
    for kind in (5, 10, 12):
        pointing = entry(order, _TAG, kind, 1, struct.pack(f"{order}I", 26))
        yield f"type {kind}, elsewhere", block(order, pointing) + struct.pack(f"{order}II", 6, 1)
    yield "a LONG above 65535", block(order, entry(order, _TAG, 4, 1, struct.pack(f"{order}I", 0x10006)))
    yield "a SHORT and what was there", block(order, entry(order, _TAG, 3, 1, struct.pack(f"{order}HH", 6, 77)))


def by_directory(order: str) -> Iterator[tuple[str, bytes]]:
    """Directories that are long, cut, in disorder, elsewhere."""
    width = entry(order, _WIDTH, 4, 1, struct.pack(f"{order}I", 16))
    maker = entry(order, _MAKER, 2, 4, b"abc\0")
    pointer = entry(order, _POINTER, 4, 1, struct.pack(f"{order}I", 26))
    lost = entry(order, _POINTER, 4, 1, struct.pack(f"{order}I", 0xFFFFFF))
    yield "in disorder", block(order, maker, turned(order), width)
    yield "last", block(order, width, maker, turned(order))
    yield "twice", block(order, turned(order), turned(order, 3))
    yield "twice, otherwise", block(order, turned(order, 3), turned(order))
    yield "more entries promised", block(order, turned(order), count=50)
    yield "more entries promised, the last one it", block(order, width, maker, turned(order), count=50)
    yield "fewer entries promised", block(order, width, maker, turned(order), count=2)
    yield "no entries", block(order)
    for cut in range(4, 22, 2):
        yield f"{cut} bytes cut", block(order, width, turned(order))[:-cut]
    for at in (9, 10, 1000, 60000):
        yield f"directory at {at}", block(order, turned(order), at=at)
    yield "after a pointer to nowhere", block(order, lost, turned(order))
    yield "only of the thumbnail", block(order, width, following=26) + directory(order, [turned(order)])
    yield "of the thumbnail, another", block(order, turned(order, 3), following=26) + directory(order, [turned(order)])
    yield "only in the directory of Exif", block(order, pointer) + directory(order, [turned(order)])
    yield "in a circle", block(order, width, turned(order), following=8)
    yield "another number for TIFF", block(order, turned(order)).replace(b"*", b"+", 1)
    yield "the directory outside", block(order, turned(order)).replace(struct.pack(f"{order}I", 8), b"\x7f" * 4, 1)


def by_place() -> Iterator[tuple[str, bytes]]:
    """Where the block is, and what it is called."""
    good, other = exif(block("<", turned("<"))), exif(block(">", turned(">", 3)))
    tiff = block("<", turned("<"))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='8'/>")
    frame, scan = PLAIN.index(b"\xff\xc0"), PLAIN.index(b"\xff\xda")
    yield "after XMP", beginning_with(xmp, good)
    yield "before XMP", beginning_with(good, xmp)
    yield "two, the first counts", beginning_with(good, other)
    yield "two, the other way", beginning_with(other, good)
    yield "after JFIF", PLAIN[:20] + good + PLAIN[20:]
    yield "before the frame", PLAIN[:frame] + good + PLAIN[frame:]
    yield "after the frame", PLAIN[:scan] + good + PLAIN[scan:]
    yield "after the end", PLAIN + good
    yield "after all other segments", beginning_with(*(segment(0xE0 + n, b"x" * 50) for n in range(2, 16)), good)
    yield "after padding", beginning_with(b"\xff" * 9, good)
    yield "after bytes of no segment", PLAIN[:20] + b"\0\0\1" + good + PLAIN[20:]
    yield "after a marker without a length", PLAIN[:20] + b"\xff\x01" + good + PLAIN[20:]
    yield "in APP2", beginning_with(segment(0xE2, b"Exif\0\0" + tiff))
    yield "in a comment", beginning_with(segment(0xFE, b"Exif\0\0" + tiff))
    yield "in two parts", beginning_with(exif(tiff[:12]), exif(tiff[12:]))
    for first in (b"Exif\0\0", b"Exif", b"Exif\0\0" + b"\xee" * 20, b"Exif\0\0" + tiff[:8]):
        yield f"after {first!r}", beginning_with(segment(0xE1, first), good)
    for name in (b"Exif\0\xff", b"Exif\0", b"Exif", b"EXIF\0\0", b"exif\0\0", b"Exif\0\0Exif\0\0", b"Exif  ", b""):
        yield f"called {name!r}", beginning_with(exif(tiff, name))


VARIANTS = [
    (f"{order} {name}", beginning_with(exif(tiff)))
    for order in _WORDS
    for name, tiff in (*by_kind(order), *by_directory(order))
]
VARIANTS += by_place()


def ours(body: bytes) -> int:
    picture = inspect(body)
    assert isinstance(picture, Picture), picture
    return picture.orientation


def by_libvips(body: bytes) -> int:
    """What its autorot would use."""
    image = pyvips.Image.new_from_buffer(body, "")
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def by_pillow(body: bytes) -> object:
    with warnings.catch_warnings(action="ignore"):
        try:
            with Pillow.open(io.BytesIO(body)) as image:
                return image.getexif().get(_TAG, 1)
        except UnidentifiedImageError:  # it wants a length of every marker
            return 1


def test_every_variant_is_read_as_libvips_reads_it() -> None:
    assert len(VARIANTS) >= 400
    assert {name: ours(body) for name, body in VARIANTS} == {name: by_libvips(body) for name, body in VARIANTS}


def test_pillow_reads_no_variant_otherwise_but_a_few_kinds() -> None:
    # BYTE it does not take for a number; it knows types 13 and 16 too, and joins blocks that come in a row.
    different = {name for name, body in VARIANTS if by_pillow(body) in range(2, 9) and by_pillow(body) != ours(body)}
    kinds = {"< type 13", "> type 13", "> another number for TIFF", "in two parts", "after b'Exif\\x00\\x00'"}
    kinds |= {"called b'Exif\\x00\\x00Exif\\x00\\x00'"}
    assert {name.partition(", value")[0] for name in different} == kinds


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
@pytest.mark.parametrize("order", ["<", ">"])
def test_any_integer_turns_a_photo(order: str, kind: int) -> None:
    value = struct.pack(order + _LETTERS[kind], 6)
    assert ours(beginning_with(exif(block(order, entry(order, _TAG, kind, 1, value))))) == 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_read_as_libvips_reads_them(form: str, orientation: int) -> None:
    buffer = io.BytesIO()
    tags = Pillow.Exif()
    tags[_TAG] = orientation
    Pillow.open(io.BytesIO(photo(1, 64, 48))).save(buffer, form, exif=tags)
    assert ours(buffer.getvalue()) == by_libvips(buffer.getvalue()) == orientation
    long = base64.b16encode(buffer.getvalue()).replace(b"12010300", b"12010400").replace(b"01120003", b"01120004")
    body = base64.b16decode(long) if form != "PNG" else buffer.getvalue()  # which has a checksum
    assert ours(body) == by_libvips(body)
