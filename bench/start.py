"""A run of ten images in a new root, from its start to its end: what all the work around the images takes."""

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.measure import machine, measured
from bench.site import make_photos, served, write_image_list

_UNFINISHED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--rows", type=int, nargs="+", default=[10, 20_000], help="images in the list")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--before", type=Path, help="a checkout of another commit, which runs in turn")


def run(arguments: argparse.Namespace) -> None:
    """Prints a row for each list and checkout: median, least and most wall time of the rounds, and CPU time."""
    print(f"{machine()}; {arguments.images} images, {arguments.rounds} rounds")
    print("| images in the list | | ms | from | to | CPU ms |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        with served(root) as (base_url, _):
            for rows in arguments.rows:
                photos = make_photos(root / str(rows), 640, 480, 85, rows)
                image_list = root / f"{rows}.csv"
                write_image_list(image_list, base_url, photos, root)
                _measure(arguments, root, rows, image_list)


def _measure(arguments: argparse.Namespace, root: Path, rows: int, image_list: Path) -> None:
    checkouts = {"before": arguments.before, "now": Path.cwd()}
    times: dict[str, list[tuple[float, float]]] = {}
    for number in range(-1, arguments.rounds):  # the first one compiles modules, and does not count
        for name, checkout in checkouts.items():
            if checkout is None:
                continue
            options = [
                "-m", "oidl", "run", f"--root-dir={root / f'{rows}-{name}-{number}'}", f"--images-csv={image_list}",
                "--no-download-metadata", "--resize-box-size=224", "--no-log-to-stdout", f"--limit={arguments.images}",
            ]  # fmt: skip
            usage = measured(options, checkout)
            assert usage.exit_code in (0, _UNFINISHED), usage.output
            if number >= 0:
                times.setdefault(name, []).append((1000 * usage.wall_s, 1000 * usage.cpu_s))
    for name, measured_times in times.items():
        wall, cpu = zip(*measured_times, strict=True)
        figures = statistics.median(wall), min(wall), max(wall), statistics.median(cpu)
        print(f"| {rows:,} | {name} | {' | '.join(f'{each:.0f}' for each in figures)} |", flush=True)
