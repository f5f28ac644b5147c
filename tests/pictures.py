"""Pictures with coloured rectangles at known places, and a check that a box in a file made of one contains its own."""

import io
import itertools
import math

import numpy
from PIL import Image as Pillow
from PIL import ImageDraw

WIDTH, HEIGHT = 600, 400
# Left, top, right, bottom of each object on the stored picture; no turn of it looks like another.
OBJECTS = {"red": (60, 40, 300, 140), "blue": (330, 200, 510, 360)}
COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
# What a published rotation, in degrees counter-clockwise, does to a picture.
ROTATIONS = {90: Pillow.Transpose.ROTATE_90, 180: Pillow.Transpose.ROTATE_180, 270: Pillow.Transpose.ROTATE_270}
_NEAR_PX = 2


def drawn() -> Pillow.Image:
    """The stored picture, grey but for its objects."""
    picture = Pillow.new("RGB", (WIDTH, HEIGHT), (128, 128, 128))
    draw = ImageDraw.Draw(picture)
    for name, (left, top, right, bottom) in OBJECTS.items():
        draw.rectangle((left, top, right - 1, bottom - 1), COLOURS[name])
    return picture


def saved(picture: Pillow.Image, orientation: int = 1) -> bytes:
    """A JPEG of these very pixels, with an EXIF `orientation`."""
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return buffer.getvalue()


def mask_of(name: str, scale: float = 1.0) -> bytes:
    """An object's mask as it would be published: a PNG, here `scale` times as large as the stored picture."""
    mask = Pillow.new("1", (round(WIDTH * scale), round(HEIGHT * scale)))
    left, top, right, bottom = (round(side * scale) for side in OBJECTS[name])
    ImageDraw.Draw(mask).rectangle((left, top, right - 1, bottom - 1), 1)
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def check_mask(picture: Pillow.Image, name: str, mask: numpy.ndarray) -> None:
    """Asserts that `mask[y, x]` is the pixels of the object's colour, except within 2 px of its edges."""
    pixels = numpy.asarray(picture.convert("RGB")).astype(int)
    matches = (abs(pixels - COLOURS[name]) < 60).all(axis=2)
    is_edge = numpy.zeros_like(matches)
    for down, across in itertools.product(range(-_NEAR_PX, _NEAR_PX + 1), repeat=2):
        is_edge |= numpy.roll(matches, (down, across), (0, 1)) != matches
    assert mask.shape == matches.shape
    assert (mask == matches)[~is_edge].all(), f"the mask of {name} is not its pixels"
    assert (mask & ~is_edge).sum() > 100, f"too little of {name} is left to tell"


def sides(name: str) -> tuple[float, float, float, float]:
    """An object's box as it would be published: XMin, XMax, YMin, YMax."""
    left, top, right, bottom = OBJECTS[name]
    return left / WIDTH, right / WIDTH, top / HEIGHT, bottom / HEIGHT


def check_box(picture: Pillow.Image, name: str, left: float, top: float, right: float, bottom: float) -> None:
    """Asserts that the box holds nothing but the object's colour, and no pixel outside of it does, to within 2 px."""
    pixels = numpy.asarray(picture.convert("RGB")).astype(int)
    matches = (abs(pixels - COLOURS[name]) < 60).all(axis=2)
    rows, columns = numpy.indices(matches.shape)

    def within(margin: int) -> numpy.ndarray:
        return (
            (rows >= math.floor(top) - margin)
            & (rows < math.ceil(bottom) + margin)
            & (columns >= math.floor(left) - margin)
            & (columns < math.ceil(right) + margin)
        )

    inside = within(-_NEAR_PX)
    assert inside.any(), f"the box {left, top, right, bottom} is too small to look into"
    assert matches[inside].all(), f"{name} is not all over its box {left, top, right, bottom}"
    assert not matches[~within(_NEAR_PX)].any(), f"{name} is outside its box {left, top, right, bottom}"
