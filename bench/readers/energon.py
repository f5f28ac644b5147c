"""A pack of WebDataset shards as NVIDIA Energon prepares and reads it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.shards import ShardTally

_PARTS = {"train": "train", "val": "validation", "test": "test"}


def prepared(home: Path) -> Facts:
    """`energon prepare` on a copy, since it writes next to the shards, and then the samples of each split part."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(home, copy, dirs_exist_ok=True)
        _prepare(copy)
        return _read(copy)


def _prepare(home: str) -> None:
    parts = [f"--split-parts={part}:{split}-.*\\.tar" for part, split in _PARTS.items()]
    ended = subprocess.run(
        [
            str(Path(sys.executable).with_name("energon")), "prepare", "--non-interactive", "--no-progress", *parts,
            "--sample-type=CrudeWebdataset", "--media-metadata-by-extension", home,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode or not Path(home, ".nv-meta/index.sqlite").is_file():
        raise ValueError(f"energon prepare ended with {ended.returncode}: {ended.stderr or ended.stdout}")


def _read(home: str) -> Facts:
    from megatron.energon import (
        CaptioningSample,
        Cooker,
        DefaultTaskEncoder,
        WorkerConfig,
        basic_sample_keys,
        get_loader,
        get_val_dataset,
        stateless,
    )

    def cook(sample: dict[str, Any]) -> Any:
        return CaptioningSample(**basic_sample_keys(sample), image=sample["jpg"], caption=sample["json"])

    encoder = DefaultTaskEncoder()
    encoder.cookers = [Cooker(stateless(cook))]
    tally = ShardTally()
    for part in _PARTS:
        found = get_val_dataset(
            home,
            split_part=part,
            worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
            batch_size=None,
            task_encoder=encoder,
        )
        for sample in get_loader(found):
            _, height, width = sample.image.shape
            tally.webdataset((width, height), sample.caption)
    return tally.facts()
