"""`oidl pack --cluster`: workers of Dask write the shards; without it, nothing of Dask is there."""

import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from refusals import assert_one_clear_line

Pack = Callable[..., CompletedProcess[str]]


@pytest.fixture
def downloaded(annotated: Any, run: Any) -> None:
    """60 images with boxes and labels."""
    assert run(annotated, "--resize-box-size=64", "--load-annotations").returncode == 0


@pytest.fixture
def arguments(root: Path) -> tuple[str, ...]:
    return ("pack", f"--root-dir={root}", "--shard-samples=7", "--idx")


def test_nothing_of_dask_is_needed_unless_asked_for_and_then_one_line_says_what_to_install(
    fine, run, oidl, arguments, root: Path, tree
) -> None:
    assert run(fine, "--limit=3").returncode == 0
    program = (
        "import sys; from oidl.cli import main; assert main(sys.argv[1:-1]) == 0; "
        "assert not {'dask', 'distributed', 'tornado'} & sys.modules.keys(), sys.modules.keys(); "
        "sys.modules['distributed'] = None; sys.exit(main())"
    )
    ended = oidl.process(*arguments, "--again", "--cluster=local:2", program=program)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "oidl: --cluster needs the package distributed, which is not installed",
        "  install it with `pip install 'oidl[cluster]'`",
    ]
    assert tree(root / "2017_11/pack")


def test_an_address_that_cannot_be_one_is_refused(oidl, arguments) -> None:
    ended = oidl(*arguments, "--cluster=local:0")
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert "--cluster" in ended.stderr


def test_a_scheduler_that_is_not_there_costs_no_shard(fine, run, oidl, arguments, root: Path, tree) -> None:
    assert run(fine).returncode == 0
    assert oidl(*arguments).returncode == 0
    before = tree(root / "2017_11/pack")
    ended = oidl.process(
        *arguments,
        "--again",
        "--cluster=tcp://127.0.0.1:9",
        env={"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    )
    assert ended.returncode == 2
    assert "tcp://127.0.0.1:9 cannot be used" in ended.stderr
    assert tree(root / "2017_11/pack") == before


@pytest.mark.slow
def test_workers_write_the_bytes_of_one_machine_and_ctrl_c_leaves_nothing(
    downloaded: None, oidl, arguments, root: Path, tmp_path: Path, tree, wait_until
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert oidl(*arguments, f"--dest={here}").returncode == 0
    process = oidl.start(*arguments, f"--dest={there}", "--cluster=local:2")
    wait_until(lambda: list(there.glob(".cluster*")))
    process.send_signal(signal.SIGINT)
    ended = oidl.end(process)
    assert ended.returncode == 130, ended.stderr
    assert "stopped; any complete shards stay" in ended.stderr
    assert not list(there.glob(".*"))
    ended = oidl.process(*arguments, f"--dest={there}", "--cluster=local:2")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == oidl(*arguments, f"--dest={here}", "--again").stdout.replace(str(here), str(there))
    assert tree(there) == tree(here)
