"""Masks: which pixels of a file belong to one object, as COCO run lengths. Pure.

A published mask is a PNG of the whole stored image, in its own resolution (the longest side of most has 1,600
pixels). It gets the same transform as the image, like boxes (`boxes.Transform`), by nearest neighbour: a pixel of the
file is set if the mask is set at the source position of its centre.

`counts` is encoded like `rleToString` in cocoapi's `common/maskApi.c`: the lengths of alternating unset and set runs,
column by column; from the fourth run on, the difference from the run two before. Each number is split into groups of
five bits, the lowest first, until the rest is only the sign of the last group. All groups but the last get 32 added,
and all get 48 added, which makes them printable ASCII.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from oidl.imaging.boxes import Transform, upright_point
from oidl.imaging.inspect import inspect
from oidl.imaging.samples import colours
from oidl.imaging.vips import VIPS_ERRORS, pyvips
from oidl.model import Failure, Reason

MAX_MASK_PIXELS = 64_000_000
"""The largest mask that is decoded; published ones have at most 2.6 million pixels."""

Pixels: TypeAlias = NDArray[numpy.bool_]
"""A mask as `pixels[y, x]`."""


@dataclass(frozen=True, slots=True)
class Mask:
    """The set pixels of a file of `width` × `height`: COCO's `counts`, their number, and the smallest box around them.

    The box is `left`, `top`, `box_width` and `box_height`, in whole pixels.
    """

    width: int
    height: int
    counts: str
    area: int
    left: int
    top: int
    box_width: int
    box_height: int

    def pixels(self) -> Pixels:
        """Which pixels of the file are set, as `pixels[y, x]`."""
        flat = numpy.zeros(self.width * self.height, numpy.bool_)
        ends = numpy.cumsum(_runs(self.counts))
        for begin, end in zip(ends[::2], ends[1::2], strict=False):
            flat[begin:end] = True
        return flat.reshape(self.width, self.height).T


def read_mask(body: bytes, max_pixels: int = MAX_MASK_PIXELS) -> Pixels | Failure:
    """The mask in a PNG: every pixel that is not black is set; alpha is ignored."""
    picture = inspect(body, max_pixels)
    if isinstance(picture, Failure):
        return picture
    if picture.format != "png":
        return Failure(Reason.NOT_AN_IMAGE, f"a {picture.format}, not a PNG")
    try:
        image = pyvips.Image.new_from_buffer(body, "[fail_on=error]", access="sequential")
        samples = image.numpy().reshape(picture.height, picture.width, picture.bands)
    except VIPS_ERRORS:
        return Failure(Reason.CORRUPT, "its PNG data ends early or is damaged")
    pixels: Pixels = (samples[:, :, : colours(image)] != 0).any(axis=2)
    return pixels


def transform_mask(pixels: Pixels, transform: Transform) -> Mask | None:
    """A mask of the stored image, moved to a file made from that image; None if no pixel of it is left."""
    upright = pixels.T if transform.orientation >= 5 else pixels
    corner_x, corner_y = upright_point(0, 0, transform.orientation)
    upright = upright[:: -1 if corner_y else 1, :: -1 if corner_x else 1]
    height, width = upright.shape
    rows, columns = numpy.flatnonzero(upright.any(axis=1)), numpy.flatnonzero(upright.any(axis=0))
    if not len(rows):
        return None
    xs, left = _sources(width, columns[0], columns[-1], transform.scaled_width, transform.left, transform.width)
    ys, top = _sources(height, rows[0], rows[-1], transform.scaled_height, transform.top, transform.height)
    return _encoded(upright.T[xs[:, None], ys], left, top, transform.width, transform.height)


def _sources(
    size: int, first: int, last: int, scaled_size: int, cut: int, out_size: int
) -> tuple[NDArray[numpy.intp], int]:
    """The mask pixels that a row of file pixels shows, from the `first` set one to the `last`.

    The second value is the position in the file where that row begins.
    """
    begin = max(0, first * scaled_size // size - cut - 1)
    end = min(out_size, -(-(last + 1) * scaled_size // size) - cut + 1)
    # Centres of pixels, counted in half pixels: whole numbers have no rounding errors.
    sources = (2 * (numpy.arange(begin, max(begin, end)) + cut) + 1) * size // (2 * scaled_size)
    is_inside = (sources >= first) & (sources <= last)
    return sources[is_inside], begin + int(is_inside.argmax()) if is_inside.any() else 0


def _encoded(columns: Pixels, left: int, top: int, width: int, height: int) -> Mask | None:
    """A mask whose set pixels are all in the part `columns[x, y]`, which begins at `left` and `top`."""
    xs, ys = numpy.flatnonzero(columns.any(axis=1)), numpy.flatnonzero(columns.any(axis=0))
    if not len(xs):
        return None
    columns = columns[xs[0] : xs[-1] + 1, ys[0] : ys[-1] + 1]
    left, top = int(left + xs[0]), int(top + ys[0])
    box_width, box_height = columns.shape
    # With an unset pixel above and below, no run crosses from one column to the next.
    padded = numpy.zeros((box_width, box_height + 2), numpy.bool_)
    padded[:, 1:-1] = columns
    xs, ys = (padded[:, 1:] != padded[:, :-1]).nonzero()
    edges = (left + xs) * height + top + ys
    joins = numpy.flatnonzero(edges[1::2][:-1] == edges[2::2]) * 2 + 1  # a run that continues in the next column
    edges = numpy.delete(edges, numpy.concatenate((joins, joins + 1)))
    runs = numpy.diff(edges, prepend=0, append=width * height)
    if runs[-1] == 0:
        runs = runs[:-1]
    return Mask(width, height, _counts(runs), int(columns.sum()), left, top, box_width, box_height)


def _counts(runs: NDArray[numpy.intp]) -> str:
    values = runs.copy()
    values[3:] -= runs[1:-2]
    groups, is_written = [], []
    has_more = numpy.ones(len(values), numpy.bool_)
    while has_more.any():
        group = values & 0x1F
        values = values >> 5
        is_last = values == numpy.where(group & 0x10, -1, 0)
        groups.append(numpy.where(is_last, group, group | 0x20) + 48)
        is_written.append(has_more)
        has_more = has_more & ~is_last
    characters = numpy.stack(groups, axis=1).astype(numpy.uint8)
    return characters[numpy.stack(is_written, axis=1)].tobytes().decode("ascii")


def _runs(counts: str) -> list[int]:
    """Decodes `counts` to run lengths, like `rleFrString` in cocoapi's `common/maskApi.c`."""
    runs: list[int] = []
    value = shift = 0
    for character in counts.encode("ascii"):
        group = character - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
