"""`oidl run` in real time against some limiters of the simulation, for a minute each."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.limiting import ResponseCounts
from bench.site import make_photos, write_image_list

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class LiveScenario:
    """A limiter of `bench.limited`, the images per second that it allows, and the required first minute."""

    limiter: str
    allowed: float
    share: float  # minimum share of the allowed images
    refused: float | None  # maximum share of the requests
    max_rps: float | None = None


LIVE_SCENARIOS = (
    LiveScenario("40/s, burst 20", 40, 0.6, 0.05),
    LiveScenario("40/s and 1 % noise", 40, 0.85, None),
    LiveScenario("4 % noise", 60 * 0.96, 0.4, None, max_rps=60),  # as much as a slow machine can do
)


def play_live(scenario: LiveScenario, processes: int) -> tuple[float, float]:
    """The share of the allowed images that arrived in the first minute, and the share of requests refused."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        played = _play(scenario, Path(name), processes)
    return played.delivered(0, _SECONDS) / (scenario.allowed * _SECONDS), played.refused_share


def _play(scenario: LiveScenario, home: Path, processes: int) -> ResponseCounts:
    photos = make_photos(home / "photos", 320, 240, 80, int(2 * scenario.allowed * _SECONDS))
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.limited", f"--limiter={scenario.limiter}", f"--photos={home / 'photos'}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        write_image_list(home / "list.csv", server.stdout.readline().strip(), photos, home)
        options = [f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata"]
        if scenario.max_rps is not None:
            options.append(f"--max-rps={scenario.max_rps:g}")
        subprocess.run(
            [
                *(sys.executable, "-m", "oidl", "run", *options, f"--max-duration={_SECONDS + 10}s"),
                *("--max-host-connections=32", "--no-log-to-stdout", f"--processes={processes}"),
            ],
            stderr=subprocess.DEVNULL,
            check=False,  # it ends before all images are done
        )
    finally:
        server.terminate()
        output = server.stdout.read()
        server.wait()
    played = ResponseCounts(Counter(), Counter())
    for at_s, is_refused in json.loads(output):
        if at_s < _SECONDS:
            (played.refused if is_refused else played.answered)[int(at_s)] += 1
    return played
