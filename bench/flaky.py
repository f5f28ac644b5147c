"""`oidl run` on 400 images at two hosts, of which a fifth fail once in some way: are all done, and how fast."""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import trio

from bench.measure import machine, measured
from bench.site import make_photos, write_image_list
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, ServerFault, Site, status_answer

_DATE_S = 2  # the date in a Retry-After, in seconds from the start of the server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--share", type=float, default=0.2, help="of the images that fail once")
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    """Prints how many images are done, the exit code and the seconds."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, arguments, Path(name))


async def _measure(arguments: argparse.Namespace, home: Path) -> None:
    photos = make_photos(home / "photos", 320, 240, 80, arguments.images)
    draw = random.Random(arguments.seed)
    answers = {}
    for path in photos:
        first = draw.choice(_troubles(path)) if draw.random() < arguments.share else ()
        answers[f"/photos/{path.name}"] = CannedResponse(path, first=first)
    site = Site(answers)
    async with trio.open_nursery() as nursery:
        hosts = [await nursery.start(serve, site) for _ in range(2)]
        image_list = home / "list.csv"
        write_image_list(image_list, hosts[0], photos, home)
        rows = image_list.read_text("utf-8").splitlines(keepends=True)
        rows[1::2] = [row.replace(hosts[0], hosts[1]) for row in rows[1::2]]
        image_list.write_text("".join(rows), "utf-8")
        options = [f"--root-dir={home / 'root'}", f"--images-csv={image_list}", "--no-download-metadata"]
        began = time.monotonic()
        ended = await trio.run_process(
            [sys.executable, "-m", "oidl", "run", *options, "--no-log-to-stdout"], capture_stderr=True, check=False
        )
        took_s = time.monotonic() - began
        nursery.cancel_scope.cancel()
    status = json.loads(measured(["-m", "oidl", "status", f"--root-dir={home / 'root'}", "--json"]).output)
    print(machine())
    print(f"{status['done']} of {arguments.images} done, exit code {ended.returncode}, {took_s:.1f} s (at most 40)")


def _troubles(path: Path) -> list[tuple[CannedResponse, ...]]:
    """Ways to fail at first; the 500 comes twice."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=_DATE_S), usegmt=True)
    return [
        (status_answer(500),) * 2,
        (CannedResponse(path, behaviour=ServerFault.RESET),),
        (CannedResponse(path, behaviour=ServerFault.CUT),),
        (CannedResponse(path, behaviour=ServerFault.GARBAGE),),
        (status_answer(503, retry_after="1"),),
        (status_answer(503, retry_after=date),),
    ]
