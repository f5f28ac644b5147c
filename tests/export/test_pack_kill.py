"""A pack that was killed, at any of its instants, is resumed to the same bytes and the same rows."""

import subprocess
import sys
from pathlib import Path

import pytest
from labelled import LabelledRoot

SCRIPT = Path(__file__).parents[1] / "killed.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "scenario"),
    [
        ("webdataset", "first"),
        ("webdataset", "again"),
        ("webdataset", "missing"),
        ("tfrecord", "first"),
        ("parquet", "missing"),
    ],
)
def test_no_kill_changes_what_comes_out(form: str, scenario: str, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    (missing, changed) = sorted(labelled_root.root.glob("v7/*/r/fillcrop/*/*.png"))[2:4]
    bodies = missing.read_bytes(), changed.read_bytes()
    if scenario == "missing":
        missing.unlink()
        changed.write_bytes(b"short")
    try:
        ended = subprocess.run(
            [sys.executable, SCRIPT, labelled_root.root, tmp_path, form, scenario],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        missing.write_bytes(bodies[0])
        changed.write_bytes(bodies[1])
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 100
