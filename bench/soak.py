"""`oidl run` for a long time at a steady pace: memory, open files and the duration of requests must not grow."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.measure import descendants, machine, resident_bytes
from bench.site import make_photos, served, write_image_list

_EVERY_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="images a second")
    parser.add_argument("--processes", default="auto")


def run(arguments: argparse.Namespace) -> None:
    """Prints memory, open files and request times, in the first tenth after the warm-up and in the last."""
    count = round(arguments.minutes * 60 * arguments.rate)
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        photos = make_photos(root / "photos", 640, 480, 85, count)
        with served(root, log=True) as (base_url, server):
            assert server == "nginx", "the soak needs nginx, whose log has the times"
            write_image_list(root / "list.csv", base_url, photos, root)
            samples = _samples(
                [
                    "-m", "oidl", "run", f"--root-dir={root / 'out'}", f"--images-csv={root / 'list.csv'}",
                    "--no-download-metadata", f"--max-rps={arguments.rate}", "--no-log-to-stdout", "--no-export-csv",
                    f"--processes={arguments.processes}",
                ]
            )  # fmt: skip
        times = [float(line) for line in (root / "times.log").read_text().splitlines()]
    assert len(times) == count, f"{len(times)} requests for {count} images"
    rss, files = zip(*samples[len(samples) // 10 :], strict=True)  # after the warm-up
    print(f"{machine()}; {count:,} images in {arguments.minutes:g} minutes, --processes {arguments.processes}")
    print(f"RSS {_ends(rss):} MB, from {min(rss):.0f} to {max(rss):.0f}; open files {_ends(files)}")
    print(f"request time {_ends([1000 * seconds for seconds in times[count // 10 :]])} ms")


def _samples(arguments: list[str]) -> list[tuple[float, float]]:
    """Resident MB and open files of a run and its workers together, every few seconds until it ends."""
    samples = []
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(_EVERY_S)
        resident, files = resident_bytes(process.pid), 0
        for pid in (process.pid, *descendants(process.pid)):
            with suppress(OSError):  # it has just ended
                files += len(os.listdir(f"/proc/{pid}/fd"))
        if process.poll() is None:
            samples.append((resident / 1e6, float(files)))
    assert process.wait() == 0
    return samples


def _ends(values: list[float] | tuple[float, ...]) -> str:
    """The medians of the first and the last tenth."""
    tenth = max(1, len(values) // 10)
    return f"{statistics.median(values[:tenth]):.1f} → {statistics.median(values[-tenth:]):.1f}"
