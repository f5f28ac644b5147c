"""The cost of the web page: a run without it, a run with it, and runs whose page is under attack."""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.attacks import ATTACKS
from bench.measure import machine, measured
from bench.site import make_photos, served, write_image_list
from oidl.state.counts import read_runs
from oidl.state.database import connect_reader

_ADDRESS = re.compile(r"the web page is at http://[^:]+:(\d+)/")
_WITH_TOKEN = ("cookies",)  # attacks on something that only a page with a token does
_WARM_IMAGES = 300
_BEFORE_S = 5.0
_ATTACK_S = 10.0
_RECOVERED = 0.8
_PATIENCE_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=4000, help="images of a run without an attack")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of runs without an attack")
    parser.add_argument("--attacked-images", type=int, default=30_000)
    parser.add_argument("--only", default="", help="run only attacks whose name contains this")


def run(arguments: argparse.Namespace) -> None:
    """Prints two tables: the speed with and without the page; the speed, memory and end of a run under each attack."""
    count = max(arguments.images, arguments.attacked_images)
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root = Path(name)
        root.chmod(0o755)  # nginx started by root reads as another user
        with served(root) as (base_url, _):
            photos = make_photos(root / "photos", 640, 480, 85, count)
            write_image_list(root / "list.csv", base_url, photos[: arguments.images], root)
            write_image_list(root / "long.csv", base_url, photos, root)
            if not arguments.only:
                _compare(root, arguments)
            print(f"\n{machine()}; each attack lasts {_ATTACK_S:.0f} s, the clients have the lowest priority\n")
            print(
                "| attack | img/s before | during | ratio | CPU ms of the run an image | during | s to recover | "
                "s to answer another client | MB of the run | of the page | tracebacks | s from Ctrl-C twice |"
            )
            print("|" + "---|" * 12)
            for attack in ATTACKS:
                if arguments.only in attack:
                    print(_attacked(root, attack), flush=True)


def _compare(root: Path, arguments: argparse.Namespace) -> None:
    """The kinds take turns, so that other load on the machine affects all of them alike."""
    print(f"{machine()}; {arguments.images} thumbnails, {arguments.rounds} rounds")
    kinds = {"without the page": False, "the page, with no clients": True}
    rounds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(arguments.rounds):
        for kind, has_page in kinds.items():
            rounds[kind].append(_run(root, has_page=has_page))
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


def _options(home: Path, images_csv: Path) -> list[str]:
    return [
        "-m", "oidl", "run", f"--root-dir={home}", f"--images-csv={images_csv}", "--no-download-metadata",
        "--max-host-connections=32", "--no-log-to-stdout", "--no-export-csv", "--min-free=0",
    ]  # fmt: skip


def _run(root: Path, *, has_page: bool) -> tuple[float, float]:
    """The seconds of a run, from its row in the database, and its CPU seconds in total."""
    home = root / f"out-{time.time_ns()}"
    options = _options(home, root / "list.csv")
    measured([*options, "--limit=0"])
    process = subprocess.Popen(
        [sys.executable, *options, *(["--web"] if has_page else [])], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    db = connect_reader(home / "oidl.sqlite3")
    elapsed_s = read_runs(db, 1)[0].elapsed_s
    db.close()
    return elapsed_s, usage.ru_utime + usage.ru_stime


@dataclass
class _ObservedRun:
    """A run and its page, observed from outside."""

    process: subprocess.Popen[bytes]
    home: Path
    run_mb: int = 0
    page_mb: int = 0

    def done(self) -> int:
        """The number of images that are done."""
        db = connect_reader(self.home / "oidl.sqlite3")
        count: int = db.execute("SELECT count(*) FROM download WHERE status = 'done'").fetchone()[0]
        db.close()
        return count

    def speed(self, seconds: float) -> tuple[float, float]:
        """Images per second over `seconds`, and CPU milliseconds of the run per image; updates the peak memory."""
        first, began, cpu_s = self.done(), time.monotonic(), _cpu_s(self.process.pid)
        while time.monotonic() < began + seconds:
            time.sleep(0.25)
            self.run_mb = max(self.run_mb, _resident_mb(self.process.pid))
            self.page_mb = max([self.page_mb, *map(_resident_mb, _children(self.process.pid))])
        images = max(1, self.done() - first)
        return images / (time.monotonic() - began), 1000 * (_cpu_s(self.process.pid) - cpu_s) / images


def _attacked(root: Path, attack: str) -> str:
    home = root / f"out-{time.time_ns()}"
    options = _options(home, root / "long.csv")
    measured([*options, "--limit=0"])
    at = "0.0.0.0:0" if any(word in attack for word in _WITH_TOKEN) else "127.0.0.1:0"
    errors = home / "stderr.txt"
    with open(errors, "wb") as file:
        process = subprocess.Popen([sys.executable, *options, f"--web={at}"], stderr=file)
    observed = _ObservedRun(process, home)
    try:
        while not (found := _ADDRESS.search(errors.read_text())):
            time.sleep(0.1)
        while observed.done() < _WARM_IMAGES and process.poll() is None:
            time.sleep(0.2)
        before, cpu_before = observed.speed(_BEFORE_S)
        with _attack(attack, found[1], _ATTACK_S) as attacker:
            answer_s = _answer_s(f"http://127.0.0.1:{found[1]}/")
            during, cpu_during = observed.speed(_ATTACK_S - 2 - min(answer_s, 5))
            attacker.wait()
        over = time.monotonic()
        while (is_slow := observed.speed(1)[0] < _RECOVERED * before) and time.monotonic() < over + _PATIENCE_S:
            pass
        recovered = f"> {_PATIENCE_S:.0f}" if is_slow else f"{time.monotonic() - over:.1f}"
        with _attack(attack, found[1], _PATIENCE_S) as attacker:
            time.sleep(2)
            signalled = time.monotonic()
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.5)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
            ended_s = time.monotonic() - signalled
            attacker.kill()
    finally:
        process.kill()
        process.wait()
    tracebacks = errors.read_text().count("Traceback")
    return (
        f"| {attack} | {before:.0f} | {during:.0f} | {during / before:.2f} | {cpu_before:.2f} | {cpu_during:.2f} | "
        f"{recovered} | {answer_s:.2f} | {observed.run_mb} | {observed.page_mb} | {tracebacks} | {ended_s:.1f} |"
    )


def _attack(attack: str, port: str, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.attacks", attack, port, str(seconds)], stderr=subprocess.DEVNULL
    )


def _answer_s(url: str) -> float:
    """Seconds until a friendly client gets an answer, two seconds into an attack; 10 means never."""
    time.sleep(2)
    began = time.monotonic()
    with suppress(OSError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10).close()
    return time.monotonic() - began


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(stat.parent.name))
    return found


def _cpu_s(pid: int) -> float:
    with suppress(OSError):
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _resident_mb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
    return 0
