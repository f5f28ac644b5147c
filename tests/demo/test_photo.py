"""Made-up photos: the requested size and form, and always the same bytes."""

import io

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageOps, ImageStat

from oidl.imaging.inspect import Picture, decode_check, inspect
from oidl.imaging.photo import photo

ORIENTATION_TAG = 0x0112


def opened(body: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(body))


def test_the_same_seed_makes_the_same_bytes_and_another_does_not() -> None:
    assert photo(7, 320, 240) == photo(7, 320, 240)
    assert photo(7, 320, 240) != photo(8, 320, 240)


@pytest.mark.parametrize("size", [(640, 480), (300, 500), (1280, 97), (16, 16)])
def test_a_photo_is_a_whole_jpeg_of_the_size_asked_for(size: tuple[int, int]) -> None:
    picture = inspect(photo(1, *size))
    assert isinstance(picture, Picture)
    assert (picture.format, picture.width, picture.height, picture.is_srgb) == ("jpeg", *size, True)
    assert decode_check(picture) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_once_its_orientation_is_applied(orientation: int) -> None:
    turned = opened(photo(5, 320, 200, orientation=orientation, quality=95))
    assert turned.getexif().get(ORIENTATION_TAG, 1) == orientation
    upright = ImageOps.exif_transpose(turned)
    plain = opened(photo(5, 320, 200, quality=95))
    assert upright.size == (320, 200)
    assert max(ImageStat.Stat(ImageChops.difference(upright, plain)).mean) < 3


def test_a_grey_photo_has_one_band() -> None:
    assert opened(photo(2, 100, 80, grey=True)).mode == "L"


def test_a_cmyk_photo_has_four_bands_and_the_same_view() -> None:
    printed = opened(photo(2, 100, 80, cmyk=True, quality=95))
    assert printed.mode == "CMYK"
    plain = opened(photo(2, 100, 80, quality=95))
    assert max(ImageStat.Stat(ImageChops.difference(printed.convert("RGB"), plain)).mean) < 5


def test_a_progressive_photo_is_one() -> None:
    assert opened(photo(2, 100, 80, progressive=True)).info.get("progressive")
    assert not opened(photo(2, 100, 80)).info.get("progressive")


def test_a_photo_has_about_as_many_bytes_a_pixel_as_a_camera_s() -> None:
    sizes = [len(photo(seed, 640, 480)) / (640 * 480) for seed in range(5)]
    assert all(0.15 < size < 0.6 for size in sizes), sizes
