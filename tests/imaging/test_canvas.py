"""Canvases: one picture after the other in the same memory gives the same files as each on its own."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy
import pytest

from oidl.imaging.canvas import Canvas, Canvases
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.model import Crop, Failure, Rendition, ResizeMode

SIZES = [(640, 480), (480, 640), (333, 250), (64, 48), (1024, 768)]


def picture(seed: int, size: tuple[int, int], **look: bool | int) -> Picture:
    inspected = inspect(photo(seed, *size, **look))  # type: ignore[arg-type]
    assert isinstance(inspected, Picture)
    return inspected


def bodies(each: Picture, renditions: list[Rendition], canvases: Canvases | None = None) -> list[bytes]:
    made = render(each, renditions, canvases=canvases)
    assert isinstance(made, list)
    return [rendered.body for rendered in made]


@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
@pytest.mark.parametrize("mode", list(ResizeMode))
def test_a_used_canvas_gives_the_same_files_as_a_new_one(mode: ResizeMode, form: str) -> None:
    renditions = [
        Rendition("a", "a", mode, 100, form),
        Rendition("b", "b", mode, 180, form, crop=Crop.ATTENTION),
        Rendition("c", "c", mode, 100, form, force_rgb=True, background="ff0000"),
    ]
    looks: list[dict[str, bool | int]] = [{}, {"grey": True}, {"orientation": 6}, {"progressive": True}]
    pictures = [picture(seed, SIZES[seed % 5], **looks[seed % 4]) for seed in range(20)]
    canvases = Canvases()
    for each in [*pictures, *pictures]:
        assert bodies(each, renditions, canvases) == bodies(each, renditions)


def test_a_damaged_picture_leaves_nothing_behind() -> None:
    renditions, canvases = [Rendition("a", "a", ResizeMode.SHRINK_TO_FIT, 100, "jpg")], Canvases()
    first, second = picture(1, (640, 480)), picture(2, (640, 480))
    assert bodies(first, renditions, canvases)
    cut = replace(first, body=first.body[: len(first.body) // 2])
    assert isinstance(render(cut, renditions, canvases=canvases), Failure)
    assert bodies(second, renditions, canvases) == bodies(second, renditions)


def test_threads_share_canvases_without_sharing_memory() -> None:
    renditions, canvases = [Rendition("a", "a", ResizeMode.SHRINK_TO_FIT, 100, "jpg")], Canvases()
    pictures = [picture(seed, (640, 480)) for seed in range(8)]
    expected = [bodies(each, renditions) for each in pictures]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: bodies(pictures[number % 8], renditions, canvases), range(200)))
    assert made == [expected[number % 8] for number in range(200)]


def test_each_thread_has_its_own_canvas() -> None:
    canvases, both = Canvases(), threading.Barrier(2)

    def borrowed(_: int) -> Canvas:
        with canvases.borrow((48, 64, 3)) as canvas:
            both.wait(10)
            return canvas

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(borrowed, range(2))
    assert one.pixels.ctypes.data != other.pixels.ctypes.data


def test_the_next_picture_of_a_shape_gets_the_canvas_of_the_last() -> None:
    canvases = Canvases()
    with canvases.borrow((48, 64, 3)) as first:
        pass
    with canvases.borrow((64, 48, 3)) as other:
        pass
    with canvases.borrow((48, 64, 3)) as again:
        pass
    assert again is first
    assert other is not first


def test_a_canvas_is_dropped_after_an_exception() -> None:
    canvases = Canvases()
    with pytest.raises(ZeroDivisionError), canvases.borrow((48, 64, 3)) as first:
        raise ZeroDivisionError
    with canvases.borrow((48, 64, 3)) as second:
        assert second is not first


def test_kept_canvases_take_at_most_16_mb() -> None:
    canvases = Canvases()
    tracemalloc.start()
    try:
        for width in range(600, 700):
            with canvases.borrow((480, width, 3)):
                pass
        with canvases.borrow((3000, 4000, 3)):
            pass
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 14e6 < kept < 17e6


def test_a_canvas_keeps_few_sizes() -> None:
    canvas = Canvas((480, 640, 3))
    canvas.pixels[:] = 7
    images = [canvas.scaled(width, 100) for width in range(100, 110)]
    assert canvas.region(images[0]) is None
    assert canvas.region(images[-1]) is not None
    assert canvas.scaled(109, 100) is images[-1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("box", [16, 31, 90, 160, 224, 333, 700])
def test_pixels_are_those_of_a_plain_resize(size: tuple[int, int], box: int) -> None:
    width, height = size
    for out_width, out_height in ((box, box), (box, max(1, round(height * box / width)))):
        canvas = Canvas((height, width, 3))
        canvas.pixels[:] = numpy.random.default_rng(1).integers(0, 256, canvas.pixels.shape, numpy.uint8)
        canvas.changed()
        image = canvas.scaled(width, height).resize(out_width / width, vscale=out_height / height)
        assert canvas.scaled(out_width, out_height).write_to_memory() == image.write_to_memory()
