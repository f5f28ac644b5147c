"""Boxes land on their objects: in images with coloured rectangles, rendered for real, the box contains the colour."""

import io

import pytest
from pictures import ROTATIONS, check_box, drawn, saved, sides
from PIL import Image as Pillow
from PIL import ImageDraw

from oidl.imaging.boxes import PlacedBox, Transform, compose_orientations, transform_box
from oidl.imaging.convert import converted
from oidl.imaging.geometry import BY_ROTATION
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.rendition import Rendered, render
from oidl.model import Crop, Orientation, Rendition, ResizeMode, Validation

MODES = list(ResizeMode)


def rendered(body: bytes, recipe: Rendition, rotation: int = 0) -> Rendered:
    picture = inspect(body)
    assert isinstance(picture, Picture)
    result = render(picture, [recipe], rotation)
    assert isinstance(result, list), result
    return result[0]


def recipe(mode: ResizeMode | None, box: int = 240, **more: object) -> Rendition:
    return Rendition("r", "r", mode, box, "png", background="00ff00", **more)  # type: ignore[arg-type]


def transform_of(file: Rendered, prerotation: int = 1) -> Transform:
    return Transform(
        compose_orientations(prerotation, file.orientation),
        file.scaled_width, file.scaled_height, file.left, file.top, file.width, file.height,
    )  # fmt: skip


def boxes(where: Transform) -> dict[str, PlacedBox]:
    found = {name: transform_box(*sides(name), where) for name in ("red", "blue")}
    return {name: box for name, box in found.items() if box}


def check(body: bytes, where: Transform) -> int:
    """Asserts that the boxes in a file lie on their objects; returns how many there are."""
    picture = Pillow.open(io.BytesIO(body))
    assert picture.size == (where.width, where.height)
    found = boxes(where)
    for name, box in found.items():
        check_box(picture, name, box.left, box.top, box.right, box.bottom)
    return len(found)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_land_on_what_exif_turned(mode: ResizeMode, orientation: int) -> None:
    file = rendered(saved(drawn(), orientation), recipe(mode, box=120))
    assert file.orientation == orientation
    assert check(file.body, transform_of(file)) == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_boxes_land_on_what_the_published_rotation_turned(mode: ResizeMode, rotation: int) -> None:
    # The tag says something else, and is not what counts here.
    file = rendered(saved(drawn(), 3), recipe(mode, box=120, orientation=Orientation.DATASET), rotation)
    assert check(file.body, transform_of(file)) == 2
    if mode is ResizeMode.FILL_DISTORT:  # Pillow, too, turns counter-clockwise
        buffer = io.BytesIO()
        drawn().transpose(ROTATIONS[rotation]).resize((120, 120)).save(buffer, "PNG")
        assert check(buffer.getvalue(), transform_of(file)) == 2


@pytest.mark.parametrize("mode", MODES)
def test_boxes_land_on_what_was_kept_as_stored(mode: ResizeMode) -> None:
    file = rendered(saved(drawn(), 6), recipe(mode, orientation=Orientation.KEEP), 90)
    assert file.orientation == 1
    assert check(file.body, transform_of(file)) == 2


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_boxes_are_turned_twice_where_the_picture_came_turned(rotation: int, orientation: int) -> None:
    file = rendered(saved(drawn().transpose(ROTATIONS[rotation]), orientation), recipe(ResizeMode.BORDER, 120))
    assert check(file.body, transform_of(file, BY_ROTATION[rotation])) == 2


def test_a_crop_that_looks_for_something_is_followed() -> None:
    busy = drawn()
    ImageDraw.Draw(busy).ellipse((480, 10, 590, 120), (255, 210, 60), (40, 20, 0), 8)
    file = rendered(saved(busy), recipe(ResizeMode.FILL_CROP, 150, crop=Crop.ATTENTION))
    assert file.left != (file.scaled_width - file.width) // 2
    assert check(file.body, transform_of(file)) >= 1


def test_a_crop_cuts_boxes_and_drops_what_is_outside() -> None:
    # 600 × 400 covers 100 × 100 as 150 × 100, of which 25 go on either side.
    where = Transform(1, 150, 100, 25, 0, 100, 100)
    assert transform_box(0.1, 0.3, 0.2, 0.4, where) == PlacedBox(
        0, pytest.approx(20), pytest.approx(20), 40, pytest.approx(2 / 3)
    )
    assert transform_box(0.0, 0.16, 0.2, 0.4, where) is None
    assert transform_box(0.0, 1.0, 0.0, 1.0, where) == PlacedBox(0, 0, 100, 100, pytest.approx(2 / 3))


def test_a_box_in_a_border_moves_along() -> None:
    where = Transform(1, 100, 50, 0, -25, 100, 100)
    assert transform_box(0.5, 1.0, 0.0, 0.5, where) == PlacedBox(50, 25, 100, 50, 1)


@pytest.mark.parametrize("sides", [(0.3, 0.3, 0.1, 0.9), (0.1, 0.9, 0.5, 0.5), (0.2, 0.20001, 0.1, 0.9)])
def test_a_box_without_an_area_is_none(sides: tuple[float, float, float, float]) -> None:
    assert transform_box(*sides, Transform(1, 100, 100, 0, 0, 100, 100)) is None


def test_a_box_over_the_edge_is_cut_at_it() -> None:
    assert transform_box(-0.1, 0.4, 0.5, 1.5, Transform(1, 100, 100, 0, 0, 100, 100)) == PlacedBox(
        0, 50, 40, 100, pytest.approx(0.4)
    )


def test_bytes_that_were_copied_and_originals_that_were_converted_are_placed_too() -> None:
    same = rendered(saved(drawn()), Rendition("r", "r", ResizeMode.SHRINK_TO_FIT, 600, "jpg"))
    assert check(same.body, transform_of(same)) == 2
    picture = inspect(saved(drawn().convert("CMYK"), 6))
    assert isinstance(picture, Picture)
    whole = converted(picture, "ffffff", Validation.DECODE)
    assert isinstance(whole, Rendered)
    assert boxes(transform_of(whole))["red"] == PlacedBox(260, 60, 360, 300, pytest.approx(1))
