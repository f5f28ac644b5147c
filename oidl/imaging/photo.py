"""Generated photographs: hills in haze under a sky with a sun, a different view for every seed.

The same arguments give the same bytes. A view is assembled column by column from
prepared shades (the sky from its top down, each ridge from its edge down into the
mist), which is a hundred times faster than painting pixels. Light around the sun,
shapes (see `shapes`) and film grain go on top; the grain gives a JPEG about as
many bytes per pixel as a camera's.
"""

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from oidl.imaging.shapes import STORED, Shape, paint
from oidl.imaging.vips import pyvips

_GRAIN_TILE = 256  # pixels; the repetition is invisible at this strength
_GRAIN = bytes(round(NormalDist(0, 7).inv_cdf((i + 0.5) / 256)) % 256 for i in range(256))  # any byte to normal noise

_Colour = tuple[int, int, int]

# The colours of the top of the sky, its foot, the sun and the nearest ridge.
_LIGHTS: tuple[tuple[_Colour, _Colour, _Colour, _Colour], ...] = (
    ((74, 132, 196), (214, 228, 236), (255, 252, 236), (34, 62, 44)),  # noon
    ((92, 104, 156), (255, 206, 160), (255, 240, 206), (44, 34, 58)),  # dawn
    ((58, 40, 92), (250, 140, 90), (255, 222, 150), (36, 18, 40)),  # dusk
    ((132, 160, 168), (228, 232, 222), (250, 250, 244), (40, 58, 62)),  # morning mist
    ((16, 24, 56), (92, 116, 160), (236, 240, 246), (8, 12, 28)),  # moonlight
    ((214, 142, 92), (252, 226, 172), (255, 250, 222), (92, 46, 30)),  # desert
)

# Tables that multiply a row of bytes by 0 to 64 255ths.
_TIMES = [bytes(value * share // 255 for value in range(256)) for share in range(65)]


def photo(
    seed: int,
    width: int,
    height: int,
    *,
    grey: bool = False,
    cmyk: bool = False,
    progressive: bool = False,
    orientation: int = 1,
    tagged: bool = True,
    quality: int = 85,
    shapes: Sequence[Shape] = (),
) -> bytes:
    """A JPEG of `width` × `height` pixels once its EXIF `orientation` (1–8) is applied.

    The pixels are stored in that orientation even if the file is not `tagged` with it.
    `cmyk` makes it a four-channel JPEG, as print shops upload.
    """
    rng = random.Random(seed)
    image = _view(rng, width, height, shapes)
    if cmyk:
        image = _cmyk(image)
    elif grey:
        image = image.colourspace("b-w")
    flip, turns = STORED[orientation]
    if flip is not None:
        image = image.flip(flip)
    if turns:
        image = image.rot(f"d{90 * turns}")
    if orientation != 1 and tagged:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    body: bytes = image.jpegsave_buffer(Q=quality, interlace=progressive)
    return body


def _view(rng: random.Random, width: int, height: int, shapes: Sequence[Shape]) -> pyvips.Image:
    top, foot, sun, near = rng.choice(_LIGHTS)
    horizon = rng.uniform(0.38, 0.6)
    sun_x, sun_y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.35, 0.95) * horizon * height
    radius = max(2.0, rng.uniform(0.025, 0.05) * min(width, height))
    sky = _shades(top, foot, height, horizon, bend=1.3)
    slopes: list[tuple[list[int], bytes]] = []  # the nearest last: edge by column, colours downwards
    ridges = rng.randint(3, 5)
    for ridge in range(ridges):
        nearness = (ridge + 1) / ridges
        edge = _edge(rng, width, height, horizon + (0.92 - horizon) * ridge / ridges, nearness)
        crest = _between(foot, near, nearness**0.8)
        mist = _between(crest, foot, 0.55 - 0.4 * nearness)
        slopes.append((edge, _shades(crest, mist, height, 0.42)))

    columns = []
    for x in range(width):
        free = height  # the part of this column that nearer ridges do not cover
        for edge, shades in reversed(slopes):
            if edge[x] < free:
                columns.append(shades[: 3 * (free - edge[x])])
                free = edge[x]
        half = int(math.sqrt(max(0.0, radius**2 - (x - sun_x) ** 2)))
        begin, end = min(free, int(sun_y) - half), min(free, int(sun_y) + half)
        columns += sky[3 * end : 3 * free], bytes(sun) * (end - begin), sky[: 3 * begin]
    columns.reverse()  # the last one first, each from its top
    image = _from_memory(b"".join(columns), height, width, 3, "uchar").rot90()
    image += _glow(width, height, sun_x, sun_y)
    if shapes:
        image = _with_shapes(image.cast("uchar"), shapes)
    return (image + _grain(rng, width, height)).cast("uchar").copy(interpretation="srgb")


def _with_shapes(image: pyvips.Image, shapes: Sequence[Shape]) -> pyvips.Image:
    pixels = np.ndarray((image.height, image.width, 3), np.uint8, bytearray(image.write_to_memory()))
    paint(pixels, shapes)
    return _from_memory(pixels.data, image.width, image.height, 3, "uchar")


def _shades(one: _Colour, other: _Colour, height: int, reach: float, *, bend: float = 1.0) -> bytes:
    """A column of pixels that fades from `one` to `other` within `reach` of `height`, then stays."""
    step = 1 + height // 96
    shares = (min(1.0, y / height / reach) ** bend for y in range(0, height, step))
    return b"".join(bytes(_between(one, other, share)) * step for share in shares)


def _edge(rng: random.Random, width: int, height: int, level: float, nearness: float) -> list[int]:
    """The row at which a ridge begins, by column: far ridges are smooth, near ones rough with trees.

    Midpoint displacement (Fournier, Fussell and Carpenter, 1982): inserts a point
    between any two, slightly off their middle, until each column has one.
    """
    points = [level + rng.uniform(-0.08, 0.08) for _ in range(rng.randint(4, 6))]
    rise = 0.12
    while len(points) < width:
        middles = [(left + right) / 2 + rise * (rng.random() - 0.5) for left, right in pairwise(points)]
        points = [point for pair in zip(points, middles, strict=False) for point in pair] + points[-1:]
        rise *= 0.5 + 0.08 * nearness
    rows = [min(height, max(0, int(point * height))) for point in points]
    return [rows[x * len(rows) // width] for x in range(width)]


def _glow(width: int, height: int, sun_x: float, sun_y: float) -> pyvips.Image:
    """Light around the sun, up to 64: a Gaussian, therefore a row times a column."""
    reach = 0.28 * max(width, height)
    across = bytes(int(255 * math.exp(-(((x - sun_x) / reach) ** 2))) for x in range(width))
    down = (int(64 * math.exp(-(((y - sun_y) / reach) ** 2))) for y in range(height))
    return _from_memory(b"".join(across.translate(_TIMES[share]) for share in down), width, height, 1, "uchar")


def _grain(rng: random.Random, width: int, height: int) -> pyvips.Image:
    pixels = rng.randbytes(_GRAIN_TILE * _GRAIN_TILE).translate(_GRAIN)
    tile = _from_memory(pixels, _GRAIN_TILE, _GRAIN_TILE, 1, "char")
    return tile.replicate(width // _GRAIN_TILE + 1, height // _GRAIN_TILE + 1).crop(0, 0, width, height)


def _from_memory(pixels: bytes | memoryview, width: int, height: int, bands: int, kind: str) -> pyvips.Image:
    return pyvips.Image.new_from_memory(pixels, width, height, bands, kind)


def _cmyk(image: pyvips.Image) -> pyvips.Image:
    ink = image.invert()
    black = ink[0].bandrank([ink[1], ink[2]], index=0)
    colours = (ink - black) * 255 / black.invert()
    return colours.cast("uchar").bandjoin(black).copy(interpretation="cmyk")


def _between(one: _Colour, other: _Colour, share: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
