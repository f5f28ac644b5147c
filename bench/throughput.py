"""`oidl run` against the limit, another commit and another program: images a second, CPU per image, peak memory."""

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bench.measure import Usage, machine, measured
from bench.peer import peer_list, peer_speed
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
    parser.add_argument("--latency-ms", type=int, default=0, help="the server waits before each answer (nginx, Lua)")
    parser.add_argument("--processes", nargs="+", default=["auto"], help="counts of processes, or auto")
    parser.add_argument(
        "--formats",
        nargs="+",
        default=["files"],
        help="of the output: files, webdataset, tfrecord (not of img2dataset)",
    )
    parser.add_argument("--scaling", nargs="+", default=["faithful"], help="faithful, fast")
    parser.add_argument("--before", type=Path, help="a checkout of another commit, which runs in turn, in one process")
    parser.add_argument("--peer", type=Path, help="the command img2dataset of another environment, in two processes")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], action="append")


def run(arguments: argparse.Namespace) -> None:
    """Prints a table with a row for each program and kind: medians over rounds, in which all of them take turns.

    The limits are MD5 and image work in as many threads, without network, database or
    files: with libvips' `thumbnail_buffer` and `jpegsave_buffer`, and with the program's own imaging.
    """
    print(
        f"{machine()}; {arguments.connections} connections, "
        f"{arguments.latency_ms} ms latency, {arguments.rounds} rounds"
    )
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        with served(root, latency_ms=arguments.latency_ms) as (base_url, server):
            print(f"served by {server}\n")
            print("| | | img/s | of libvips | of own | CPU ms | MB |")
            print("|---|---|---|---|---|---|---|")
            for kind in KINDS:
                if not arguments.kind or kind.name in arguments.kind:
                    _measure(kind, arguments, root, base_url)


def _measure(kind: Kind, arguments: argparse.Namespace, root: Path, base_url: str) -> None:
    count = int(arguments.images * kind.share)
    photos = make_photos(root / kind.name, kind.width, kind.height, kind.quality, count)
    image_list = root / f"{kind.name}.csv"
    write_image_list(image_list, base_url, photos, root)
    rounds: dict[str, list[tuple[float, float, float]]] = {}
    for number in range(arguments.rounds):
        for calls in ("libvips", "own"):
            rounds.setdefault(calls, []).append((count / _limit_s(kind, root, count, calls), 0, 0))
        if arguments.before:
            usage = _run(kind, arguments, root, f"{number}-before", arguments.before)
            rounds.setdefault("before", []).append(_figures(usage, count))
        for processes, form, scaling in product(arguments.processes, arguments.formats, arguments.scaling):
            options = [f"--processes={processes}"]
            options += [f"--output-format={form}"] if form != "files" else []
            options += [f"--scaling={scaling}"] if scaling != "faithful" else []
            usage = _run(kind, arguments, root, f"{number}-{processes}-{form}-{scaling}", Path.cwd(), *options)
            rounds.setdefault(f"`{' '.join(options).replace('=', ' ')}`", []).append(_figures(usage, count))
        for form in arguments.formats if arguments.peer else ():
            output = root / f"{kind.name}-{number}-{form}-peer"
            speed, cpu_ms = peer_speed(arguments.peer, peer_list(image_list), output, kind.box, 2, count, form)
            rounds.setdefault(f"img2dataset, {form}", []).append((speed, cpu_ms, 0))
    size_mb = statistics.mean(path.stat().st_size for path in photos[:24]) / 1e6
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in rounds.items()}
    libvips, own = medians["libvips"][0], medians["own"][0]
    for name, (speed, cpu_ms, peak_mb) in medians.items():
        of_limits = f"{speed / libvips:.2f} | {speed / own:.2f}"
        costs = f"{cpu_ms:.2f} | {peak_mb:.0f}" if peak_mb else f"{cpu_ms:.2f} |" if cpu_ms else "|"
        print(f"| {kind.name}, {size_mb:.2f} MB | {name} | {speed:.0f} | {of_limits} | {costs} |", flush=True)


def _run(kind: Kind, arguments: argparse.Namespace, root: Path, name: str, checkout: Path, *more: str) -> Usage:
    """Runs the `oidl` of `checkout` on the list of `kind`, after the list has been loaded."""
    # All roots are kept, because removing many files slows down making others for minutes.
    home = root / f"{kind.name}-{name}"
    options = [
        "-m", "oidl", "run", f"--root-dir={home}", f"--images-csv={root / kind.name}.csv", "--no-download-metadata",
        f"--resize-box-size={kind.box}", f"--max-host-connections={arguments.connections}", "--no-log-to-stdout",
    ]  # fmt: skip
    measured([*options, "--limit=0"], checkout)
    usage = measured([*options, "--limit=100000000", *more], checkout)
    assert usage.exit_code == 0, usage.output
    status = json.loads(measured(["-m", "oidl", "status", f"--root-dir={home}", "--json"], checkout).output)
    assert status["done"] == int(arguments.images * kind.share), status
    return usage


def _figures(usage: Usage, count: int) -> tuple[float, float, float]:
    return count / usage.wall_s, 1000 * usage.cpu_s / count, usage.peak_mb


def _limit_s(kind: Kind, root: Path, count: int, calls: str) -> float:
    arguments = [f"--photos={root / kind.name}", f"--count={count}", f"--boxes={kind.box}", f"--calls={calls}"]
    seconds: float = json.loads(measured(["-m", "bench.limit", *arguments]).output)["wall_s"]
    return seconds
