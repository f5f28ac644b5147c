"""`oidl run` against a server that answers 429 above a rate limit: throughput, and the share of refused requests."""

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
from oidl.demo.site import CannedResponse, Site


class _LoggingSite(Site):
    """A site that logs the times of its requests and of its refusals."""

    def __init__(self, answers: dict[str, CannedResponse], max_rps: float, retry_after_s: int | None) -> None:
        super().__init__(answers, max_rps=max_rps, retry_after_s=retry_after_s)
        self.requested_at: list[float] = []
        self.refused_at: list[float] = []

    def answer(self, path: str, now: float) -> CannedResponse:
        answer = super().answer(path, now)
        self.requested_at.append(time.monotonic())
        if answer.status == 429:
            self.refused_at.append(self.requested_at[-1])
        return answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=4800)
    parser.add_argument("--limit", type=float, default=40.0, help="requests per second that the server allows")
    parser.add_argument("--retry-after", type=int, help="seconds in its Retry-After; by default it sends none")


def run(arguments: argparse.Namespace) -> None:
    """Prints how much of the limit was used, and the share of refused requests."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, arguments, Path(name))


async def _measure(arguments: argparse.Namespace, home: Path) -> None:
    photos = make_photos(home / "photos", 320, 240, 80, arguments.images)
    answers = {f"/photos/{path.name}": CannedResponse(path) for path in photos}
    site = _LoggingSite(answers, arguments.limit, arguments.retry_after)
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        write_image_list(home / "list.csv", base_url, photos, home)
        options = [f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata"]
        await trio.run_process(
            [sys.executable, "-m", "oidl", "run", *options, "--max-host-connections=32", "--no-log-to-stdout"],
            capture_stderr=True,
        )
        nursery.cancel_scope.cancel()
    status = json.loads(measured(["-m", "oidl", "status", f"--root-dir={home / 'root'}", "--json"]).output)
    requested, refused = site.requested_at, site.refused_at
    took_s = requested[-1] - requested[0]
    later = [sum(at > requested[0] + 60 for at in times) for times in (refused, requested)]
    print(machine())
    print(f"{status['done']:,} done, {status['failed']} failed, {status['retry']} waiting, in {took_s:.0f} s:")
    print(f"{status['done'] / took_s / arguments.limit:.0%} of {arguments.limit:.0f} requests a second")
    print(f"429: {len(refused) / len(requested):.2%} of the requests, {later[0] / max(later[1], 1):.2%} "
          "after the first minute")  # fmt: skip
