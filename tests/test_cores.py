"""The number of usable cores: by affinity, and by the quota of control groups of both versions, from fake files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oidl.cores import usable_cores


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The usable cores of a machine with eight: `/proc/self/cgroup` has `groups`, and `/sys/fs/cgroup` has `files`."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    def cores(groups: str, **files: str) -> int:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return usable_cores(tmp_path)

    return cores


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/slurm/job_3\n", {"slurm/job_3/cpu.max": "300000 100000"}, 3),
        ("0::/slurm/job_3\n", {"slurm/cpu.max": "400000 100000", "slurm/job_3/cpu.max": "max 100000"}, 4),
        ("0::/slurm/job_3\n", {"slurm/cpu.max": "400000 100000", "slurm/job_3/cpu.max": "500000 100000"}, 4),
        ("0::/slurm/job_3\n", {"slurm/job_4/cpu.max": "100000 100000"}, 8),
        ("0::/../..\n", {"cpu.max": "500000 100000"}, 5),
        ("0::/a:b\n", {"a:b/cpu.max": "500000 100000"}, 5),
        ("0::/\n", {"cpu.max": "what is this\n"}, 8),
        ("0::/\n", {"cpu.max": "100000 0\n"}, 8),
    ],
)
def test_the_quota_of_version_2(groups: str, files: dict[str, str], cores: int, machine: Callable[..., int]) -> None:
    assert machine(groups, **files) == cores


@pytest.mark.parametrize(
    ("groups", "quota", "period", "cores"),
    [
        ("4:cpu,cpuacct:/docker/1f\n", "250000", "100000", 3),
        ("4:cpuacct,cpu:/docker/1f\n0::/docker/1f\n", "50000", "25000", 2),
        ("4:cpu:/docker/1f\n", "-1", "100000", 8),
        ("4:cpuset:/docker/1f\n3:memory:/docker/1f\n", "100000", "100000", 8),
    ],
)
@pytest.mark.parametrize("where", ["cpu", "cpu/docker/1f"])
def test_the_quota_of_version_1(
    groups: str, quota: str, period: str, cores: int, where: str, machine: Callable[..., int]
) -> None:
    files = {f"{where}/cpu.cfs_quota_us": f"{quota}\n", f"{where}/cpu.cfs_period_us": f"{period}\n"}
    assert machine(groups, **files) == cores


@pytest.mark.parametrize("groups", ["", "no such line\n", "0::/\n1:name=systemd:/\n"])
def test_without_a_quota_it_is_the_cores_that_the_process_may_run_on(
    groups: str, machine: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 7})
    assert machine(groups) == 3


def test_a_machine_without_control_groups_has_its_cores(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))
