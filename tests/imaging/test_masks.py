"""Masks land on their objects, pixel by pixel, and pycocotools reads the written ones."""

import io
import random
import struct
import zlib
from itertools import product

import numpy
import pytest
from pictures import COLOURS, ROTATIONS, check_mask, drawn, mask_of, saved
from PIL import Image as Pillow
from pycocotools import mask as coco_mask

from oidl.imaging.boxes import Transform, compose_orientations, transform_point, upright_point
from oidl.imaging.geometry import BY_ROTATION
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.masks import MAX_MASK_PIXELS, Mask, Pixels, read_mask, transform_mask
from oidl.imaging.rendition import Rendered, render
from oidl.model import Failure, Orientation, Reason, Rendition, ResizeMode

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

ORIENTATIONS = range(1, 9)


def as_png(image: Pillow.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def decoded(mask: Mask) -> Pixels:
    """The mask as pycocotools reads it; it is asked for area and box too."""
    rle = {"size": [mask.height, mask.width], "counts": mask.counts}
    pixels: Pixels = coco_mask.decode(rle).astype(bool)
    rle["counts"] = mask.counts.encode()
    assert coco_mask.area(rle) == mask.area
    assert list(coco_mask.toBbox(rle)) == [mask.left, mask.top, mask.box_width, mask.box_height]
    return pixels


def read(body: bytes) -> Pixels:
    pixels = read_mask(body)
    assert not isinstance(pixels, Failure), pixels
    return pixels


def rendered(body: bytes, mode: ResizeMode, orientation: Orientation, rotation: int) -> Rendered:
    picture = inspect(body)
    assert isinstance(picture, Picture)
    recipe = Rendition("r", "r", mode, 120, "png", background="00ff00", orientation=orientation)
    result = render(picture, [recipe], rotation)
    assert isinstance(result, list), result
    return result[0]


def check_masks(file: Rendered, scale: float, prerotation: int = 1) -> None:
    """Asserts that masks in a file have the pixels of their objects."""
    picture = Pillow.open(io.BytesIO(file.body))
    turns = compose_orientations(prerotation, file.orientation)
    where = Transform(turns, file.scaled_width, file.scaled_height, file.left, file.top, file.width, file.height)
    for name in COLOURS:
        found = transform_mask(read(mask_of(name, scale)), where)
        assert found
        check_mask(picture, name, decoded(found))


@pytest.mark.parametrize("mode", ResizeMode)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_of_any_resolution_land_on_what_exif_turned(mode: ResizeMode, orientation: int) -> None:
    file = rendered(saved(drawn(), orientation), mode, Orientation.EXIF, 0)
    for scale in (0.5, 1.0, 1.75):
        check_masks(file, scale)


@pytest.mark.parametrize("mode", ResizeMode)
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_masks_land_on_what_the_published_rotation_turned(mode: ResizeMode, rotation: int) -> None:
    check_masks(rendered(saved(drawn(), 3), mode, Orientation.DATASET, rotation), 1.0)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_masks_are_turned_twice_where_the_picture_came_turned(rotation: int, orientation: int) -> None:
    file = rendered(saved(drawn().transpose(ROTATIONS[rotation]), orientation), ResizeMode.BORDER, Orientation.EXIF, 0)
    check_masks(file, 1.0, BY_ROTATION[rotation])


def nearest(pixels: Pixels, where: Transform) -> Pixels:
    """What `transform_mask` is to say, pixel by pixel, by the published point that each pixel's middle comes from."""
    height, width = pixels.shape
    found = numpy.zeros((where.height, where.width), bool)
    for (y, x), is_set in numpy.ndenumerate(pixels):
        if is_set:
            one = upright_point(x / width, y / height, where.orientation)
            other = upright_point((x + 1) / width, (y + 1) / height, where.orientation)
            (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
            for row, column in product(range(where.height), range(where.width)):
                across = (column + where.left + 0.5) / where.scaled_width
                down = (row + where.top + 0.5) / where.scaled_height
                if left <= across < right and top <= down < bottom:
                    found[row, column] = True
    return found


@pytest.mark.parametrize("seed", range(60))
def test_any_mask_is_placed_by_the_nearest_pixel(seed: int) -> None:
    rng = random.Random(seed)
    # Sizes without a common factor: no middle of a pixel lies on an edge, where floats would not know the side.
    width, height = rng.choice((3, 5, 7, 9)), rng.choice((3, 5, 7, 9))
    pixels = numpy.array([[rng.random() < 0.4 for _ in range(width)] for _ in range(height)])
    scaled_width, scaled_height = rng.choice((2, 4, 8, 16)), rng.choice((2, 4, 8, 16))
    left, top = rng.randint(-3, scaled_width - 1), rng.randint(-3, scaled_height - 1)
    out_width, out_height = rng.randint(1, scaled_width + 3), rng.randint(1, scaled_height + 3)
    where = Transform(rng.choice(ORIENTATIONS), scaled_width, scaled_height, left, top, out_width, out_height)
    found, expected = transform_mask(pixels, where), nearest(pixels, where)
    if found is None:
        assert not expected.any()
    else:
        assert (decoded(found) == expected).all()


@pytest.mark.parametrize("seed", range(60))
def test_run_lengths_are_those_of_pycocotools(seed: int) -> None:
    rng = numpy.random.default_rng(seed)
    height, width = rng.integers(1, 200, 2)
    pixels = rng.random((height, width)) < rng.choice([0.001, 0.1, 0.5, 0.99, 1.0])
    for _ in range(int(rng.integers(0, 3))):  # runs that are long, and that go on from column to column
        left, right = sorted(rng.integers(0, width + 1, 2))
        pixels[:, left:right] = True
    found = transform_mask(pixels, Transform(1, width, height, 0, 0, width, height))
    expected = coco_mask.encode(numpy.asfortranarray(pixels, dtype=numpy.uint8))
    if found is None:
        assert not pixels.any()
    else:
        assert found.counts == expected["counts"].decode()
        assert (decoded(found) == pixels).all()


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (20_000, 3)])
def test_long_runs_are_written_in_as_many_characters_as_they_take(width: int, height: int) -> None:
    pixels = numpy.zeros((height, width), bool)
    pixels[height // 2, width // 2 :] = True
    found = transform_mask(pixels, Transform(1, width, height, 0, 0, width, height))
    assert found
    assert (decoded(found) == pixels).all()


def test_a_mask_is_of_the_object_where_a_crop_left_it() -> None:
    pixels = numpy.zeros((4, 6), bool)
    pixels[1:3, 0:2] = True
    assert transform_mask(pixels, Transform(1, 6, 4, 2, 0, 4, 4)) is None
    found = transform_mask(pixels, Transform(1, 6, 4, 1, 0, 4, 4))
    assert found
    assert (found.left, found.top, found.box_width, found.box_height, found.area) == (0, 1, 1, 2, 2)


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("1", 1),
        ("L", 255),
        ("L", 1),
        ("P", 7),
        ("RGB", (0, 0, 9)),
        ("RGBA", (9, 0, 0, 255)),
        ("LA", (3, 255)),
        ("I;16", 1),
    ],
)
def test_every_pixel_that_is_not_black_is_set_in_a_png_of_any_kind(mode: str, colour: object) -> None:
    image = Pillow.new(mode, (8, 6), (0,) * len(colour) if isinstance(colour, tuple) else 0)
    if mode in ("RGBA", "LA"):
        image.putalpha(255)  # black, and yet nowhere transparent
    if mode == "P":
        image.putpalette([0, 0, 0] * 7 + [10, 20, 30])
    for x, y in product((2, 3), (4, 5)):
        image.putpixel((x, y), colour)  # type: ignore[arg-type]
    pixels = read(as_png(image))
    assert pixels.shape == (6, 8)
    assert sorted(zip(*pixels.nonzero(), strict=True)) == [(4, 2), (4, 3), (5, 2), (5, 3)]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.NOT_AN_IMAGE),
        (b"<html>", Reason.NOT_AN_IMAGE),
        (saved(drawn()), Reason.NOT_AN_IMAGE),
        (mask_of("red")[:40], Reason.CORRUPT),
        (mask_of("red")[:-40], Reason.CORRUPT),
        (mask_of("red")[:60] + b"\xff" * 20 + mask_of("red")[80:], Reason.CORRUPT),
        (huge(60_000, 60_000), Reason.TOO_LARGE),
        (huge(MAX_MASK_PIXELS, 2), Reason.TOO_LARGE),
        (huge(100, 100), Reason.CORRUPT),
    ],
)
def test_what_is_no_sound_mask_is_a_failure(body: bytes, reason: Reason) -> None:
    found = read_mask(body)
    assert isinstance(found, Failure)
    assert found.reason is reason


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_points_go_the_way_of_their_picture(orientation: int) -> None:
    image = Pillow.new("RGB", (60, 40))
    image.putpixel((9, 29), (255, 255, 255))
    file = rendered(saved(image, orientation), ResizeMode.BORDER, Orientation.EXIF, 0)
    where = Transform(orientation, file.scaled_width, file.scaled_height, file.left, file.top, file.width, file.height)
    found = transform_point(9.5 / 60, 29.5 / 40, where)
    assert found
    values = numpy.asarray(Pillow.open(io.BytesIO(file.body)).convert("RGB")).astype(int)
    y, x = numpy.unravel_index((values[:, :, 0] * (values[:, :, 1] < 250)).argmax(), values.shape[:2])
    assert abs(found[0] - x - 0.5) < 2
    assert abs(found[1] - y - 0.5) < 2


def test_a_point_that_was_cut_off_is_nowhere() -> None:
    where = Transform(1, 150, 100, 25, 0, 100, 100)
    assert transform_point(0.1, 0.5, where) is None
    assert transform_point(0.5, 0.25, where) == (50, 25)
