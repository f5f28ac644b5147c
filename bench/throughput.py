"""`oidl run` on originals and thumbnails against the limit: images per second, CPU per image, peak memory."""

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.measure import machine, measured
from bench.site import make_photos, served, write_image_list


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of image: how to make it, and the box to shrink it to."""

    name: str
    width: int
    height: int
    quality: int
    box: int
    share: float


KINDS = (Kind("originals", 2048, 1536, 97, 640, 0.1), Kind("thumbnails", 640, 480, 85, 224, 1.0))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=6000, help="thumbnails a round; a tenth as many originals")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--processes", type=lambda text: text.split(","), default=["auto"], help="counts of processes, like 1,2,auto"
    )
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], action="append")


def run(arguments: argparse.Namespace) -> None:
    """Prints a table with one row per kind: medians over rounds, in which the limits and the run take turns.

    The limits are MD5 and image work in as many threads, without network, database or
    files: with libvips' `thumbnail_buffer` and `jpegsave_buffer`, and with the program's own imaging.
    """
    print(f"{machine()}; {arguments.connections} connections, {arguments.rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        with served(root) as (base_url, server):
            print(f"served by {server}\n")
            print(
                "| | processes | MB each | libvips img/s | own img/s | oidl img/s | of libvips | of own | CPU ms | MB |"
            )
            print("|---|---|---|---|---|---|---|---|---|---|")
            for kind in KINDS:
                if not arguments.kind or kind.name in arguments.kind:
                    _measure(kind, arguments, root, base_url)


def _measure(kind: Kind, arguments: argparse.Namespace, root: Path, base_url: str) -> None:
    count = int(arguments.images * kind.share)
    photos = make_photos(root / kind.name, kind.width, kind.height, kind.quality, count)
    image_list = root / f"{kind.name}.csv"
    write_image_list(image_list, base_url, photos, root)
    rounds: dict[str, list[tuple[float, ...]]] = {processes: [] for processes in arguments.processes}
    for number in range(arguments.rounds):
        libvips, own = (count / _limit_s(kind, root, count, calls) for calls in ("libvips", "imaging"))
        for processes in arguments.processes:
            # all are kept, because removing many files slows down making others for minutes
            home = root / f"{kind.name}-{number}-{processes}"
            options = [
                "-m", "oidl", "run", f"--root-dir={home}", f"--images-csv={image_list}", "--no-download-metadata",
                f"--resize-box-size={kind.box}", f"--max-host-connections={arguments.connections}",
                f"--processes={processes}", "--no-log-to-stdout",
            ]  # fmt: skip
            measured([*options, "--limit=0"])
            usage = measured(options)
            assert usage.exit_code == 0, usage.output
            status = json.loads(measured(["-m", "oidl", "status", f"--root-dir={home}", "--json"]).output)
            assert status["done"] == count, status
            speed = count / usage.wall_s
            cpu_ms = 1000 * usage.cpu_s / count
            figures = (libvips, own, speed, speed / libvips, speed / own, cpu_ms, usage.peak_mb)
            rounds[processes].append(figures)
    size_mb = statistics.mean(path.stat().st_size for path in photos[:24]) / 1e6
    for processes, rows in rounds.items():
        medians = [statistics.median(column) for column in zip(*rows, strict=True)]
        row = "| {} | {} | {:.2f} | {:.0f} | {:.0f} | {:.0f} | {:.2f} | {:.2f} | {:.1f} | {:.0f} |"
        print(row.format(kind.name, processes, size_mb, *medians), flush=True)


def _limit_s(kind: Kind, root: Path, count: int, calls: str) -> float:
    arguments = [f"--photos={root / kind.name}", f"--count={count}", f"--boxes={kind.box}", f"--calls={calls}"]
    seconds: float = json.loads(measured(["-m", "bench.limit", *arguments]).output)["wall_s"]
    return seconds
