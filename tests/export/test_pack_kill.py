"""A pack that was killed, at any of its instants, is resumed to the same bytes and the same rows."""

import subprocess
import sys
from pathlib import Path

import pytest
from labelled import LabelledRoot

HOME = Path(__file__).parents[2]


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
    ended = subprocess.run(
        [sys.executable, "-m", "bench.pack_kills", labelled_root.root, tmp_path, form, scenario],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 80
