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


def run(arguments: argparse.Namespace) -> None:
    """Prints the peak resident set of one run on photos of about 10 MB."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        photos = make_photos(root / "large", 4800, 3600, 98, arguments.images)
        size_mb = sum(path.stat().st_size for path in photos) / len(photos) / 1e6
        with served(root) as (base_url, _):
            write_image_list(root / "list.csv", base_url, photos, root)
            usage = measured(
                [
                    "-m", "oidl", "run", f"--root-dir={root / 'out'}", f"--images-csv={root / 'list.csv'}",
                    "--no-download-metadata", "--save-original-images", "--no-log-to-stdout",
                    f"--max-host-connections={arguments.connections}",
                    f"--max-total-connections={arguments.connections}",
                ]
            )  # fmt: skip
        assert usage.exit_code == 0, usage.output
        print(machine())
        print(f"{arguments.images} images of {size_mb:.1f} MB, {arguments.connections} connections:")
        print(f"peak RSS {usage.peak_mb:.0f} MB, {arguments.images / usage.wall_s:.1f} img/s")
