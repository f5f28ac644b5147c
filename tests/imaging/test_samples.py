"""Any number of bands and any size of samples is rendered, or refused with a reason; no exception escapes."""

import io
import logging
import struct
import zlib

import numpy
import pytest
from PIL import Image as Pillow

from oidl.imaging.convert import converted
from oidl.imaging.inspect import Picture, decode_check, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Failure, Reason, Rendition, ResizeMode, Validation

THUMB = Rendition("thumb", "thumb", ResizeMode.FILL_CROP, 40, "jpg", 95)
MIDDLES = {"uchar": 128, "char": 64, "ushort": 2**15, "short": 2**14, "uint": 2**31, "int": 2**30}
KINDS = {"uchar": "u1", "char": "i1", "ushort": "u2", "short": "i2", "uint": "u4", "int": "i4", "float": "f4"}


def tiff(bands: int, kind: str = "uchar", value: float | None = None) -> bytes:
    """64 × 48 pixels, black at the left and `value` (the middle of its range) at the right, in every band."""
    pixels = numpy.zeros((48, 64, bands), KINDS[kind])
    pixels[:, 32:] = MIDDLES[kind] if value is None else value
    image = pyvips.Image.new_from_memory(pixels.tobytes(), 64, 48, bands, kind)
    return bytes(image.tiffsave_buffer(compression="deflate"))


def grey_with_extra_samples(bands: int, bits: int) -> bytes:
    """A valid TIFF of its own making: black is zero, one band of grey, the others unspecified."""
    data = zlib.compress(bytes(64 * 48 * bands * bits // 8))
    tags: list[tuple[int, int, list[int]]] = [
        (256, 4, [64]),
        (257, 4, [48]),
        (258, 3, [bits] * bands),
        (259, 3, [8]),
        (262, 3, [1]),
        (273, 4, [1000]),
        (277, 3, [bands]),
        (278, 4, [48]),
        (279, 4, [len(data)]),
        (338, 3, [0] * (bands - 1)),
    ]
    entries, more = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, more = struct.pack("<I", 134 + len(more)), more + packed
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    return (head + more).ljust(1000, b"\0") + data


def opened(body: bytes, recipe: Rendition = THUMB) -> Pillow.Image:
    picture = inspect(body)
    assert isinstance(picture, Picture), picture
    made = render(picture, [recipe])
    assert isinstance(made, list), made
    image = Pillow.open(io.BytesIO(made[0].body))
    image.load()
    return image


@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("bands", [3, 4, 5, 12, 200])
def test_grey_with_extra_samples_is_grey(bands: int, bits: int, form: str) -> None:
    image = opened(grey_with_extra_samples(bands, bits), Rendition("r", "r", ResizeMode.FILL_CROP, 40, form))
    assert image.mode == ("RGB" if form == "webp" else "L")


@pytest.mark.parametrize("bands", [3, 5, 12, 60])
@pytest.mark.parametrize("kind", list(MIDDLES))
def test_colours_of_any_size_come_out_with_extra_samples_dropped(kind: str, bands: int) -> None:
    image = opened(tiff(bands, kind))
    assert image.mode == "RGB"
    assert image.getpixel((2, 20)) == pytest.approx((0, 0, 0), abs=2)
    assert image.getpixel((37, 20)) == pytest.approx((128, 128, 128), abs=2)


@pytest.mark.parametrize("kind", list(MIDDLES))
def test_grey_of_any_size_comes_out(kind: str) -> None:
    image = opened(tiff(1, kind))
    assert (image.mode, image.getpixel((2, 20)), image.getpixel((37, 20))) == ("L", 0, pytest.approx(128, abs=2))


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 12])
def test_every_kind_of_pixels_can_be_converted_to_a_jpeg(bands: int) -> None:
    for kind in KINDS:
        picture = inspect(tiff(bands, kind, 1))
        assert isinstance(picture, Picture)
        made = converted(picture, "ffffff", Validation.DECODE)
        assert not isinstance(made, Failure), (kind, made)
        assert Pillow.open(io.BytesIO(made.body)).size == (64, 48)


def test_a_picture_too_wide_for_a_jpeg_is_so_in_words() -> None:
    picture = inspect(bytes(pyvips.Image.black(66_000, 8).pngsave_buffer()))
    assert isinstance(picture, Picture)
    failed = converted(picture, "ffffff", Validation.DECODE)
    assert isinstance(failed, Failure)
    assert failed.reason is Reason.RESIZE_FAILED
    assert "66000 × 8" in failed.detail
    assert "65500" in failed.detail


def test_whatever_an_encoder_raises_is_the_failure_of_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> bytes:
        raise ValueError("no")

    monkeypatch.setattr("simplejpeg.encode_jpeg", refuse)
    picture = inspect(photo(1, 320, 240))
    assert isinstance(picture, Picture)
    failures = render(picture, [THUMB]), converted(picture, "ffffff", Validation.DECODE)
    assert [isinstance(each, Failure) and each.reason for each in failures] == [Reason.RESIZE_FAILED] * 2


def test_a_text_that_is_not_utf_8_is_no_obstacle() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = bytes(pyvips.Image.black(80, 60, bands=3).pngsave_buffer())
    latin = body[:33] + chunk(b"tEXt", b"caf\xe9\0cr\xe8me") + body[33:]
    assert opened(latin).size == (40, 40)


def test_numbers_that_are_none_are_pixels_and_glib_is_heard_in_the_log_alone(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oidl")
    picture = inspect(tiff(1, "float", float("nan")))
    assert isinstance(picture, Picture)
    assert decode_check(picture) is None
    assert isinstance(render(picture, [THUMB]), list)
    assert not caplog.messages
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_buffer(picture.body, "").avg()
    assert "GLib-GObject" in caplog.text
    assert capfd.readouterr().err == ""
