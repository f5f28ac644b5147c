"""Bulk load, status and export of a synthetic list against plain csv and sqlite3 loops."""

import argparse
import csv
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Usage, machine, measured
from bench.site import served
from oidl.dataset.rows import format_row, header
from oidl.model import Image

_SLICE = 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--plain", choices=["load", "export"], help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Prints a table of speeds, of `oidl` and of a plain loop, each in its own process."""
    if arguments.plain:
        {"load": _plain_load, "export": _plain_export}[arguments.plain](arguments.directory)
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-", dir=arguments.directory) as name, _nothing() as base_url:
        home = Path(name)
        write_list(home / "list.csv", arguments.rows, base_url)
        print(f"{machine()}; {arguments.rows:,} rows\n")
        print("| | rows/s | plain loop rows/s | ratio | peak RSS MB |")
        print("|---|---|---|---|---|")
        oidl = ["-m", "oidl"]
        place = [f"--root-dir={home / 'root'}"]
        load = [*oidl, "run", *place, f"--images-csv={home / 'list.csv'}", "--limit=0", "--no-export-csv"]
        _compare("load", arguments.rows, _checked(load, 0), _plain("load", home))
        count = min(_SLICE, arguments.rows // 2)
        db = sqlite3.connect(home / "root" / "oidl.sqlite3")
        ids = db.execute("SELECT image_id FROM image LIMIT ?", (count,)).fetchall()
        (home / "ids.txt").write_text("\n".join(image_id for (image_id,) in ids))
        slice_ = [*load[:-2], f"--image-ids={home / 'ids.txt'}", "--no-export-csv", "--no-download-metadata"]
        slice_ += ["--max-failure-rate=2", "--max-host-connections=32", "--no-log-to-stdout"]
        sliced = _slice(slice_, [*oidl, "status", *place], count)
        # As if each image had been tried, so that all are exported.
        db.execute("UPDATE download SET status = 'done'")
        db.commit()
        db.close()
        export = [*oidl, "export-csv", *place]
        _compare("export", arguments.rows, _checked(export, 0), _plain("export", home))
        status = [*oidl, "status", *place]
        times = [_checked(status, 0) for _ in range(5)]
        print(f"\n`oidl status`: {min(usage.wall_s for usage in times):.2f} s, {times[0].peak_mb:.0f} MB")
        print(sliced)
        shutil.rmtree(home / "root")


def _slice(arguments: list[str], status: list[str], count: int) -> str:
    """Runs a part of the list, whose photos do not exist, and calls `oidl status` meanwhile."""
    with ThreadPoolExecutor(1) as aside:
        run = aside.submit(measured, arguments)
        times = []
        while not run.done():
            times.append(_checked(status, 0).wall_s)
    usage = run.result()
    assert usage.exit_code == 0, usage.output
    return (
        f"`oidl run` of {count} (all 404): {count / usage.wall_s:,.0f} img/s, {usage.peak_mb:.0f} MB; "
        f"`oidl status` meanwhile: {statistics.median(times):.2f} s, {max(times):.2f} s at most"
    )


@contextmanager
def _nothing() -> Iterator[str]:
    """The base URL of a server without photos."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        Path(name).chmod(0o755)
        with served(Path(name)) as (base_url, _):
            yield base_url


def _compare(name: str, rows: int, ours: Usage, plain: Usage) -> None:
    print(
        f"| {name} | {rows / ours.wall_s:,.0f} | {rows / plain.wall_s:,.0f} "
        f"| {plain.wall_s / ours.wall_s:.2f} | {ours.peak_mb:.0f} |",
        flush=True,
    )


def _checked(arguments: list[str], exit_code: int) -> Usage:
    usage = measured(arguments)
    assert usage.exit_code == exit_code, usage.output
    return usage


def _plain(what: str, home: Path) -> Usage:
    return _checked(["-m", "bench", "load", f"--plain={what}", f"--directory={home}"], 0)


def _plain_load(home: Path) -> None:
    """The obvious code: a csv reader into a table with a key."""
    db = sqlite3.connect(home / "plain.sqlite3")
    db.execute("CREATE TABLE image (ImageID TEXT PRIMARY KEY, b, c, d, e, f, g, h, i INTEGER, j, k)")
    with open(home / "list.csv", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        db.executemany("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.commit()


def _plain_export(home: Path) -> None:
    db = sqlite3.connect(home / "plain.sqlite3")
    with open(home / "plain.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(db.execute("SELECT * FROM image ORDER BY rowid"))


def write_list(path: Path, rows: int, base_url: str) -> None:
    """Writes an image list of `rows` rows in the published format; prints how long that took."""
    random_ = random.Random(7)
    started = time.perf_counter()
    with open(path, "w", encoding="utf-8") as file:
        file.write(header("author-title"))
        for number in range(rows):
            photo = random_.randrange(10**9, 10**11)
            image = Image(
                f"{random_.getrandbits(64):016x}",  # unsorted, like the full list
                "train",
                f"{base_url}/{number % 9}/{photo % 8000}/{photo}_98dce75b5a_o.jpg",
                f"https://www.flickr.com/photos/43584526@N06/{photo}",
                "https://creativecommons.org/licenses/by/2.0/",
                "https://www.flickr.com/people/43584526@N06/",
                "Mae Catherine Melchor",
                "#latepost #celebration of S&amp;P, Coron",
                random_.randrange(100_000, 9_000_000),
                "XKWUMkcNib71Ge6Yq1/0/g==",
                f"https://c{number % 8 + 1}.staticflickr.com/{number % 9}/{photo % 8000}/{photo}_ace6136324_z.jpg",
            )
            file.write(format_row(image, "author-title"))
    print(f"wrote {path.stat().st_size / 1e6:,.0f} MB of rows in {time.perf_counter() - started:.0f} s")
