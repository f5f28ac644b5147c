"""Measures a command from outside, with its child processes: wall and CPU seconds and peak memory."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oidl.cores import usable_cores

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment of a measured program: it keeps its compiled modules, as an installed program does."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that a command used; `peak_mb` is the largest sum of the resident sets of its processes, in MiB.

    Memory that processes share, such as code, is counted for each of them.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit_code: int
    output: str


def measured(arguments: Sequence[str], directory: Path | None = None) -> Usage:
    """Runs `python arguments` in `directory` to its end and measures it, with the processes that it waits for."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=directory,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    has_ended, peaks = threading.Event(), [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, has_ended, peaks))
    watcher.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    has_ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        wall_s=time.perf_counter() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=max(usage.ru_maxrss * 1024, *peaks) / 2**20,
        exit_code=process.returncode,
        output=output,
    )


PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_WATCH_S = 0.2


def resident_bytes(pid: int) -> int:
    """The sum of the resident sets of a process and its descendants; 0 if it has ended."""
    total = 0
    for each in (pid, *descendants(pid)):
        with suppress(OSError):
            total += int(Path(f"/proc/{each}/statm").read_text("ascii").split()[1]) * PAGE_BYTES
    return total


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, those that they have started, and so on, as far as they live."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                found += [int(child), *descendants(int(child))]
    return found


def _watch(pid: int, has_ended: threading.Event, peaks: list[int]) -> None:
    while not has_ended.wait(_WATCH_S):
        peaks.append(resident_bytes(pid))


def machine() -> str:
    """The machine and the day, for the line above a table of figures."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{usable_cores()} cores, {memory_gb:.0f} GB, Python {python}, {time.strftime('%Y-%m-%d')}"
