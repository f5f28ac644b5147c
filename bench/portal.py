"""Repeats `oidl run` through a captive portal: every image that exists must be done, whatever the portal answers.

In the middle of the list the network requires a login: the portal redirects
requests to its page, and later answers them with it. A script repeats `oidl run`
while its exit code is 3.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import trio

from bench.measure import machine, measured
from bench.site import make_photos, write_image_list
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site, redirect, status_answer

_REDIRECTED = (0.3, 0.6)  # shares of as many requests as there are images
_ANSWERED = (0.6, 0.8)
_GONE = 20  # one photo in this many is really gone
_MAX_RUNS = 20
_LOGIN = "/login"
_PAGE = CannedResponse(b"<html><body>Please log in.</body></html>", 200, "text/html")


class _Network(Site):
    """A site behind a portal, which answers in its place while it requires a login."""

    def answer(self, path: str, now: float) -> CannedResponse:
        answer = super().answer(path, now)
        share = sum(self.requests.values()) / len(self.answers)
        if path == _LOGIN or _ANSWERED[0] <= share < _ANSWERED[1]:
            return _PAGE
        return redirect(_LOGIN) if _REDIRECTED[0] <= share < _REDIRECTED[1] else answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=3000)


def run(arguments: argparse.Namespace) -> None:
    """Prints the number of runs, the last exit code and the counts of images; exits with 1 if one failed wrongly."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, arguments.images, Path(name))


async def _measure(images: int, home: Path) -> None:
    photos = make_photos(home / "photos", 160, 120, 80, images)
    gone = photos[::_GONE]
    site = _Network({f"/photos/{path.name}": CannedResponse(path) for path in photos})
    site.answers |= {f"/photos/{path.name}": status_answer(404) for path in gone}
    root, image_list = home / "root", home / "list.csv"
    options = [f"--root-dir={root}", f"--images-csv={image_list}", "--no-download-metadata", "--no-log-to-stdout"]
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        write_image_list(image_list, await nursery.start(serve, site), photos, home)
        codes = [3]
        while codes[-1] == 3 and len(codes) <= _MAX_RUNS:
            ended = await trio.run_process(
                [sys.executable, "-m", "oidl", "run", *options], capture_stderr=True, check=False
            )
            codes.append(ended.returncode)
        nursery.cancel_scope.cancel()
    status = json.loads(measured(["-m", "oidl", "status", f"--root-dir={root}", "--json"]).output)
    due = images - len(gone)
    print(machine())
    print(
        f"{len(codes) - 1} runs in {time.monotonic() - began:.0f} s, the last with exit code {codes[-1]}: "
        f"{status['done']:,} done of {due:,} that exist, {status['failed']:,} failed of {len(gone):,} that are gone"
    )
    if (status["done"], codes[-1]) != (due, 0):
        sys.exit(1)
