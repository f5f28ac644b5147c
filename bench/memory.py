"""The peak memory of `oidl run` with many connections and large bodies, which the byte budget limits."""

import argparse
import tempfile
from pathlib import Path

from bench.measure import machine, measured
from bench.site import make_photos, served, write_image_list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--processes", type=int, nargs="+", default=[1])


def run(arguments: argparse.Namespace) -> None:
    """Prints the peak memory of one run on photos of about 10 MB, for each number of processes."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        photos = make_photos(root / "large", 4800, 3600, 98, arguments.images)
        size_mb = sum(path.stat().st_size for path in photos) / len(photos) / 1e6
        with served(root) as (base_url, _):
            write_image_list(root / "list.csv", base_url, photos, root)
            print(machine())
            print(f"{arguments.images} images of {size_mb:.1f} MB, {arguments.connections} connections:")
            for processes in arguments.processes:
                usage = measured(
                    [
                        "-m", "oidl", "run", f"--root-dir={root / f'out-{processes}'}",
                        f"--images-csv={root / 'list.csv'}", "--no-download-metadata", "--save-original-images",
                        "--no-log-to-stdout", f"--max-host-connections={arguments.connections}",
                        f"--max-total-connections={arguments.connections}", f"--processes={processes}",
                    ]
                )  # fmt: skip
                assert usage.exit_code == 0, usage.output
                speed = arguments.images / usage.wall_s
                print(f"{processes} processes: peak RSS {usage.peak_mb:.0f} MB in all, {speed:.1f} img/s", flush=True)
