"""JPEGs in every structure that a decoder accepts are accepted, with all their pixels; others are refused.

The comparison is with libvips and Pillow (two builds of libjpeg-turbo). If they disagree, the table has our decision
and its reason.
"""

import io
import struct

import pytest
from PIL import Image as Pillow

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Failure, Reason, Rendition, ResizeMode, Validation

WHOLE = Rendition("whole", "whole", ResizeMode.FILL_DISTORT, 64, "png")
SOF, DHT, DQT, SOS, EOI = b"\xff\xc0", b"\xff\xc4", b"\xff\xdb", b"\xff\xda", b"\xff\xd9"


def saved(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.open(io.BytesIO(photo(1, 64, 64, quality=95))).convert(mode).save(buffer, "JPEG", **options)  # type: ignore[arg-type]
    return buffer.getvalue()


COLOUR, GREY, INKS, PROGRESSIVE = saved(), saved("L"), saved("CMYK"), saved(progressive=True)


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def parts(body: bytes) -> tuple[dict[str, bytes], bytes]:
    """Its segments by their kind, and what follows the header of the first scan."""
    found = {"app": b"", "dqt": b"", "sof": b"", "dht": b"", "sos": b""}
    names = {0xDB: "dqt", 0xC0: "sof", 0xC4: "dht", 0xDA: "sos"}
    at = 2
    while not found["sos"]:
        end = at + 2 + int.from_bytes(body[at + 2 : at + 4])
        found[names.get(body[at + 1], "app")] += body[at:end]
        at = end
    return found, body[at:]


PARTS, DATA = parts(COLOUR)


def ordered(*names: str) -> bytes:
    return b"\xff\xd8" + b"".join(PARTS[name] for name in names) + DATA


def before(marker: bytes, more: bytes, body: bytes = COLOUR) -> bytes:
    at = body.index(marker)
    return body[:at] + more + body[at:]


def changed(marker: bytes, offset: int, value: int, body: bytes = COLOUR) -> bytes:
    at = body.index(marker) + offset
    return body[:at] + bytes((value,)) + body[at + 1 :]


def profile(number: int, count: int, data: bytes = b"profile") -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes((number, count)) + data)


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))


def scan_parameters(start: int, end: int, bits: int) -> bytes:
    at = COLOUR.index(SOS) + len(PARTS["sos"]) - 3
    return COLOUR[:at] + bytes((start, end, bits)) + COLOUR[at + 3 :]


def second_scan_left_out() -> bytes:
    scan = PROGRESSIVE.index(SOS, PROGRESSIVE.index(SOS) + 2)
    return PROGRESSIVE[:scan] + PROGRESSIVE[PROGRESSIVE.index(DHT, scan) :]


TAKEN = {
    "as it is": COLOUR,
    "tables first": ordered("app", "dht", "dqt", "sof", "sos"),
    "frame first": ordered("sof", "app", "dqt", "dht", "sos"),
    "metadata last": ordered("dqt", "sof", "dht", "app", "sos"),
    "no JFIF": ordered("dqt", "sof", "dht", "sos"),
    "tables twice": ordered("app", "dqt", "dqt", "sof", "dht", "dht", "sos"),
    "no Huffman tables": ordered("app", "dqt", "sof", "sos"),  # as in MJPEG: the standard's own
    "padding": before(SOF, b"\xff" * 20),
    "a stuffed byte in the header": before(SOF, b"\xff\0"),
    "zeros in the header": before(SOF, bytes(5)),
    "a restart marker in the header": before(SOF, b"\xff\xd3"),
    "an empty comment": before(SOF, segment(0xFE, b"")),
    "a comment of length 1": before(SOF, b"\xff\xfe\0\1"),
    "a comment of length 0": before(SOF, b"\xff\xfe\0\0"),
    "a comment after the frame": before(SOS, segment(0xFE, b"hello")),
    "a comment after the scan": before(EOI, segment(0xFE, b"hello")),
    "a height after the scan": before(EOI, segment(0xDC, b"\0\x40")),
    "a height in the header": before(SOS, segment(0xDC, b"\0\x40")),
    "restarts never": before(SOS, segment(0xDD, b"\0\0")),
    "arithmetic conditions": before(SOF, segment(0xCC, b"")),
    "a profile after the frame": before(SOS, profile(1, 1)),
    "a profile after the scan": before(EOI, profile(1, 1)),
    "a profile twice": before(SOF, profile(1, 1)) and before(SOS, profile(1, 1), before(SOF, profile(1, 1))),
    "a profile in disorder": before(SOF, profile(2, 2) + profile(1, 2)),
    "half a profile": before(SOF, profile(1, 2)),
    "the second part of one": before(SOF, profile(2, 1)),
    "the part before the first": before(SOF, profile(0, 1)),
    "profiles that count otherwise": before(SOF, profile(1, 2) + profile(2, 3)),
    "an empty profile": before(SOF, profile(1, 1, b"")),
    "JFIF 0": changed(b"JFIF", 5, 0),
    "JFIF 2": changed(b"JFIF", 5, 2),
    "JFIF 3": changed(b"JFIF", 5, 3),
    "a JFIF cut short": before(SOF, segment(0xE0, b"JF"), ordered("dqt", "sof", "dht", "sos")),
    "Adobe's transform 1": before(SOF, adobe(1)),
    "Adobe's transform 9": before(SOF, adobe(9)),
    "Adobe's transform 9 alone": before(SOF, adobe(9), ordered("dqt", "sof", "dht", "sos")),
    "an extended frame": changed(SOF, 1, 0xC1),
    "scan parameters of zero": scan_parameters(0, 0, 0),
    "scan parameters of a progressive": scan_parameters(1, 5, 0x10),
    "grey": GREY,
    "grey of a transform": before(SOF, adobe(7), GREY),
    "grey sampled 2 × 2": changed(SOF, 11, 0x22, GREY),
    "grey sampled 3 × 1": changed(SOF, 11, 0x31, GREY),
    "inks": INKS,
    "inks of an unknown transform": changed(b"Adobe", 11, 9, INKS),
    "progressive": PROGRESSIVE,
    "the end twice": COLOUR + EOI,
    "something after the end": COLOUR + b"abc" * 50,
    "padding before the end": before(EOI, b"\xff\xff\xff"),
    "another after it": COLOUR + bytes(16) + PROGRESSIVE,
}

REFUSED = {
    "two starts": b"\xff\xd8" + COLOUR,
    "two frames": ordered("app", "dqt", "sof", "sof", "dht", "sos"),
    "no scan": COLOUR[: COLOUR.index(SOS)] + EOI,
    "no frame": ordered("app", "dqt", "dht", "sos"),
    "no quantization": ordered("app", "sof", "dht", "sos"),
    "the end first": b"\xff\xd8" + EOI + COLOUR[2:],
    "nothing but the end": b"\xff\xd8" + EOI,
    "a segment that is too long": before(SOF, b"\xff\xfe\xff\xff"),
    "a marker that is none": before(SOF, segment(0x10, b"xx")),
    "an extension": before(SOF, segment(0xF0, b"xx")),
    "a hierarchy": before(SOF, segment(0xDE, b"\x08\0\x40\0\x40\1\1\x11\0")),
    "an expansion": before(SOF, segment(0xDF, b"\x11")),
    "no height": changed(SOF, 6, 0),
    "the height only after the scan": before(EOI, segment(0xDC, b"\0\x40"), changed(SOF, 6, 0)),
    "lossless": changed(SOF, 1, 0xC3),
    "differential": changed(SOF, 1, 0xC5),
    "7 bits": changed(SOF, 4, 7),
    "12 bits": changed(SOF, 4, 12),
    "no bands": changed(SOF, 9, 0),
    "more bands than described": changed(SOF, 9, 4),
    "fewer bands than scanned": changed(SOF, 9, 2),
    "sampled 0 × 0": changed(SOF, 11, 0),
    "sampled 5 × 1": changed(SOF, 11, 0x51),
}

# Decoders show something of these, with a warning at most; a part of the picture is missing or made up.
DAMAGED = {
    "no end": COLOUR[:-2],
    "zeros in place of the end": COLOUR[:-2] + bytes(100),
    "Huffman data called arithmetic": changed(SOF, 1, 0xC9),
    "the second scan left out": second_scan_left_out(),
}

# Pillow's own walk over the header wants a length of every marker, and all of Adobe's segment.
NOT_FOR_PILLOW = {
    "a marker without a length": before(SOF, b"\xff\x01"),
    "an Adobe segment cut short": before(SOF, segment(0xEE, b"Adobe\0")),
}


def ours(body: bytes, validation: Validation = Validation.DECODE) -> Pillow.Image | Failure:
    picture = inspect(body)
    made = render(picture, [WHOLE], validation=validation) if isinstance(picture, Picture) else picture
    return made if isinstance(made, Failure) else Pillow.open(io.BytesIO(made[0].body)).convert("RGB")


def by_libvips(body: bytes) -> bool:
    try:
        pyvips.Image.jpegload_buffer(body, fail_on="error").avg()
    except pyvips.Error:
        return False
    return True


def by_pillow(body: bytes) -> Pillow.Image | None:
    try:
        image = Pillow.open(io.BytesIO(body))
        image.load()
    except OSError:
        return None
    return image


@pytest.mark.parametrize("name", list(TAKEN))
def test_what_every_decoder_shows_whole_is_taken(name: str, difference) -> None:
    body = TAKEN[name]
    image, other = ours(body), by_pillow(body)
    assert isinstance(image, Pillow.Image), image
    assert other is not None
    assert by_libvips(body)
    if other.mode != "CMYK":  # inks are compared with LittleCMS elsewhere
        assert difference(image, other) < 1
    assert isinstance(ours(body, Validation.OFF), Pillow.Image)


@pytest.mark.parametrize("name", list(NOT_FOR_PILLOW))
def test_what_libjpeg_shows_whole_is_taken(name: str, difference) -> None:
    image = ours(NOT_FOR_PILLOW[name])
    assert isinstance(image, Pillow.Image), image
    assert difference(image, by_pillow(COLOUR)) < 1
    assert by_pillow(NOT_FOR_PILLOW[name]) is None


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_no_decoder_takes_is_corrupt(name: str) -> None:
    failure = ours(REFUSED[name])
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.CORRUPT
    assert by_pillow(REFUSED[name]) is None
    assert not by_libvips(REFUSED[name])


@pytest.mark.parametrize("name", list(DAMAGED))
def test_what_is_shown_but_not_whole_is_corrupt(name: str) -> None:
    failure = ours(DAMAGED[name])
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.CORRUPT


@pytest.mark.parametrize("name", [name for name in TAKEN if name != "as it is"])
def test_damage_behind_what_is_merely_odd_is_seen(name: str) -> None:
    body = TAKEN[name]
    scan = body.index(SOS) + 14
    assert isinstance(ours(body[: scan + (len(body) - scan) // 3]), Failure)


def test_what_no_usual_decoder_reads_says_so() -> None:
    for name in ("12 bits", "lossless", "differential"):
        failure = ours(REFUSED[name])
        assert isinstance(failure, Failure)
        assert "common decoders cannot read" in failure.detail
