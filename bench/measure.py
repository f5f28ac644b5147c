"""Measures one process from outside: wall and CPU seconds and peak memory, as the kernel counts them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from oidl.cores import usable_cores


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that one process used; `peak_mb` is its largest resident set in MiB."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit_code: int
    output: str


def measured(arguments: Sequence[str]) -> Usage:
    """Runs `python arguments` to its end and measures it."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        wall_s=time.perf_counter() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        exit_code=process.returncode,
        output=output,
    )


PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def machine() -> str:
    """The machine and the day, for the line above a table of figures."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{usable_cores()} cores, {memory_gb:.0f} GB, Python {python}, {time.strftime('%Y-%m-%d')}"
