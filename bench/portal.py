"""`oidl run` again and again through a captive portal: every image that exists is done, whatever the portal said.

In the middle of the list a network wants a login: requests are redirected to its
page, and later answered by it. Scripts run `oidl run` until its exit code is not 3.
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
_GONE = 20  # every so many photos, one is really gone
_MOST_RUNS = 20
_LOGIN = "/login"
_PAGE = CannedResponse(b"<html><body>Please log in.</body></html>", 200, "text/html")


class _Network(Site):
    """A site behind a portal, which answers in its place while that wants a login."""

    def answer(self, path: str, now: float) -> CannedResponse:
        answer = super().answer(path, now)
        share = sum(self.requests.values()) / len(self.answers)
        if path == _LOGIN or _ANSWERED[0] <= share < _ANSWERED[1]:
            return _PAGE
        return redirect(_LOGIN) if _REDIRECTED[0] <= share < _REDIRECTED[1] else answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--images", type=int, default=3000)


def run(arguments: argparse.Namespace) -> None:
    """Prints the runs that it took, the last exit code and how the images stand; exit 1 if one is condemned."""
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
        while codes[-1] == 3 and len(codes) <= _MOST_RUNS:
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
