"""Renditions: right size, upright, sRGB, without metadata; and never of an image with a part missing.

Pillow, a different decoder, checks the results.
"""

import io
from dataclasses import replace

import numpy
import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageCms, ImageOps, ImageStat

from oidl.imaging import turbo
from oidl.imaging.encode import unsupported_reason
from oidl.imaging.inspect import MAX_PIXELS, Picture, decode_check, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import Rendered, render
from oidl.model import Failure, Reason, Rendition, ResizeMode, Scaling

MODES = list(ResizeMode)


def rendition(
    mode: ResizeMode | None = ResizeMode.SHRINK_TO_FIT, box: int = 100, form: str = "jpg", quality: int | None = None
) -> Rendition:
    return Rendition("r", "r", mode, box, form, quality)


def rendered(body: bytes, recipe: Rendition) -> Rendered:
    picture = inspect(body)
    assert isinstance(picture, Picture), picture
    result = render(picture, [recipe])
    assert isinstance(result, list), result
    return result[0]


def failure(body: bytes, recipe: Rendition) -> Failure:
    picture = inspect(body)
    result = render(picture, [recipe]) if isinstance(picture, Picture) else picture
    assert isinstance(result, Failure)
    return result


def opened(result: Rendered) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(result.body))
    image.load()
    return image


def saved(image: Pillow.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        (ResizeMode.SHRINK_TO_FIT, (100, 75)),
        (ResizeMode.FILL_CROP, (100, 100)),
        (ResizeMode.FILL_DISTORT, (100, 100)),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_each_mode_gives_its_size(mode: ResizeMode, size: tuple[int, int], progressive: bool) -> None:
    result = rendered(photo(1, 640, 480, progressive=progressive), rendition(mode))
    assert (result.width, result.height) == size == opened(result).size


@pytest.mark.parametrize("mode", MODES)
def test_small_pictures_are_enlarged_only_where_the_box_must_be_filled(mode: ResizeMode) -> None:
    result = rendered(photo(1, 64, 48), rendition(mode, quality=80))
    assert opened(result).size == {"ShrinkToFit": (64, 48), "KeepRatio": (133, 100)}.get(mode, (100, 100))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    body = photo(5, 400, 300, orientation=orientation)
    expected = ImageOps.exif_transpose(Pillow.open(io.BytesIO(body))).resize((16, 16), Pillow.Resampling.BOX)
    turned = opened(rendered(body, rendition(ResizeMode.FILL_DISTORT, 16, "png")))
    assert _difference(expected, turned) < 3
    if orientation > 1:  # or the test could not fail
        assert _difference(ImageOps.mirror(expected), turned) > 6
    fitted = rendered(body, rendition(box=100))
    assert (fitted.width, fitted.height) == opened(fitted).size == (100, 75)


def _difference(one: Pillow.Image, other: Pillow.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def test_metadata_is_left_out() -> None:
    exif = Pillow.Exif()
    exif[0x010E] = "taken at home"
    body = saved(Pillow.new("RGB", (300, 200), "red"), exif=exif, comment=b"private")
    result = rendered(body, rendition())
    assert b"private" not in result.body
    assert b"taken at home" not in result.body
    assert not opened(result).getexif()


def test_cmyk_comes_out_as_rgb() -> None:
    result = opened(rendered(photo(1, 300, 200, cmyk=True), rendition()))
    plain = opened(rendered(photo(1, 300, 200), rendition()))
    assert result.mode == "RGB"
    for got, wanted in zip(ImageStat.Stat(result).mean, ImageStat.Stat(plain).mean, strict=True):
        assert abs(got - wanted) < 40  # inks are no exact science, but the picture is the same


def test_grey_stays_grey() -> None:
    assert opened(rendered(photo(1, 300, 200, grey=True), rendition())).mode == "L"


def test_a_picture_with_another_profile_comes_out_in_srgb() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    profile = bytearray(lab.tobytes().replace(b"sRGB", b"xRGB"))
    # Red and blue primaries swapped: a profile that plainly changes colours.
    table = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(profile[131])}
    red, blue = table[b"rXYZ"], table[b"bXYZ"]
    profile[red + 4 : red + 8], profile[blue + 4 : blue + 8] = (
        profile[blue + 4 : blue + 8],
        profile[red + 4 : red + 8],
    )
    body = saved(Pillow.new("RGB", (300, 200), (255, 0, 0)), icc_profile=bytes(profile), quality=95)
    red_mean, _, blue_mean = ImageStat.Stat(opened(rendered(body, rendition()))).mean
    assert blue_mean > 200
    assert red_mean < 60


def test_alpha_becomes_white_in_a_jpeg_and_stays_in_a_png() -> None:
    body = saved(Pillow.new("RGBA", (300, 200), (0, 0, 0, 0)), "PNG")
    assert opened(rendered(body, rendition())).getpixel((50, 30)) == (255, 255, 255)
    assert opened(rendered(body, rendition(form="png"))).mode == "RGBA"


@pytest.mark.parametrize(("form", "format_"), [("png", "PNG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("gif", "GIF")])
def test_other_formats_can_be_made(form: str, format_: str) -> None:
    assert opened(rendered(photo(1, 300, 200), rendition(form=form))).format == format_


def test_quality_makes_a_difference() -> None:
    body = photo(1, 640, 480)
    low, high = (rendered(body, rendition(box=320, quality=quality)) for quality in (20, 95))
    assert 3 * len(low.body) < len(high.body)


def test_a_picture_that_already_fits_keeps_its_very_bytes() -> None:
    body = photo(1, 90, 60)
    assert rendered(body, rendition()).body == body
    assert rendered(photo(1, 100, 100), rendition()).body == photo(1, 100, 100)


@pytest.mark.parametrize(
    ("body", "recipe"),
    [
        (photo(1, 90, 60), rendition(quality=50)),
        (photo(1, 90, 60), rendition(form="png")),
        (photo(1, 90, 60), rendition(ResizeMode.FILL_CROP)),
        (photo(1, 90, 60, orientation=6), rendition()),
        (photo(1, 90, 60, cmyk=True), rendition()),
        (photo(1, 120, 60), rendition()),
    ],
    ids=["quality", "format", "mode", "orientation", "cmyk", "too large"],
)
def test_one_that_needs_a_change_is_made_anew(body: bytes, recipe: Rendition) -> None:
    assert rendered(body, recipe).body != body


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99, "all but two bytes"])
@pytest.mark.parametrize("recipe", [*(rendition(mode) for mode in MODES), rendition(box=2000), rendition(None)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_picture_becomes_no_rendition(kept: float | str, recipe: Rendition, progressive: bool) -> None:
    # Portrait, so that a centred crop would not need the rows that are missing.
    body = photo(3, 480, 800, progressive=progressive)
    cut = body[:-4] if isinstance(kept, str) else body[: int(kept * len(body))]
    assert failure(cut, recipe).reason is Reason.CORRUPT


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("look", [{}, {"grey": True}, {"progressive": True}, {"orientation": 6}], ids=str)
@pytest.mark.parametrize(("size", "form"), [((640, 480), "png"), ((360, 640), "jpg")])
def test_both_decoders_give_the_same_picture(
    mode: ResizeMode, look: dict[str, object], size: tuple[int, int], form: str
) -> None:
    picture = inspect(photo(4, *size, **look))  # type: ignore[arg-type]
    assert isinstance(picture, Picture)
    assert picture.is_plain_jpeg
    ours = render(picture, [rendition(mode, 200, form)])
    theirs = render(replace(picture, is_plain_jpeg=False), [rendition(mode, 200, form)])
    assert isinstance(ours, list)
    assert isinstance(theirs, list)
    assert replace(ours[0], body=b"") == replace(theirs[0], body=b"")
    one, other = (opened(result[0]).convert("RGB") for result in (ours, theirs))
    assert _difference(one, other) < 1.5  # of 255: as much as scaling in the decoder by another eighth makes


@pytest.mark.parametrize(("box", "is_halved"), [(224, True), (229, True), (230, False), (212, None)])
def test_fast_scaling_leaves_more_to_the_decoder(box: int, is_halved: bool | None) -> None:
    body = photo(2, 640, 480, quality=85)
    faithful = opened(rendered(body, rendition(box=box, form="png")))
    fast = opened(rendered(body, replace(rendition(box=box, form="png"), scaling=Scaling.FAST)))
    assert fast.size == faithful.size
    assert (fast.tobytes() != faithful.tobytes()) == (is_halved is True)  # both decode to half the size if it is None
    assert ImageStat.Stat(ImageChops.difference(fast, faithful)).mean[0] < 4


def test_the_most_faithful_rendition_decides_the_scale_for_all() -> None:
    picture = inspect(photo(2, 640, 480, quality=85))
    assert isinstance(picture, Picture)
    fast = replace(rendition(box=224), scaling=Scaling.FAST)
    made = render(picture, [fast, rendition(box=224)])
    assert isinstance(made, list)
    assert made[0] == made[1] == rendered(picture.body, rendition(box=224))


def test_trailing_bytes_do_no_harm() -> None:
    rendered(photo(1, 300, 200) + b"\0" * 1000, rendition())


@pytest.mark.parametrize("body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"", b"\xff"])
def test_only_known_formats_are_opened(body: bytes) -> None:
    assert failure(body, rendition()).reason is Reason.NOT_AN_IMAGE


def test_a_header_without_a_picture_is_corrupt() -> None:
    assert failure(b"\xff\xd8\xff\xe0" + b"nothing" * 10, rendition()).reason is Reason.CORRUPT


def test_a_pixel_bomb_is_refused_from_its_header() -> None:
    body = bytearray(photo(1, 64, 48))
    at = body.index(b"\xff\xc0")
    body[at + 5 : at + 9] = (64250).to_bytes(2, "big") * 2
    picture = inspect(bytes(body))
    assert isinstance(picture, Failure)
    assert picture.reason is Reason.TOO_LARGE
    assert str(MAX_PIXELS) in picture.detail


def test_a_complete_picture_passes_the_decode_check() -> None:
    for body in (
        photo(1, 300, 200),
        saved(Pillow.new("RGB", (30, 20)), "PNG"),
        saved(Pillow.new("P", (30, 20)), "GIF"),
    ):
        picture = inspect(body)
        assert isinstance(picture, Picture)
        assert decode_check(picture) is None


def test_what_cannot_be_saved_is_said_beforehand() -> None:
    assert unsupported_reason(rendition(form="jpg", quality=50)) is None
    assert "xyz" in str(unsupported_reason(rendition(form="xyz")))
    assert "no quality" in str(unsupported_reason(rendition(form="png", quality=50)))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("mode", MODES)
def test_a_large_one_is_computed_in_strips_and_looks_as_if_it_were_not(mode: ResizeMode, orientation: int) -> None:
    body = photo(3, 900, 700, orientation=orientation)
    recipe = rendition(mode, 391)  # no whole number of strips
    at_once = numpy.array(opened(rendered(body, replace(recipe, format="png"))))
    assert rendered(body, recipe).body == turbo.encode(at_once, 75)
