"""Where a published box lies in a file that was made of its picture. Pure.

Open Images gives boxes as shares of width and height, "and the degrees
(counter-clockwise) that the image and boxes should be rotated": so boxes lie on
the pixels of the original as they are stored, before anything is turned, be it by
EXIF or by `Rotation`. A box goes the way of its picture, as the row of its file
has it: turned, scaled, then cut or bordered.
"""

from collections.abc import Callable
from dataclasses import dataclass

_LEAST_PX = 0.01  # a side that is shorter would be printed as none

# Where the point (x, y) of the stored picture, both 0 to 1, is in the upright one: Exif 2.32, 4.6.4.
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
    """How a file came out of a published picture: turned by `orientation` (EXIF's 1–8), scaled, then cut or bordered.

    Sizes are pixels; `left` and `top` were cut off, or are borders where negative.
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
    """A box within a file, in pixels from its left top corner; `visible` is the share of it that is left."""

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
    """The one orientation that turns a picture as `first` and `then`, one after the other, do."""
    corner = (0.25, 0.0)  # its way tells all eight turns apart
    goal = _TURNS[then](*_TURNS[first](*corner))
    return next(orientation for orientation, turn in _TURNS.items() if turn(*corner) == goal)


def as_exif_turns(whole: Transform, orientation: int) -> Transform:
    """A whole picture as it is when a reader, such as a browser, has turned it by its EXIF `orientation`."""
    width, height = (whole.height, whole.width) if orientation >= 5 else (whole.width, whole.height)
    return Transform(compose_orientations(whole.orientation, orientation), width, height, 0, 0, width, height)


def turned_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Where a point of the stored picture, both 0 to 1, is in the upright one."""
    return _TURNS[orientation](x, y)


def placed_point(x: float, y: float, placing: Transform) -> tuple[float, float] | None:
    """The published point (both 0 to 1) where it lies in the file, in pixels; None if that was cut off."""
    x, y = turned_point(x, y, placing.orientation)
    left, top = x * placing.scaled_width - placing.left, y * placing.scaled_height - placing.top
    return (left, top) if 0 <= left <= placing.width and 0 <= top <= placing.height else None


def placed(x_min: float, x_max: float, y_min: float, y_max: float, placing: Transform) -> PlacedBox | None:
    """The box with these published sides (0 to 1) where it lies in the file; None if nothing of it is left."""
    turn = _TURNS[placing.orientation]
    one, other = turn(x_min, y_min), turn(x_max, y_max)
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    left, right = (x * placing.scaled_width - placing.left for x in (left, right))
    top, bottom = (y * placing.scaled_height - placing.top for y in (top, bottom))
    kept_left, kept_right = max(left, 0.0), min(right, float(placing.width))
    kept_top, kept_bottom = max(top, 0.0), min(bottom, float(placing.height))
    if kept_right - kept_left < _LEAST_PX or kept_bottom - kept_top < _LEAST_PX:
        return None
    visible = (kept_right - kept_left) * (kept_bottom - kept_top) / ((right - left) * (bottom - top))
    return PlacedBox(kept_left, kept_top, kept_right, kept_bottom, visible)
