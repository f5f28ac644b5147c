"""`oidl run` against a server that answers 429 above so many requests a second: throughput, and how often it had to."""

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


class _Timed(Site):
    """A site that notes when it was asked, and when it refused."""

    def __init__(self, answers: dict[str, CannedResponse], max_rps: float, retry_after_s: int | None) -> None:
        super().__init__(answers, max_rps=max_rps, retry_after_s=retry_after_s)
        self.asked: list[float] = []
        self.refused: list[float] = []

    def answer(self, path: str, now: float) -> CannedResponse:
        answer = super().answer(path, now)
        self.asked.append(time.monotonic())
        if answer.status == 429:
            self.refused.append(self.asked[-1])
        return answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--images", type=int, default=4800)
    parser.add_argument("--limit", type=float, default=40.0, help="requests a second that the server bears")
    parser.add_argument("--retry-after", type=int, help="seconds that it asks for; it does not say if not given")


def run(arguments: argparse.Namespace) -> None:
    """Prints the share of the limit that was used, and of requests that were refused."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, arguments, Path(name))


async def _measure(arguments: argparse.Namespace, home: Path) -> None:
    photos = make_photos(home / "photos", 320, 240, 80, arguments.images)
    answers = {f"/photos/{path.name}": CannedResponse(path) for path in photos}
    site = _Timed(answers, arguments.limit, arguments.retry_after)
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
    took_s = site.asked[-1] - site.asked[0]
    later = [sum(at > site.asked[0] + 60 for at in times) for times in (site.refused, site.asked)]
    print(machine())
    print(f"{status['done']:,} done, {status['failed']} failed, {status['retry']} waiting, in {took_s:.0f} s:")
    print(f"{status['done'] / took_s / arguments.limit:.0%} of {arguments.limit:.0f} requests a second")
    print(f"429: {len(site.refused) / len(site.asked):.2%} of the requests, {later[0] / max(later[1], 1):.2%} "
          "after the first minute")  # fmt: skip
