"""Sizes as ImageMagick's geometry gives them."""

import pytest

from oidl.imaging.geometry import geometry
from oidl.model import ResizeMode


@pytest.mark.parametrize(
    ("width", "height", "box", "expected"),
    [
        (640, 480, 224, (224, 168)),
        (480, 640, 224, (168, 224)),
        (100, 50, 224, (100, 50)),
        (1, 5000, 224, (1, 224)),
        (5000, 1, 224, (224, 1)),
        (1000, 333, 224, (224, 75)),
        (224, 224, 224, (224, 224)),
    ],
)
def test_shrink_to_fit_keeps_the_aspect_and_never_enlarges(
    width: int, height: int, box: int, expected: tuple[int, int]
) -> None:
    fitted = geometry(ResizeMode.SHRINK_TO_FIT, width, height, box)
    assert (fitted.width, fitted.height) == (fitted.out_width, fitted.out_height) == expected


@pytest.mark.parametrize(
    ("width", "height", "scaled", "left", "top"),
    [
        (640, 480, (299, 224), 37, 0),
        (480, 640, (224, 299), 0, 37),
        (100, 100, (224, 224), 0, 0),
        (1, 5000, (224, 1_120_000), 0, 559_888),
    ],
)
def test_fill_crop_covers_the_box_and_keeps_the_middle(
    width: int, height: int, scaled: tuple[int, int], left: int, top: int
) -> None:
    filled = geometry(ResizeMode.FILL_CROP, width, height, 224)
    assert (filled.width, filled.height, filled.left, filled.top) == (*scaled, left, top)
    assert (filled.out_width, filled.out_height) == (224, 224)


def test_fill_distort_is_the_box() -> None:
    assert geometry(ResizeMode.FILL_DISTORT, 17, 4000, 224).width == 224
    assert geometry(ResizeMode.FILL_DISTORT, 17, 4000, 224).height == 224
