"""`--cluster`: nodes on a Dask cluster do what one machine does; without it, nothing of Dask is there."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from refusals import assert_one_clear_line

ROOT = Path(__file__).parents[2]
_OPTIONS = ("--resize-box-size=64", "--max-wait=20", "--no-download-metadata", "--min-free=0")
_MAIN = "import sys; from oidl.cli import main; code = main(); "


@pytest.fixture
def dataset(root: Path, fine: Any) -> tuple[str, ...]:
    return (f"--root-dir={root}", f"--catalogue={fine.catalogue}", *_OPTIONS)


def test_nothing_of_dask_is_imported_unless_asked_for(oidl, dataset) -> None:
    code = "assert not code and not {'dask', 'distributed', 'tornado'} & sys.modules.keys(), sys.modules.keys()"
    ended = oidl.process("run", *dataset, "--limit=3", program=_MAIN + code)
    assert ended.returncode == 0, ended.stderr


def test_without_the_extra_one_line_says_what_to_install(oidl, dataset, root: Path) -> None:
    blocked = "import sys; sys.modules['distributed'] = None; from oidl.cli import main; sys.exit(main())"
    ended = oidl.process("run", *dataset, "--cluster=local:2", program=blocked)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "oidl: --cluster needs the package distributed, which is not installed",
        "  install it with `pip install 'oidl[cluster]'`",
    ]
    assert not root.exists()


@pytest.mark.parametrize("address", ["local:0", "local", "scheduler:8786", "tcp://host", "http://host:1"])
def test_an_address_that_cannot_be_one_is_refused(oidl, dataset, address: str) -> None:
    ended = oidl("run", *dataset, f"--cluster={address}")
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert "--cluster" in ended.stderr


def test_shards_that_no_object_store_copies_are_refused(oidl, dataset, root: Path) -> None:
    ended = oidl("run", *dataset, "--cluster=local:2", "--remote=s3://x/y", "--no-keep-local", "--shard-size=6G")
    assert ended.returncode == 2
    assert "--shard-size: on a cluster with --no-keep-local, shards have 5 GB at most" in ended.stderr
    assert not root.exists()


def test_a_scheduler_that_is_not_there_is_named_before_anything_is_done(oidl, dataset, fine, root: Path) -> None:
    ended = oidl.process(
        "run", *dataset, "--cluster=tcp://127.0.0.1:9", env={"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    )
    assert ended.returncode == 2
    assert "connecting to tcp://127.0.0.1:9" in ended.stdout
    assert "tcp://127.0.0.1:9 cannot be used" in ended.stderr
    assert not fine.site.requests
    assert not root.exists()


@pytest.mark.slow
@pytest.mark.parametrize("output", ["files", "webdataset", "objects"])
def test_whatever_dies_or_sleeps_the_end_is_that_of_one_machine(output: str) -> None:
    """Three workers that are killed and frozen at random, a coordinator that is killed twice."""
    command = [sys.executable, "-m", "bench", "torture", "--cluster", "--runs=1", "--images=60", f"--into={output}"]
    seed = f"--seed={random.randrange(10**6)}"
    ended = subprocess.run([*command, seed], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, f"{seed}\n{ended.stdout}\n{ended.stderr}"
    assert f"run into {output}" in ended.stdout
    assert "coordinator killed" in ended.stdout
    assert "worker frozen" in ended.stdout
