"""Masks drawn in the colours of their classes, to be laid over a file. Pure."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy

from oidl.imaging.boxes import Transform
from oidl.imaging.masks import Mask, Pixels
from oidl.imaging.png import indexed_png

Colour: TypeAlias = tuple[int, int, int]

MAX_SIDE = 1_600
"""The longest side of an overlay; most published masks have no more pixels."""

_INSIDE, _EDGE = 90, 255  # alpha
_EDGES_OF_SIDE = 400  # an edge is a four hundredth of the longer side


def overlay_transform(transform: Transform) -> Transform:
    """`transform`, scaled down so that no side of the file is longer than `MAX_SIDE`."""
    longest = max(transform.width, transform.height)
    if longest <= MAX_SIDE:
        return transform

    def scaled(length: int) -> int:
        return round(length * MAX_SIDE / longest)

    return Transform(
        transform.orientation,
        max(1, scaled(transform.scaled_width)),
        max(1, scaled(transform.scaled_height)),
        scaled(transform.left),
        scaled(transform.top),
        max(1, scaled(transform.width)),
        max(1, scaled(transform.height)),
    )


def draw_masks(masks: Sequence[tuple[Mask, Colour]], width: int, height: int) -> bytes:
    """A PNG of `width` × `height` with all masks: translucent, their edges opaque, the smallest in front.

    All masks must have this size.
    """
    colours = sorted({colour for _, colour in masks})[:127]  # two entries of 256 for each
    palette = [(0, 0, 0, 0)]
    palette += [(*colour, alpha) for colour in colours for alpha in (_INSIDE, _EDGE)]
    canvas = numpy.zeros((height, width), numpy.uint8)
    thickness = max(1, round(max(width, height) / _EDGES_OF_SIDE))
    for mask, colour in sorted(masks, key=lambda pair: -pair[0].area):
        if colour not in colours:
            continue
        rows = slice(mask.top, mask.top + mask.box_height)
        columns = slice(mask.left, mask.left + mask.box_width)
        pixels = mask.pixels()[rows, columns]
        number = 1 + 2 * colours.index(colour)
        canvas[rows, columns][pixels] = number
        canvas[rows, columns][pixels & ~_inner(pixels, thickness)] = number + 1
    return indexed_png(canvas, palette)


def _inner(pixels: Pixels, thickness: int) -> Pixels:
    """The pixels that are more than `thickness` away from what is outside, measured along rows and columns."""
    inner = numpy.pad(pixels, thickness)
    for axis in (0, 1):
        for _ in range(thickness):
            inner = inner & numpy.roll(inner, 1, axis) & numpy.roll(inner, -1, axis)
    return inner[thickness:-thickness, thickness:-thickness]
