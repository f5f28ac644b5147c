"""`oidl check-licenses` on 2,000 photos, with trouble for a fifth of them, and a kill: what is asked, and how often.

It must end by itself with the right verdicts, never ask more often than was said, and ask for no photo that has a row.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import trio

from bench.measure import machine
from oidl.demo.licenses import TROUBLE, catalogue_table, license_answers, license_fate
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site
from oidl.model import FileKind, Image
from oidl.state.database import connect_writer
from oidl.state.load import ImageList, load_list
from oidl.state.query import query

_MAX_RUNS = 5
_WINDOWS_S = (1.0, 10.0)


class _Timed(Site):
    """A site that knows when each photo was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[float, str]] = []

    def answer(self, path: str, now: float) -> CannedResponse:
        self.asked.append((time.monotonic(), path.rpartition("/")[2]))
        return super().answer(path, now)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")


def run(arguments: argparse.Namespace) -> None:
    """Prints what came of it; exits with 1 if a verdict, the rate or a photo that was asked for again is wrong."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, arguments.photos, arguments.rate, Path(name))


async def _measure(photos: int, rate: float, home: Path) -> None:
    images = [_image(number) for number in range(1, photos + 1)]
    with closing(connect_writer(home / "oidl.sqlite3")) as db:
        load_list(db, ImageList("7", "v7", "list.csv"), ("train",), images)
    site = _Timed()
    for image in images:
        site.answers |= license_answers(image, TROUBLE)
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        command = _command(home, base_url, rate)
        killed_at, before = await _kill_in_the_middle(command, home, photos // 3)
        codes = [3]
        while codes[-1] == 3 and len(codes) <= _MAX_RUNS:
            ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
            codes.append(ended.returncode)
        nursery.cancel_scope.cancel()
    took_s = time.monotonic() - began
    verdicts = {row["image_id"]: row["verdict"] for row in _rows(home)}
    wrong = sum(verdicts.get(image.image_id) != license_fate(image, TROUBLE).verdict for image in images)
    again = sum(number in before for at, number in site.asked if at > killed_at)
    most = {window_s: _most(sorted(at for at, _ in site.asked), window_s) for window_s in _WINDOWS_S}
    print(machine())
    print(
        f"{photos:,} photos, {len(site.asked):,} requests in {took_s:.0f} s, killed with {len(before):,} rows, then "
        f"{len(codes) - 1} more runs, the last with exit code {codes[-1]}: {dict(Counter(verdicts.values()))}"
    )
    print(f"wrong verdicts: {wrong}; asked for again after their row: {again}")
    for window_s, count in most.items():
        print(f"at most {count} requests in {window_s:g} s, {rate * window_s:g} are allowed")
    if wrong or again or codes[-1] or any(count > rate * window_s + 1 for window_s, count in most.items()):
        sys.exit(1)


async def _kill_in_the_middle(command: list[str], home: Path, rows: int) -> tuple[float, set[str]]:
    """Kills a check when it has so many rows; returns when that was, and the photos that have one."""
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(_rows(home)) < rows and process.poll() is None:  # noqa: ASYNC110 - another process
        await trio.sleep(0.2)
    process.kill()
    await process.wait()
    await trio.sleep(0.5)  # what was on its way to the server has arrived then
    return time.monotonic(), {str(int(row["image_id"], 16)) for row in _rows(home)}


def _command(home: Path, base_url: str, rate: float) -> list[str]:
    catalogue = home / "catalogue.toml"
    lines = [
        "[version.7]",
        'title = "A list"',
        'directory = "v7"',
        'subsets = ["train"]',
        f'files = [{{ kind = "{FileKind.IMAGE_LIST}", url = "{base_url}/list.csv" }}]',
        *catalogue_table(base_url),
    ]
    catalogue.write_text("\n".join(lines) + "\n", "utf-8")
    return [
        sys.executable, "-m", "oidl", "check-licenses", f"--root-dir={home}", f"--catalogue={catalogue}", "--of=all",
        f"--requests-per-second={rate}", "--check-timeout=2", "--confirm-after=5", "--progress=none",
    ]  # fmt: skip


def _rows(home: Path) -> list[dict[str, str]]:
    return list(query(home / "oidl.sqlite3", "SELECT image_id, verdict FROM license_check"))


def _most(times: list[float], window_s: float) -> int:
    """The most requests in any `window_s` seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def _image(number: int) -> Image:
    page = f"https://www.flickr.com/photos/someone/{number}"
    licence = "https://creativecommons.org/licenses/by/2.0/"
    original = f"https://c1.staticflickr.com/1/{number}_o.jpg"
    profile = "https://www.flickr.com/people/someone/"
    md5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
    return Image(f"{number:016x}", "train", original, page, licence, profile, "Some One", "A title", 1000, md5, "")
