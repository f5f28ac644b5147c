"""The CPU milliseconds per image, with the program's imaging and with plain libvips; and whether memory leaks."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import PAGE_BYTES, machine
from bench.throughput import KINDS, Kind
from oidl.imaging.canvas import Canvases
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Rendition, ResizeMode

_DISTINCT = 12
_LARGE = Kind("6 MP originals", 2816, 2112, 91, 640, 0.0)
_THREE_BOXES = {"thumbnails": (224, 160, 96)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--leak", type=int, default=20_000, help="images in a row for the memory test")


def run(arguments: argparse.Namespace) -> None:
    """Prints a table of medians over rounds, in which all ways take turns in one thread; then the memory."""
    print(f"{machine()}; one thread, {arguments.rounds} rounds of {_DISTINCT} photos\n")
    print("| CPU ms an image | plain libvips | one rendition | ratio | three renditions | to one |")
    print("|---|---|---|---|---|---|")
    for kind in (*KINDS, _LARGE):
        _measure(kind, arguments.rounds)
    _watch(arguments.leak)


def _measure(kind: Kind, rounds: int) -> None:
    bodies = [photo(seed, kind.width, kind.height, quality=kind.quality) for seed in range(_DISTINCT)]

    def plain(body: bytes) -> None:
        image = pyvips.Image.thumbnail_buffer(
            body, kind.box, height=kind.box, size="down", option_string="[fail_on=error]"
        )
        image.jpegsave_buffer(keep="none")

    ways = (plain, _ours([kind.box]), _ours(_THREE_BOXES.get(kind.name, (640, 320, 224))))
    taken: list[list[float]] = [[], [], []]
    for number in range(rounds + 1):  # the first is a warm-up
        for way, times in zip(ways, taken, strict=True):
            began = time.process_time()
            for body in bodies:
                way(body)
            if number:
                times.append(1000 * (time.process_time() - began) / _DISTINCT)
    one, ours, three = (statistics.median(times) for times in taken)
    ratio, more = (
        statistics.median(a / b for a, b in zip(*pair, strict=True)) for pair in (taken[1::-1], taken[:0:-1])
    )
    print(f"| {kind.name} to {kind.box} px | {one:.2f} | {ours:.2f} | {ratio:.2f} | {three:.2f} | {more:.2f} |")


def _ours(boxes: tuple[int, ...] | list[int]) -> Callable[[bytes], None]:
    recipes = [Rendition(str(box), str(box), ResizeMode.SHRINK_TO_FIT, box, "jpg") for box in boxes]
    canvases = Canvases()

    def ours(body: bytes) -> None:
        picture = inspect(body)
        assert isinstance(picture, Picture)
        assert isinstance(render(picture, recipes, canvases=canvases), list)

    return ours


def _watch(count: int) -> None:
    """Renders images of every kind in every mode, some of them damaged, and prints the memory in use."""
    looks: list[dict[str, bool | int]] = [{}, {"progressive": True}, {"grey": True}, {"cmyk": True}, {"orientation": 6}]
    bodies = [photo(seed, 320, 240, **looks[seed % len(looks)]) for seed in range(20)]  # type: ignore[arg-type]
    bodies += [body[: len(body) // 2] for body in bodies[:5]]
    recipes = [Rendition(mode, mode, mode, 96, form) for mode in ResizeMode for form in ("jpg", "png")]
    held = []
    canvases = Canvases()
    for number in range(count):
        picture = inspect(bodies[number % len(bodies)])
        assert isinstance(picture, Picture)
        render(picture, [recipes[number % len(recipes)]], canvases=canvases)
        if number % max(1, count // 10) == 0:
            held.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 1e6)
    print(f"\nRSS in MB over {count:,} images, damaged ones among them: {', '.join(f'{mb:.0f}' for mb in held)}")
