"""How many worker processes there are, and what each of them gets."""

from pathlib import Path

import pytest

from oidl.cores import usable_cores
from oidl.node.pool import process_count, share, with_processes
from oidl.settings import Imaging, Layout, NetworkSettings, SourceSettings, WorkerSettings


@pytest.mark.parametrize(
    ("cores", "images", "expected"),
    [(16, 9_000_000, 8), (2, 9_000_000, 2), (1, 9_000_000, 1), (16, 10, 1), (16, 1999, 1), (16, 3000, 3), (4, 0, 1)],
)
def test_a_process_for_each_core_and_thousand_images(cores: int, images: int, expected: int) -> None:
    assert process_count(images, cores) == expected


def test_the_cores_are_those_that_this_process_may_use() -> None:
    assert process_count(10_000_000) == min(usable_cores(), 8)


def test_processes_cost_memory_that_bodies_could_have() -> None:
    transfers = NetworkSettings(memory_bytes=256 * 2**20)
    assert with_processes(transfers, 1) == transfers
    assert with_processes(transfers, 2).memory_bytes == 192 * 2**20
    assert with_processes(transfers, 4).memory_bytes == 128 * 2**20
    assert with_processes(transfers, 64).memory_bytes == 64 * 2**20


@pytest.mark.parametrize(("threads", "processes", "expected"), [(2, 2, 1), (8, 2, 4), (8, 3, 3), (1, 4, 1)])
def test_threads_and_bandwidth_are_shared_out(tmp_path: Path, threads: int, processes: int, expected: int) -> None:
    transfers = NetworkSettings(max_bytes_per_s=6e6)
    layout = Layout(tmp_path, "v7")
    whole = WorkerSettings(0, transfers, layout, SourceSettings(), Imaging(), threads, "0a1b2c3d")
    part = share(whole, processes)
    assert part.threads == expected
    assert part.transfers.max_bytes_per_s == 6e6 / processes
    assert part.transfers.max_total_connections == transfers.max_total_connections


def test_bandwidth_is_shared_by_no_more_processes_than_there_are_connections(tmp_path: Path) -> None:
    transfers = NetworkSettings(max_total_connections=2, max_bytes_per_s=6e6)
    whole = WorkerSettings(0, transfers, Layout(tmp_path, "v7"), SourceSettings(), Imaging(), 2, "0a1b2c3d")
    assert share(whole, 4).transfers.max_bytes_per_s == 3e6
