"""What the web page costs a run: the same run without it, with it, and with fifty clients that never read."""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.measure import machine, measured
from bench.site import make_photos, served, write_list
from oidl.state.counts import read_runs
from oidl.state.database import open_reader

_ADDRESS = re.compile(r"the web page is at http://([^:]+):(\d+)/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=50)


def run(arguments: argparse.Namespace) -> None:
    """Prints images per second of each kind of run, medians over the rounds, and their ratio to the plain one.

    The kinds take turns, so that whatever else the machine does meets them all alike.
    """
    print(f"{machine()}; {arguments.images} thumbnails, {arguments.rounds} rounds")
    kinds: dict[str, int | None] = {"without the page": None, "the page, nobody there": 0}
    kinds[f"{arguments.clients} clients that never read"] = arguments.clients
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as somebody else
        with served(root) as (base_url, _):
            photos = make_photos(root / "photos", 640, 480, 85, arguments.images)
            write_list(root / "list.csv", base_url, photos, root)
            rounds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
            for _ in range(arguments.rounds):
                for kind, clients in kinds.items():
                    rounds[kind].append(_run(root, clients))
    print(
        "\n| | img/s | of a run without the page | CPU ms an image | of a run without the page |\n|---|---|---|---|---|"
    )
    plain_s, plain_cpu_s = _medians(rounds["without the page"])
    for kind, found in rounds.items():
        run_s, cpu_s = _medians(found)
        cpu_ms = 1000 * cpu_s / arguments.images
        speed = arguments.images / run_s
        print(f"| {kind} | {speed:.0f} | {plain_s / run_s:.3f} | {cpu_ms:.2f} | {cpu_s / plain_cpu_s:.3f} |")


def _medians(rounds: list[tuple[float, float]]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def _run(root: Path, clients: int | None) -> tuple[float, float]:
    """Seconds of a run as its row has them, and of CPU in all; on its page there are so many clients."""
    home = root / f"out-{time.time_ns()}"
    options = [
        "-m", "oidl", "run", f"--root-dir={home}", f"--images-csv={root / 'list.csv'}", "--no-download-metadata",
        "--max-host-connections=32", "--no-log-to-stdout", "--no-export-csv",
    ]  # fmt: skip
    measured([*options, "--limit=0"])
    page = [] if clients is None else ["--web"]
    process = subprocess.Popen([sys.executable, *options, *page], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    stuck: list[socket.socket] = []
    for line in process.stderr:  # to its end, so that it is never full
        if found := _ADDRESS.search(line):
            stuck = [_stuck_client(found[1], int(found[2])) for _ in range(clients or 0)]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    for client in stuck:
        client.close()
    db = open_reader(home / "oidl.sqlite3")
    elapsed_s = read_runs(db, 1)[0].elapsed_s
    db.close()
    return elapsed_s, usage.ru_utime + usage.ru_stime


def _stuck_client(host: str, port: int) -> socket.socket:
    """A client that follows the run, and reads nothing of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with suppress(OSError):
        client.connect((host, port))
        client.sendall(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return client
