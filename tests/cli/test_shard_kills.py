"""`python -m bench torture --shards`: kills at chosen instants cost no image, and leave none in two shards."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(("shards", "processes", "kills"), [("webdataset", 1, 6), ("tfrecord", 4, 3)])
def test_runs_that_are_killed_again_and_again_have_each_image_in_one_shard_once_and_whole(
    shards: str, processes: int, kills: int
) -> None:
    options = [f"--shards={shards}", f"--processes={processes}", f"--kills={kills}", "--images=30"]
    options.append(f"--seed={random.randrange(10**6)}")
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "torture", *options], cwd=_PROJECT, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, f"{options[-1]}\n{ended.stdout}\n{ended.stderr}"
    assert "each image in one shard of each rendition, once and whole" in ended.stdout
