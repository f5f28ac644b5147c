"""Sizes match ImageMagick's geometry."""

import pytest

from oidl.imaging.geometry import geometry
from oidl.model import ResizeMode

# What ImageMagick 6.9.11 made of pictures of these sizes by `-thumbnail '224x224>'` and `-thumbnail '224x224^'`;
# None where the second was beyond its own limit of 16,000 pixels a side.
IMAGEMAGICK = [
    ((1, 5000), (1, 224), None),
    ((5000, 1), (224, 1), None),
    ((1, 1), (1, 1), (224, 224)),
    ((2, 3), (2, 3), (224, 336)),
    ((3, 2), (3, 2), (336, 224)),
    ((7, 1000), (2, 224), None),
    ((1000, 7), (224, 2), None),
    ((640, 480), (224, 168), (299, 224)),
    ((480, 640), (168, 224), (224, 299)),
    ((641, 479), (224, 167), (300, 224)),
    ((1023, 767), (224, 168), (299, 224)),
    ((333, 1000), (75, 224), (224, 673)),
    ((1000, 333), (224, 75), (673, 224)),
    ((223, 225), (222, 224), (224, 226)),
    ((224, 225), (223, 224), (224, 225)),
    ((225, 224), (224, 223), (225, 224)),
    ((449, 448), (224, 224), (225, 224)),
    ((1999, 1501), (224, 168), (298, 224)),
    ((101, 10), (101, 10), (2262, 224)),
    ((10, 101), (10, 101), (224, 2262)),
    ((17, 4001), (1, 224), None),
    ((4001, 17), (224, 1), None),
    ((3000, 2001), (224, 149), (336, 224)),
    ((2001, 3000), (149, 224), (224, 336)),
    ((999, 998), (224, 224), (224, 224)),
    ((1, 224), (1, 224), None),
    ((225, 1), (224, 1), None),
    ((768, 1365), (126, 224), (224, 398)),
    ((1365, 768), (224, 126), (398, 224)),
    ((2560, 1079), (224, 94), (531, 224)),
]


@pytest.mark.parametrize(("size", "shrunk", "covering"), IMAGEMAGICK)
def test_sizes_are_imagemagicks(
    size: tuple[int, int], shrunk: tuple[int, int], covering: tuple[int, int] | None
) -> None:
    fitted = geometry(ResizeMode.SHRINK_TO_FIT, *size, 224)
    assert (fitted.width, fitted.height) == (fitted.out_width, fitted.out_height) == shrunk
    filled = geometry(ResizeMode.FILL_CROP, *size, 224)
    assert covering is None or (filled.width, filled.height) == covering
    assert min(filled.width, filled.height) == 224 == filled.out_width == filled.out_height
    distorted = geometry(ResizeMode.FILL_DISTORT, *size, 224)
    assert (distorted.out_width, distorted.out_height) == (224, 224)


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
