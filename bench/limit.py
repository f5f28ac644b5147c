"""The limit of the machine: what it can do without network, database and files.

MD5 and image work on bodies in memory, in as many threads as there are
validators: with the two obvious libvips calls (`libvips`), or with the program's
own imaging (`own`). It runs in a separate process.
"""

import argparse
import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oidl.cores import usable_cores
from oidl.imaging.canvas import Canvases
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Rendition, ResizeMode


def main() -> None:
    """Prints the wall and CPU seconds that `--count` images take, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--boxes", type=int, nargs="+", required=True)
    parser.add_argument("--calls", choices=("libvips", "own"), required=True)
    arguments = parser.parse_args()
    bodies = [path.read_bytes() for path in sorted(arguments.photos.glob("distinct-*.jpg"))]
    recipes = [Rendition(str(box), str(box), ResizeMode.SHRINK_TO_FIT, box, "jpg") for box in arguments.boxes]

    def by_libvips(body: bytes) -> None:
        for box in arguments.boxes:
            image = pyvips.Image.thumbnail_buffer(body, box, height=box, size="down", option_string="[fail_on=error]")
            image.jpegsave_buffer(keep="none")

    canvases = Canvases()

    def by_imaging(body: bytes) -> None:
        picture = inspect(body)
        assert isinstance(picture, Picture)
        assert isinstance(render(picture, recipes, canvases=canvases), list)

    resize = by_libvips if arguments.calls == "libvips" else by_imaging

    def one(number: int) -> None:
        body = bodies[number % len(bodies)]
        base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        resize(body)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(one, range(len(bodies))))
        started, cpu_started = time.perf_counter(), time.process_time()
        list(pool.map(one, range(arguments.count)))
        print(json.dumps({"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_started}))


if __name__ == "__main__":
    main()
