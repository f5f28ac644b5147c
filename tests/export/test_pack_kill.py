"""A pack that was killed, at any of its instants, is resumed to the same bytes and the same rows.

Each test kills at every ninth instant, from a first one that is drawn; `python -m bench torture --pack` at all of them.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from labelled import LabelledRoot

HOME = Path(__file__).parents[2]
STEP = 9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "scenario"),
    [
        ("webdataset", "first"),
        ("webdataset", "again"),
        ("webdataset", "missing"),
        ("tfrecord", "lost"),
        ("parquet", "missing"),
    ],
)
def test_no_kill_changes_what_comes_out(form: str, scenario: str, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    first = str(random.randint(1, STEP))
    ended = subprocess.run(
        [sys.executable, "-m", "bench.pack_kills", labelled_root.root, tmp_path, form, scenario, first, str(STEP)],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"from instant {first} on\n{ended.stderr}"
    kills, last = map(int, ended.stdout.split())
    assert last > 80 - STEP
    assert kills == 1 + (last - int(first)) // STEP
