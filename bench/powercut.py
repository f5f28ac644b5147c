"""Cuts the power three times during `oidl run`: what its disk has left, before and after the next run.

Needs root: the disk is a mounted file, and a copy of that file is what a power cut would leave.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.measure import machine
from bench.site import make_photos, served, write_image_list

_PATIENCE_S = 60.0
_FILES = """
SELECT f.path, f.bytes, m.at, m.bytes, m.crc32 FROM file AS f
LEFT JOIN shard_set AS t ON t.writer = 'run' AND t.rendition = f.rendition
LEFT JOIN shard_member AS m ON m.set_id = t.set_id AND m.image_id = f.image_id
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--interval", type=float, default=20.0, help="seconds between two cuts")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=320, help="maximum images per second")
    parser.add_argument("--filesystem", default="ext4")
    parser.add_argument("--shards", choices=("webdataset", "tfrecord"), help="write shards of 500 images")


def run(arguments: argparse.Namespace) -> None:
    """Prints how many files, or samples of shards, each cut damaged.

    Fails if one of them is still recorded after the next run.
    """
    print(machine())
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        home = Path(name)
        home.chmod(0o755)  # nginx started by root reads as another user
        photos = make_photos(home / "site" / "photos", 160, 120, 85, arguments.images)
        with served(home / "site") as (base_url, _):
            write_image_list(home / "list.csv", base_url, photos, home / "site")
            disk = home / "disk"
            with open(disk, "wb") as file:
                file.truncate(1 << 30)
            subprocess.run([f"mkfs.{arguments.filesystem}", "-q", disk], check=True)
            with _mounted(disk, home / "used"):
                shards = [f"--output-format={arguments.shards}", "--shard-samples=500"] if arguments.shards else []
                process = _start(home, home / "used", f"--max-rps={arguments.rate}", *shards)
                try:
                    _wait_for_images(home / "used")
                    for number in range(arguments.cuts):
                        time.sleep(arguments.interval)
                        assert process.poll() is None, "the run has ended"
                        _cut(number, process, home, disk)
                finally:
                    process.kill()
                    process.wait()


def _wait_for_images(disk: Path) -> None:
    """Waits until the run has recorded some."""
    began = time.monotonic()
    while time.monotonic() < began + _PATIENCE_S:
        time.sleep(0.5)
        with suppress(sqlite3.OperationalError):
            if _look(disk)[0]:
                return


def _cut(number: int, process: subprocess.Popen[bytes], home: Path, disk: Path) -> None:
    copy = home / "copy"
    process.send_signal(signal.SIGSTOP)
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    process.send_signal(signal.SIGCONT)
    with _mounted(copy, home / "found"):
        rows, lost = _look(home / "found")
        began = time.monotonic()
        code = _start(home, home / "found", "--limit=0").wait()
        took_s = time.monotonic() - began
        rows_left, lost_after = _look(home / "found")
    print(
        f"cut {number + 1}: {rows:,} files recorded, {lost:,} of them not whole; "
        f"next run (exit {code}, {took_s:.1f} s): "
        f"{rows_left:,} recorded, {lost_after:,} not whole",
        flush=True,
    )
    assert not lost_after


def _start(home: Path, disk: Path, *arguments: str) -> subprocess.Popen[bytes]:
    options = (f"--images-csv={home / 'list.csv'}", "--no-download-metadata", "--dataset-version=3", "--min-free=0")
    return subprocess.Popen(
        [sys.executable, "-m", "oidl", "run", f"--root-dir={disk / 'root'}", *options, "--no-check-space", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _look(disk: Path) -> tuple[int, int]:
    """How many files are recorded, and how many of them do not have the recorded size, or checksum in a shard."""
    with closing(sqlite3.connect(disk / "root" / "oidl.sqlite3")) as db:
        files = db.execute(_FILES).fetchall()
    return len(files), sum(not _is_whole(disk / "root", *row) for row in files)


def _is_whole(root: Path, path: str, size: int, at: int | None, sample: int | None, crc32: int | None) -> bool:
    if at is None or sample is None:
        return (root / path).is_file() and (root / path).stat().st_size == size
    shard = path.rpartition("#")[0]
    names = [root / name for name in (f"{shard}.part", shard) if (root / name).is_file()]
    if not names:
        return False
    with open(names[0], "rb") as file:
        data = os.pread(file.fileno(), sample, at)
    return len(data) == sample and zlib.crc32(data) == crc32


@contextmanager
def _mounted(disk: Path, place: Path) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", disk, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)
