"""Coloured shapes on a generated photo, and their annotations: box, mask and extreme points.

Places are shares of width and height, so a small copy of a photo has the same
shapes. One map has the visible shape of each pixel; the photo is painted from it
and the boxes and masks are read from it, so they agree to the pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oidl.imaging.png import mask_png
from oidl.imaging.silhouettes import SILHOUETTES, Form

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

_DETAIL = 0.45  # brightness of details relative to their shape
_SHEET: Colour = (244, 240, 228)


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in shares of width and height; parts beyond the photo are not painted."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A silhouette in one colour, once or several times (a group); on a `sheet` of paper if it is a drawing."""

    silhouette: str
    colour: Colour
    places: tuple[Place, ...]
    sheet: Place | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The visible part of a shape on the stored pixels of a photo.

    `left`, `top`, `right`, `bottom` are the sides of its box in pixels, `right` and `bottom` one past the last;
    `extremes` are points in shares: the topmost, leftmost, bottommost and rightmost. `pixels` of `all_pixels`
    are visible, the others are behind another shape. `mask` is a PNG of the photo's size, one bit per pixel.
    """

    left: int
    top: int
    right: int
    bottom: int
    extremes: tuple[Point, Point, Point, Point]
    pixels: int
    all_pixels: int
    mask: bytes


@dataclass(frozen=True, slots=True)
class _Scene:
    """The visible shape (from 1, 0 for none) and colour of each pixel, and the number of pixels of each shape."""

    owner: NDArray[np.uint8]
    ink: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    pixels: tuple[int, ...]


def paint(pixels: NDArray[np.uint8], shapes: Sequence[Shape]) -> None:
    """Paints `shapes`, later ones over earlier ones, on an upright picture of height × width × 3 samples."""
    scene = _scene(shapes, pixels.shape[1], pixels.shape[0])
    ink = scene.ink.reshape(-1)
    painted = np.flatnonzero(ink)
    pixels.reshape(-1, 3)[painted] = scene.palette[ink[painted]]


def seen(shapes: Sequence[Shape], width: int, height: int, orientation: int = 1) -> tuple[Seen | None, ...]:
    """The visible part of each shape on a photo of `width` × `height` pixels after its `orientation` (1–8) is applied.

    None for a shape that is outside the photo, or behind others.
    """
    scene = _scene(shapes, width, height)
    owner = np.ascontiguousarray(_stored(scene.owner, orientation))
    return tuple(_seen(owner, number, pixels) for number, pixels in enumerate(scene.pixels, 1))


def _scene(shapes: Sequence[Shape], width: int, height: int) -> _Scene:
    owner = np.zeros((height, width), np.uint8)
    ink = np.zeros((height, width), np.uint8)
    palette: list[Colour] = [(0, 0, 0), _SHEET]
    counts = []
    for number, shape in enumerate(shapes, 1):
        silhouette = SILHOUETTES[shape.silhouette]
        colour = len(palette)
        dark = tuple(round(value * _DETAIL) for value in shape.colour)
        palette += [shape.colour, (dark[0], dark[1], dark[2])]
        if shape.sheet is not None:
            rows, columns, inside = _filled(SILHOUETTES["sheet"].forms, shape.sheet, width, height)
            owner[rows, columns][inside] = 0
            ink[rows, columns][inside] = 1
        own = np.zeros((height, width), bool)
        for place in shape.places:
            rows, columns, inside = _filled(silhouette.forms, place, width, height)
            own[rows, columns] |= inside
            owner[rows, columns][inside] = number
            ink[rows, columns][inside] = colour
            rows, columns, details = _filled(silhouette.details, place, width, height)
            ink[rows, columns][details & inside] = colour + 1
        counts.append(int(own.sum()))
    return _Scene(owner, ink, np.array(palette, np.uint8), tuple(counts))


def _filled(forms: Sequence[Form], place: Place, width: int, height: int) -> tuple[slice, slice, NDArray[np.bool_]]:
    """The rows and columns of the picture in `place`, and which of these pixels are inside one of `forms`."""
    left, right = round(place.left * width), round((place.left + place.width) * width)
    top, bottom = round(place.top * height), round((place.top + place.height) * height)
    columns, rows = slice(max(0, left), min(width, right)), slice(max(0, top), min(height, bottom))
    # Pixel centres, in the unit square of the silhouette.
    x = (np.arange(columns.start, max(columns.start, columns.stop)) - left + 0.5) / max(1, right - left)
    y = (np.arange(rows.start, max(rows.start, rows.stop)) - top + 0.5) / max(1, bottom - top)
    inside = np.zeros((len(y), len(x)), bool)
    for form in forms:
        if isinstance(form[0], tuple):
            inside |= _in_polygon(x, y, form)
        else:
            centre_x, centre_y, radius_x, radius_y = form
            inside |= ((x - centre_x) / radius_x)[None, :] ** 2 + ((y - centre_y) / radius_y)[:, None] ** 2 <= 1
    return slice(rows.start, rows.start + len(y)), slice(columns.start, columns.start + len(x)), inside


def _in_polygon(x: NDArray[np.float64], y: NDArray[np.float64], corners: tuple[Point, ...]) -> NDArray[np.bool_]:
    """Which points of the grid are in the polygon: those with an odd number of its edges to their left."""
    inside = np.zeros((len(y), len(x)), bool)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 == y1:
            continue
        crossed = (y >= min(y0, y1)) & (y < max(y0, y1))
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
        inside ^= crossed[:, None] & (x[None, :] >= at[:, None])
    return inside


def _seen(owner: NDArray[np.uint8], number: int, all_pixels: int) -> Seen | None:
    height, width = owner.shape
    own = owner == number
    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    points = (
        (int(own[top].argmax()), top),
        (left, int(own[:, left].argmax())),
        (int(own[bottom].argmax()), bottom),
        (right, int(own[:, right].argmax())),
    )
    first, second, third, fourth = (((x + 0.5) / width, (y + 0.5) / height) for x, y in points)
    extremes = (first, second, third, fourth)
    return Seen(left, top, right + 1, bottom + 1, extremes, int(own.sum()), all_pixels, mask_png(own))


def _stored(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Upright pixels as they are stored under an EXIF `orientation`."""
    flip, turns = STORED[orientation]
    if flip == "horizontal":
        upright = upright[:, ::-1]
    elif flip == "vertical":
        upright = upright[::-1]
    return np.rot90(upright, -turns)


STORED: dict[int, tuple[str | None, int]] = {
    1: (None, 0),
    2: ("horizontal", 0),
    3: (None, 2),
    4: ("vertical", 0),
    5: ("horizontal", 3),
    6: (None, 3),
    7: ("vertical", 3),
    8: (None, 1),
}
"""The flip, then the number of clockwise quarter turns, from upright to stored pixels; a viewer undoes it by EXIF."""
