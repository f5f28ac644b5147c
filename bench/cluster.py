"""How a run on a cluster scales with its nodes, and how many outcomes a second its coordinator takes."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from bench.load import write_list
from bench.measure import machine, measured
from bench.site import make_photos, served, write_image_list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 3], help="workers of `--cluster local:N`")
    parser.add_argument("--rate", type=float, default=40.0, help="requests per second that each node may make")
    parser.add_argument("--images", type=int, default=600, help="for each node")
    parser.add_argument("--rows", type=int, default=1_000_000, help="outcomes of synthetic nodes; 0 leaves that out")
    parser.add_argument(
        "--limits", type=float, nargs="+", metavar="RATE", help="nodes in network namespaces, each with such a limit"
    )
    parser.add_argument("--seconds", type=int, default=120, help="with --limits")
    parser.add_argument("--synthetic", type=int, default=10, help="synthetic nodes")


def run(arguments: argparse.Namespace) -> None:
    """Prints images a second for each number of nodes, then outcomes a second and memory of a coordinator."""
    print(machine(), flush=True)
    if arguments.limits:
        command = ["unshare", "-rnm", sys.executable, "-m", "bench.namespaces", str(arguments.seconds)]
        subprocess.run([*command, *map(str, arguments.limits)], check=True)
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        home = Path(name)
        home.chmod(0o755)  # nginx started by root reads as another user
        if arguments.nodes:
            _scale(arguments, home)
        if arguments.rows:
            write_list(home / "list.csv", arguments.rows, "http://127.0.0.1:9")
            usage = measured(["-m", "bench.coordinator", str(home), str(arguments.synthetic)])
            print(usage.output)
            assert usage.exit_code == 0
            print(f"{arguments.synthetic} synthetic nodes: {usage.peak_mb:.0f} MB at most, {usage.cpu_s:.0f} s of CPU")


def _scale(arguments: argparse.Namespace, home: Path) -> None:
    photos = make_photos(home / "photos", 320, 240, 85, arguments.images * max(arguments.nodes))
    print(f"{arguments.images} images for each node, which may make {arguments.rate:.0f} requests a second\n")
    print("| nodes | images/s | of one node's limit | fastest and slowest node |")
    print("|---|---|---|---|")
    with served(home) as (base_url, _):
        for nodes in arguments.nodes:
            images = photos[: arguments.images * nodes]
            write_image_list(home / f"list-{nodes}.csv", base_url, images, home)
            rate, each = _measure(arguments, home, nodes)
            share = rate / arguments.rate
            print(f"| {nodes} | {rate:.0f} | {share:.2f} | {max(each)}, {min(each)} images |", flush=True)


def _measure(arguments: argparse.Namespace, home: Path, nodes: int) -> tuple[float, list[int]]:
    """Images a second while nodes worked, and how many each of them did."""
    root = home / f"root-{nodes}"
    options = [
        "-m", "oidl", "run", f"--root-dir={root}", f"--images-csv={home / f'list-{nodes}.csv'}", "--no-export-csv",
        "--no-download-metadata", "--max-host-connections=32", f"--max-rps={arguments.rate}", "--no-log-to-stdout",
        "--progress=json", f"--cluster=local:{nodes}", "--yes", "--min-free=0",
    ]  # fmt: skip
    process = subprocess.Popen([sys.executable, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    objects = (line for line in process.stderr if line.startswith("{"))
    times = [(time.perf_counter(), json.loads(line)["run"]["done"]) for line in objects]
    assert process.wait() == 0
    # Without the start of the workers, and the last images, which not all of them have something of.
    begin = next(each for each in times if each[1] > 0)
    end = next(each for each in times if each[1] >= 0.95 * arguments.images * nodes)
    with closing(connect(root / "oidl.sqlite3")) as db:
        each = [images for (images,) in db.execute("SELECT images FROM node")]
    return (end[1] - begin[1]) / (end[0] - begin[0]), each
