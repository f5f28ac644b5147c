"""Shared by the tests of images: bodies made by Pillow, renditions opened by Pillow, the difference of two images."""

import io
from collections.abc import Callable

import numpy
import pytest
from PIL import Image as Pillow

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.rendition import render
from oidl.model import Rendition

Saved = Callable[..., bytes]
Opened = Callable[..., Pillow.Image]
Difference = Callable[[Pillow.Image, Pillow.Image], float]


@pytest.fixture
def saved() -> Saved:
    def saved(image: Pillow.Image, form: str = "JPEG", **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, form, **options)  # type: ignore[arg-type]
        return buffer.getvalue()

    return saved


@pytest.fixture
def opened() -> Opened:
    """The one rendition of a body, as Pillow sees it."""

    def opened(body: bytes, rendition: Rendition, rotation: int = 0) -> Pillow.Image:
        picture = inspect(body)
        assert isinstance(picture, Picture), picture
        made = render(picture, [rendition], rotation)
        assert isinstance(made, list), made
        image = Pillow.open(io.BytesIO(made[0].body))
        image.load()
        return image

    return opened


@pytest.fixture
def difference() -> Difference:
    """The mean difference of two pictures, in steps of 255."""

    def difference(one: Pillow.Image, other: Pillow.Image) -> float:
        assert one.size == other.size
        pixels = [numpy.asarray(image.convert("RGB"), dtype=int) for image in (one, other)]
        return float(numpy.abs(pixels[0] - pixels[1]).mean())

    return difference
