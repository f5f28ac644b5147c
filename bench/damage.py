"""How many damaged JPEGs of each kind are noticed without an MD5; and whether whole ones pass."""

import argparse
import random

import numpy
import simplejpeg

from oidl.demo.damage import DAMAGES, ODDITIES
from oidl.imaging.inspect import decode_check, inspect
from oidl.imaging.photo import photo
from oidl.model import Failure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    """Prints one row per kind; files that still decode to the same pixels do not count as damaged."""
    bodies = [_photo(seed) for seed in range(arguments.photos)]
    print("| damage | photos | same pixels | refused |")
    print("|---|---|---|---|")
    for name, damage in DAMAGES.items():
        rng = random.Random(arguments.seed)
        files = [(body, damage(body, rng)) for body in bodies]
        refused = [_is_refused(damaged) for _, damaged in files]
        same = sum(not is_refused and _is_same(*pair) for pair, is_refused in zip(files, refused, strict=True))
        print(
            f"| {name} | {len(files)} | {same} | {100 * sum(refused) / max(1, len(files) - same):.1f} % |", flush=True
        )
    kinds = list(ODDITIES)
    passed = sum(not _is_refused(ODDITIES[kinds[number % len(kinds)]](body)) for number, body in enumerate(bodies))
    print(f"\n{passed} of {len(bodies)} odd ones that are whole pass")


def _photo(seed: int) -> bytes:
    """A photo in one of several sizes and qualities, like the 300K versions and smaller originals."""
    width, height = ((640, 480), (480, 640), (1024, 768), (800, 533))[seed % 4]
    return photo(seed, width, height, quality=(85, 90, 95)[seed % 3], grey=seed % 10 == 9)


def _is_refused(body: bytes) -> bool:
    picture = inspect(body)
    return isinstance(picture, Failure) or decode_check(picture) is not None


def _is_same(body: bytes, damaged: bytes) -> bool:
    """Whether a lenient decoder sees no difference."""
    try:
        return numpy.array_equal(simplejpeg.decode_jpeg(body), simplejpeg.decode_jpeg(damaged, strict=False))
    except ValueError:
        return False
