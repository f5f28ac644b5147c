"""How many JPEGs of each kind of damage are noticed where no MD5 vouches for them; and that whole ones pass."""

import argparse
import random

import numpy
import simplejpeg

from oidl.demo.damage import DAMAGES, ODDITIES
from oidl.imaging.inspect import decode_check, inspect
from oidl.imaging.photo import photo
from oidl.model import Failure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    """Prints a row for each kind; files that still decode to the same pixels are left out of the damaged ones."""
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
    """Photos of several sizes and qualities, as the 300K versions and smaller originals are."""
    width, height = ((640, 480), (480, 640), (1024, 768), (800, 533))[seed % 4]
    return photo(seed, width, height, quality=(85, 90, 95)[seed % 3], grey=seed % 10 == 9)


def _is_refused(body: bytes) -> bool:
    picture = inspect(body)
    return isinstance(picture, Failure) or decode_check(picture) is not None


def _is_same(body: bytes, damaged: bytes) -> bool:
    """Whether a decoder that asks no questions sees no difference."""
    try:
        return numpy.array_equal(simplejpeg.decode_jpeg(body), simplejpeg.decode_jpeg(damaged, strict=False))
    except ValueError:
        return False
