"""Images a second of `oidl run` with 1, 2, 4 … processes, and where the CPU time of an image goes."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.instant import SITECUSTOMIZE
from bench.measure import ENVIRONMENT, descendants, machine, measured
from bench.site import make_photos, served, write_image_list

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_WATCH_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--instant", action="store_true", help="workers answer at once: how fast the coordinator can be"
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints a row for each number of processes and round: how fast, and where the CPU time went.

    The rest is everything else that the machine did meanwhile, mostly the server.
    """
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        photos = make_photos(root / "photos", 640, 480, 85, arguments.images)
        with served(root) as (base_url, server):
            write_image_list(root / "list.csv", base_url, photos, root)
            print(f"{machine()}; {arguments.images} thumbnails, served by {server}\n")
            print("| processes | img/s | CPU ms an image | coordinator | workers | the rest | cores in use |")
            print("|---|---|---|---|---|---|---|")
            for number in range(arguments.rounds):
                for processes in arguments.processes:
                    _measure(arguments, root, f"{number}-{processes}", processes)


def _measure(arguments: argparse.Namespace, root: Path, name: str, processes: int) -> None:
    options = [
        "-m", "oidl", "run", f"--root-dir={root / name}", f"--images-csv={root / 'list.csv'}",
        "--no-download-metadata", "--resize-box-size=224", f"--max-host-connections={arguments.connections}",
        f"--processes={processes}", "--no-log-to-stdout",
    ]  # fmt: skip
    measured([*options, "--limit=0"])
    environment = dict(ENVIRONMENT)
    if arguments.instant:
        (root / "sitecustomize.py").write_text(SITECUSTOMIZE, "utf-8")
        environment["PYTHONPATH"] = os.pathsep.join([str(root), os.getcwd()])
    started, busy = time.perf_counter(), _busy_s()
    run = subprocess.Popen([sys.executable, *options, "--limit=100000000"], stdout=subprocess.DEVNULL, env=environment)
    seconds: dict[int, float] = {}
    while run.poll() is None:
        for pid in (run.pid, *descendants(run.pid)):
            with suppress(OSError):
                seconds[pid] = _cpu_s(Path(f"/proc/{pid}/stat"))
        time.sleep(_WATCH_S)
    took_s, busy = time.perf_counter() - started, _busy_s() - busy
    assert run.returncode == 0
    to_ms = 1000 / arguments.images
    coordinator = seconds.pop(run.pid) * to_ms
    workers = sum(seconds.values()) * to_ms
    rest = busy * to_ms - coordinator - workers
    print(
        f"| {processes} | {arguments.images / took_s:.0f} | {coordinator + workers:.2f} | {coordinator:.2f} | "
        f"{workers:.2f} | {rest:.2f} | {busy / took_s:.2f} |",
        flush=True,
    )


def _cpu_s(stat: Path) -> float:
    """The CPU seconds of a process, from its `/proc/PID/stat` (proc(5): fields 14 and 15)."""
    fields = stat.read_text("ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _busy_s() -> float:
    """The CPU seconds that all cores have worked since the start (proc(5): user, nice, system, irq, softirq)."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = Path("/proc/stat").read_text("ascii").split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / _TICKS_PER_S
