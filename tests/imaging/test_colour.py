"""Colours match LittleCMS, which Pillow uses and libvips does not; grey stays grey, alpha gets a background.

Different rounding, different resampling and one more JPEG cause a mean difference of 2 of 255.
"""

import io
from dataclasses import replace

import numpy
import pytest
import simplejpeg
from PIL import Image as Pillow
from PIL import ImageCms

from oidl.imaging.photo import photo
from oidl.imaging.vips import pyvips
from oidl.model import Rendition, ResizeMode

TOLERANCE = 2.0
SIZE = (64, 64)
SRGB = ImageCms.createProfile("sRGB")


def rendition(form: str = "png", **named: object) -> Rendition:
    return Rendition("r", "r", ResizeMode.FILL_DISTORT, SIZE[0], form, 95 if form == "jpg" else None, **named)  # type: ignore[arg-type]


def profile(name: str) -> bytes:
    """One of the profiles that libvips brings along."""
    return bytes(pyvips.Image.profile_load(name))


def converted(image: Pillow.Image, source: bytes) -> Pillow.Image:
    return ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(source)), SRGB, outputMode="RGB", renderingIntent=1
    )


def small(image: Pillow.Image) -> Pillow.Image:
    return image.resize(SIZE, Pillow.Resampling.BOX)


@pytest.fixture(scope="module")
def scene() -> Pillow.Image:
    return Pillow.open(io.BytesIO(photo(1, 320, 240, quality=95))).convert("RGB")


@pytest.fixture(scope="module")
def colours() -> Pillow.Image:
    """Every hue, from pale to full: where a wider gamut makes most of a difference."""
    hue = Pillow.linear_gradient("L").rotate(90).resize((320, 240))
    strength = Pillow.linear_gradient("L").resize((320, 240))
    return Pillow.merge("HSV", (hue, strength, Pillow.new("L", (320, 240), 230))).convert("RGB")


@pytest.fixture(scope="module")
def printed(scene: Pillow.Image) -> Pillow.Image:
    """The scene in inks."""
    inks = ImageCms.ImageCmsProfile(io.BytesIO(profile("cmyk")))
    return ImageCms.profileToProfile(scene, SRGB, inks, outputMode="CMYK", renderingIntent=1)


def test_a_wide_gamut_comes_out_as_srgb(colours: Pillow.Image, saved, opened, difference) -> None:
    body = saved(colours, icc_profile=profile("p3"), quality=95)
    wide = Pillow.open(io.BytesIO(body))
    expected = small(converted(wide, profile("p3")))
    assert difference(opened(body, rendition()), expected) < TOLERANCE
    assert difference(small(wide), expected) > 2 * TOLERANCE  # or the test could not fail


@pytest.mark.parametrize("has_profile", [True, False])
def test_inks_come_out_as_srgb(has_profile: bool, printed: Pillow.Image, saved, opened, difference) -> None:
    body = saved(printed, quality=95, **({"icc_profile": profile("cmyk")} if has_profile else {}))
    expected = small(converted(Pillow.open(io.BytesIO(body)), profile("cmyk")))
    assert difference(opened(body, rendition()), expected) < TOLERANCE
    assert opened(body, rendition("jpg")).mode == "RGB"


def test_inks_stored_as_adobe_does_come_out_as_srgb(printed: Pillow.Image, scene, opened, difference) -> None:
    inverted = numpy.ascontiguousarray(255 - numpy.asarray(printed))
    body = simplejpeg.encode_jpeg(inverted, quality=95, colorspace="CMYK", colorsubsampling="444")
    stored = Pillow.open(io.BytesIO(body))
    assert stored.info["adobe_transform"] == 2  # YCCK
    assert difference(opened(body, rendition()), small(converted(stored, profile("cmyk")))) < TOLERANCE
    assert difference(opened(body, rendition()), small(scene)) < 4 * TOLERANCE  # and as the scene, but for the print


def test_sixteen_bits_come_out_as_eight(scene: Pillow.Image, opened, difference) -> None:
    deep = pyvips.Image.new_from_array(numpy.asarray(scene).astype(numpy.uint16) * 257).copy(interpretation="rgb16")
    for body in (deep.pngsave_buffer(bitdepth=16), deep.tiffsave_buffer()):
        for form in ("png", "jpg"):
            assert difference(opened(body, rendition(form)), small(scene)) < TOLERANCE


def test_a_palette_comes_out_as_its_colours(scene: Pillow.Image, saved, opened, difference) -> None:
    indexed = scene.quantize(64)
    for form in ("PNG", "GIF"):
        assert difference(opened(saved(indexed, form), rendition()), small(indexed.convert("RGB"))) < TOLERANCE


def test_grey_stays_grey_unless_three_bands_are_asked_for(scene: Pillow.Image, saved, opened) -> None:
    grey = scene.convert("L")
    deep = Pillow.fromarray(numpy.asarray(grey).astype(numpy.uint16) * 257)
    for body in (saved(grey), saved(grey, "PNG"), saved(deep, "PNG")):
        for form in ("jpg", "png"):
            assert opened(body, rendition(form)).mode == "L"
            assert opened(body, rendition(form, force_rgb=True)).mode == "RGB"


@pytest.mark.parametrize("background", ["ffffff", "000000", "ff8000"])
def test_what_is_transparent_gets_the_background(background: str, scene, saved, opened, difference) -> None:
    glass = scene.copy()
    glass.putalpha(Pillow.linear_gradient("L").resize(scene.size))
    under = Pillow.new("RGBA", scene.size, f"#{background}")
    under.alpha_composite(glass)
    body = saved(glass, "PNG")
    assert difference(opened(body, rendition("jpg", background=background)), small(under.convert("RGB"))) < TOLERANCE
    assert opened(body, rendition("png", background=background)).mode == "RGBA"


@pytest.mark.parametrize(("background", "mode"), [("808080", "L"), ("ff0000", "RGB")])
def test_a_grey_picture_on_a_colour_is_one_of_colours(background: str, mode: str, scene, saved, opened) -> None:
    grey = scene.convert("L")
    deep = Pillow.fromarray(numpy.asarray(grey).astype(numpy.uint16) * 257)
    bordered = replace(rendition(background=background), mode=ResizeMode.BORDER)
    for body in (saved(grey), saved(grey, "PNG"), saved(deep, "PNG")):
        for form, quality in (("png", None), ("jpg", 95)):
            made = opened(body, replace(bordered, format=form, quality=quality))
            assert made.mode == mode
            corner, middle = (made.convert("RGB").getpixel(at) for at in ((1, 1), (made.width // 2, made.height // 2)))
            assert corner == pytest.approx(tuple(bytes.fromhex(background)), abs=2)
            assert max(middle) - min(middle) <= 2, "the picture itself is as grey as it was"
    glass = grey.copy()
    glass.putalpha(0)
    made = opened(saved(glass, "PNG"), rendition("jpg", background=background))
    assert made.mode == mode
    assert made.convert("RGB").getpixel((9, 9)) == pytest.approx(tuple(bytes.fromhex(background)), abs=2)
