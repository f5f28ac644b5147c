"""The position of a published box in a file that was made from its picture. Pure.

Open Images gives boxes as shares of width and height, "and the degrees
(counter-clockwise) that the image and boxes should be rotated": so boxes refer to
the pixels of the original as stored, before a rotation by EXIF or by `Rotation`.
A box gets the same transform as its picture, which is recorded with the file:
turned, scaled, then cropped or bordered.
"""

from collections.abc import Callable
from dataclasses import dataclass

_LEAST_PX = 0.01  # a shorter side would be printed as 0

# From the point (x, y) of the stored picture, both 0 to 1, to that of the upright one: Exif 2.32, 4.6.4.
_TURNS: dict[int, Callable[[float, float], tuple[float, float]]] = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}


@dataclass(frozen=True, slots=True)
class Transform:
    """How a file was made from a published picture: turned by `orientation` (EXIF's 1–8), scaled, cropped or bordered.

    Sizes are pixels; `left` and `top` were cropped off, or are borders if negative.
    """

    orientation: int
    scaled_width: int
    scaled_height: int
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box in a file, in pixels from the top left corner; `visible` is the share of the box that is in the file."""

    left: float
    top: float
    right: float
    bottom: float
    visible: float

    @property
    def width(self) -> float:
        """In pixels, more than 0."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels, more than 0."""
        return self.bottom - self.top


def compose_orientations(first: int, then: int) -> int:
    """The single orientation that has the effect of `first` and `then`, one after the other."""
    corner = (0.25, 0.0)  # all eight turns move it to different places
    goal = _TURNS[then](*_TURNS[first](*corner))
    return next(orientation for orientation, turn in _TURNS.items() if turn(*corner) == goal)


def as_exif_turns(whole: Transform, orientation: int) -> Transform:
    """The transform of a whole picture after a reader, such as a browser, turns it by its EXIF `orientation`."""
    width, height = (whole.height, whole.width) if orientation >= 5 else (whole.width, whole.height)
    return Transform(compose_orientations(whole.orientation, orientation), width, height, 0, 0, width, height)


def upright_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    """The position in the upright picture of a point in the stored one, both 0 to 1."""
    return _TURNS[orientation](x, y)


def transform_point(x: float, y: float, transform: Transform) -> tuple[float, float] | None:
    """The position of a published point (both 0 to 1) in the file, in pixels; None if it was cropped off."""
    x, y = upright_point(x, y, transform.orientation)
    left, top = x * transform.scaled_width - transform.left, y * transform.scaled_height - transform.top
    return (left, top) if 0 <= left <= transform.width and 0 <= top <= transform.height else None


def transform_box(x_min: float, x_max: float, y_min: float, y_max: float, transform: Transform) -> PlacedBox | None:
    """The position in the file of a box with these published sides (0 to 1); None if no part of it is left."""
    turn = _TURNS[transform.orientation]
    one, other = turn(x_min, y_min), turn(x_max, y_max)
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    left, right = (x * transform.scaled_width - transform.left for x in (left, right))
    top, bottom = (y * transform.scaled_height - transform.top for y in (top, bottom))
    kept_left, kept_right = max(left, 0.0), min(right, float(transform.width))
    kept_top, kept_bottom = max(top, 0.0), min(bottom, float(transform.height))
    if kept_right - kept_left < _LEAST_PX or kept_bottom - kept_top < _LEAST_PX:
        return None
    visible = (kept_right - kept_left) * (kept_bottom - kept_top) / ((right - left) * (bottom - top))
    return PlacedBox(kept_left, kept_top, kept_right, kept_bottom, visible)
