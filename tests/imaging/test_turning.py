"""Which way is up, and what a rotated image keeps: by EXIF, by the published rotation, or not at all."""

import io

import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.model import Crop, Orientation, Rendition, ResizeMode

BOX = 64


def rendition(mode: ResizeMode = ResizeMode.FILL_CROP, orientation: Orientation = Orientation.EXIF) -> Rendition:
    return Rendition("r", "r", mode, BOX, "png", orientation=orientation)


def stored(body: bytes) -> Pillow.Image:
    """The pixels as they lie in the file."""
    return Pillow.open(io.BytesIO(body)).convert("RGB")


def middle(image: Pillow.Image) -> Pillow.Image:
    """The middle square, by the sums of ImageMagick's centred extent."""
    left, top = (image.width - BOX) // 2, (image.height - BOX) // 2
    return image.crop((left, top, left + BOX, top + BOX))


@pytest.mark.parametrize("size", [(101, BOX), (BOX, 101)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_middle_is_that_of_the_upright_picture(
    orientation: int, form: str, size: tuple[int, int], saved, opened, difference
) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    body = saved(stored(photo(2, *size, quality=98)), form, exif=exif, **({"quality": 98} if form == "JPEG" else {}))
    upright = ImageOps.exif_transpose(Pillow.open(io.BytesIO(body))).convert("RGB")
    # Nothing is scaled, so a pixel to the side would be seen.
    assert difference(opened(body, rendition()), middle(upright)) < 0.5
    beside = upright.transform(upright.size, Pillow.Transform.AFFINE, (1, 0, 1, 0, 1, 1))
    assert difference(middle(beside), middle(upright)) > 1  # or the test could not fail


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_dataset_turns_counter_clockwise_whatever_exif_says(rotation: int, opened, difference) -> None:
    body = photo(3, 96, BOX, orientation=6)
    turned = stored(body).rotate(rotation, expand=True)  # counter-clockwise too
    made = opened(body, rendition(orientation=Orientation.DATASET), rotation)
    assert difference(made, middle(turned)) < 0.5
    fitted = opened(body, rendition(ResizeMode.SHRINK_TO_FIT, Orientation.DATASET), rotation)
    assert (fitted.width > fitted.height) == (turned.width > turned.height)


def test_what_is_to_be_kept_as_stored_is(opened, difference) -> None:
    body = photo(3, 96, BOX, orientation=6)
    assert difference(opened(body, rendition(orientation=Orientation.KEEP), 90), middle(stored(body))) < 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_how_a_file_came_out_of_the_stored_picture_is_told(orientation: int) -> None:
    picture = inspect(photo(4, 300, 200, orientation=orientation))
    assert isinstance(picture, Picture)
    made = render(picture, [rendition()])
    assert isinstance(made, list)
    (crop,) = made
    assert (crop.width, crop.height, crop.orientation) == (BOX, BOX, orientation)
    assert (crop.scaled_width, crop.scaled_height, crop.left, crop.top) == (96, BOX, 16, 0)


def test_the_eye_is_caught_by_what_stands_out(saved, opened) -> None:
    image = Pillow.new("RGB", (400, 100), (120, 120, 120))
    image.paste(Pillow.effect_noise((60, 60), 90).convert("RGB"), (330, 20))
    image.paste((230, 40, 30), (345, 35, 375, 65))
    body = saved(image, quality=95)
    by_eye = Rendition("r", "r", ResizeMode.FILL_CROP, BOX, "png", crop=Crop.ATTENTION)
    red = [opened(body, each).getextrema()[0][1] for each in (by_eye, rendition())]
    assert red[0] > 200
    assert red[1] < 150
