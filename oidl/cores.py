"""How many cores this process may use: fewer than the machine has, if its job or container may use only a part.

A part is assigned in two ways: by cores (CPU affinity, as set by `taskset` and batch systems), or by time (the CPU
quota of a control group, as in containers). With a thread for every core of the machine, the threads would only wait
for each other, or the whole group would be stopped for the rest of each period.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """The number of cores that this process may run on, or that its control groups allow, whichever is fewer.

    A part of a core counts as one. `root` is the directory that contains `proc` and `sys`.
    """
    quotas = [math.ceil(quota) for quota in _quotas(root)]
    return max(1, min([len(os.sched_getaffinity(0)), *quotas]))


def _quotas(root: Path) -> Iterator[float]:
    """The limits, in cores, of this process's control groups; the groups above a group limit it too."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text("utf-8").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":  # version 2, which has one tree for all
                mount, quota_of = root / "sys/fs/cgroup", _quota_of_version_2
            elif "cpu" in controllers.split(","):
                mount, quota_of = root / "sys/fs/cgroup/cpu", _quota_of_version_1
            else:
                continue
            # A container may see its path in a tree of which only its own part is mounted: that part is at the top.
            names = [name for name in path.split("/") if name not in ("", "..")]
            for depth in range(len(names) + 1):
                with suppress(OSError, ValueError, ZeroDivisionError):
                    if (quota := quota_of(mount.joinpath(*names[:depth]))) > 0:
                        yield quota


def _quota_of_version_2(group: Path) -> float:
    """The quota in `cpu.max`, in cores: `150000 100000` is microseconds per period; `max 100000`, no limit, is 0."""
    quota, period = (group / "cpu.max").read_text("ascii").split()
    return 0 if quota == "max" else int(quota) / int(period)


def _quota_of_version_1(group: Path) -> float:
    """The same from `cpu.cfs_quota_us` and `cpu.cfs_period_us`; less than 0 means no limit."""
    quota, period = (int((group / f"cpu.cfs_{name}_us").read_text("ascii")) for name in ("quota", "period"))
    return quota / period
