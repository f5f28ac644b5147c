"""Shapes on made-up photos: their description matches the pixels."""

import io

import numpy
import pytest
from PIL import Image as Pillow

from oidl.imaging.photo import photo
from oidl.imaging.shapes import Place, Seen, Shape, seen
from oidl.imaging.silhouettes import SILHOUETTES

RED = (220, 20, 30)
BLUE = (20, 40, 230)
SIZE = (320, 240)


def pixels(body: bytes) -> numpy.ndarray:
    return numpy.asarray(Pillow.open(io.BytesIO(body)).convert("RGB")).astype(int)


def mask(shown: Seen) -> numpy.ndarray:
    return numpy.asarray(Pillow.open(io.BytesIO(shown.mask)))


def is_near(found: numpy.ndarray, colour: tuple[int, int, int], distance: int = 60) -> numpy.ndarray:
    return numpy.abs(found - numpy.array(colour)).max(axis=-1) < distance


def only(*shapes: Shape, orientation: int = 1) -> tuple[Seen, ...]:
    found = seen(shapes, *SIZE, orientation)
    assert all(found)
    return tuple(shown for shown in found if shown is not None)


@pytest.mark.parametrize("name", SILHOUETTES)
def test_a_silhouette_reaches_the_sides_of_its_place_and_has_its_own_colour_in_the_middle(name: str) -> None:
    shape = Shape(name, RED, (Place(0.25, 0.25, 0.5, 0.5),))
    (shown,) = only(shape)
    assert (shown.left, shown.top, shown.right, shown.bottom) == pytest.approx((80, 60, 240, 180), abs=1)
    assert mask(shown)[120, 160]
    body = photo(4, *SIZE, quality=95, shapes=[shape])
    assert is_near(pixels(body)[120, 160], RED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_and_boxes_lie_on_the_stored_pixels_of_the_shape(orientation: int) -> None:
    shape = Shape("fish", RED, (Place(0.1, 0.2, 0.3, 0.4),))
    found = is_near(pixels(photo(4, *SIZE, quality=100, orientation=orientation, shapes=[shape])), RED)
    (shown,) = only(shape, orientation=orientation)
    ours = mask(shown)
    assert ours.shape == found.shape
    assert (ours & found).sum() / (ours | found).sum() > 0.93  # the eye is darker, and colours bleed by a pixel
    rows, columns = numpy.flatnonzero(found.any(1)), numpy.flatnonzero(found.any(0))
    box = (shown.left, shown.top, shown.right, shown.bottom)
    assert box == pytest.approx((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), abs=1)
    assert ours.sum() == shown.pixels == shown.all_pixels


def test_extreme_points_are_on_the_shape_at_the_sides_of_its_box() -> None:
    (shown,) = only(Shape("airplane", RED, (Place(0.2, 0.3, 0.5, 0.4),)))
    top, left, bottom, right = [(int(x * SIZE[0]), int(y * SIZE[1])) for x, y in shown.extremes]
    assert (top[1], left[0], bottom[1] + 1, right[0] + 1) == (shown.top, shown.left, shown.bottom, shown.right)
    assert all(mask(shown)[y, x] for x, y in (top, left, bottom, right))


def test_what_is_behind_another_shape_is_in_no_mask_but_the_other_s() -> None:
    behind = Shape("ball", RED, (Place(0.2, 0.2, 0.3, 0.4),))
    before = Shape("house", BLUE, (Place(0.35, 0.3, 0.3, 0.4),))
    one, other = only(behind, before)
    assert not (mask(one) & mask(other)).any()
    assert one.pixels < one.all_pixels
    assert other.pixels == other.all_pixels
    found = pixels(photo(4, *SIZE, quality=100, shapes=[behind, before]))
    assert is_near(found[mask(one)], RED).mean() > 0.8
    assert is_near(found[mask(other)], BLUE).mean() > 0.7  # windows and a door are darker


def test_a_shape_is_cut_off_at_the_edge_and_none_beyond_it() -> None:
    cut, gone = seen(
        [Shape("car", RED, (Place(0.8, 0.5, 0.4, 0.2),)), Shape("car", RED, (Place(1.2, 0.5, 0.4, 0.2),))], *SIZE
    )
    assert gone is None
    assert cut is not None
    assert (cut.left, cut.right) == (256, 320)
    assert mask(cut).shape == (240, 320)


def test_a_group_has_one_box_around_all_and_a_drawing_none_around_its_sheet() -> None:
    places = (Place(0.1, 0.1, 0.2, 0.2), Place(0.5, 0.5, 0.2, 0.2))
    group = Shape("orange", RED, places)
    drawing = Shape("orange", BLUE, (Place(0.6, 0.1, 0.2, 0.2),), sheet=Place(0.55, 0.05, 0.3, 0.3))
    one, other = only(group, drawing)
    assert (one.left, one.top, one.right, one.bottom) == pytest.approx((32, 24, 224, 168), abs=1)
    assert (other.left, other.top, other.right, other.bottom) == pytest.approx((192, 24, 256, 72), abs=1)
    assert is_near(pixels(photo(4, *SIZE, quality=95, shapes=[group, drawing]))[18, 190], (244, 240, 228))


def test_a_small_copy_has_the_same_shapes() -> None:
    shape = Shape("boat", RED, (Place(0.3, 0.3, 0.4, 0.4),))
    large = Pillow.open(io.BytesIO(photo(4, 640, 480, quality=95, shapes=[shape]))).resize(SIZE)
    small = pixels(photo(4, *SIZE, quality=95, shapes=[shape]))
    one, other = is_near(numpy.asarray(large).astype(int), RED), is_near(small, RED)
    assert (one & other).sum() / (one | other).sum() > 0.9
