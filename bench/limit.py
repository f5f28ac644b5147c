"""What the machine could do if there were no network, no database and no files to write.

MD5 and the program's own libvips calls over bodies in memory, in as many
threads as there are validators. Run as a process of its own.
"""

import argparse
import base64
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.rendition import render
from oidl.model import Rendition, ResizeMode


def main() -> None:
    """Prints the seconds that `--count` images take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--box", type=int, required=True)
    arguments = parser.parse_args()
    bodies = [path.read_bytes() for path in sorted(arguments.photos.glob("distinct-*.jpg"))]
    recipe = Rendition("r", "r", ResizeMode.SHRINK_TO_FIT, arguments.box, "jpg")

    def one(number: int) -> None:
        body = bodies[number % len(bodies)]
        base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        picture = inspect(body)
        assert isinstance(picture, Picture)
        assert isinstance(render(picture, [recipe]), list)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(len(bodies))))
        started = time.perf_counter()
        list(pool.map(one, range(arguments.count)))
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
