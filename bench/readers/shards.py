"""Shards as webdataset, `wids` and Hugging Face `datasets` read them, and `croissant.json` of a pack."""

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally

FACTS = ("images", "boxes", "largest class", "box pixels", "labels", "licences", "authors")
"""The facts about shards."""


class ShardTally:
    """What the samples so far have: images with their boxes, and labels, licences and authors."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._labels = 0
        self._keys: set[str] = set()
        self._licences: set[str] = set()
        self._authors: set[str] = set()

    def sample(
        self,
        size: tuple[int, int],
        facts: Mapping[str, Any],
        boxes: Iterable[Mapping[str, Any]],
        labels: int,
    ) -> None:
        """Counts a sample, whose image opened with `size`. Raises `ValueError` if it is not as its `facts` say."""
        width, height = size
        if (facts["width"], facts["height"]) != (width, height) or facts["image_id"] in self._keys:
            raise ValueError(f"{facts['image_id']} is {width} × {height}, or there twice")
        self._keys.add(facts["image_id"])
        self._licences.add(facts["license"])
        self._authors.add(facts["author"])
        self._labels += labels
        self._tally.image(
            (box["name"], (box["x_max"] - box["x_min"]) * width, (box["y_max"] - box["y_min"]) * height)
            for box in boxes
        )

    def webdataset(self, size: tuple[int, int], facts: Mapping[str, Any]) -> None:
        """Counts a sample of WebDataset by its JSON; otherwise as `sample`."""
        found = json.loads(facts["annotations"] or '{"boxes": [], "labels": []}')
        self.sample(size, facts, found["boxes"], len(found["labels"]))

    def facts(self) -> Facts:
        """The facts with the names in `FACTS`."""
        found = {"labels": self._labels, "licences": len(self._licences), "authors": len(self._authors)}
        return {**self._tally.facts(), **found}


def _shards(home: Path, suffix: str) -> dict[str, list[str]]:
    """The paths of the shards of each split or subset, the first part of their names."""
    found: dict[str, list[str]] = {}
    for path in sorted(home.rglob(f"*.{suffix}")):
        found.setdefault(path.name.partition("-")[0], []).append(str(path))
    return found


def shards_of(home: Path, suffix: str) -> list[str]:
    """The paths of all shards below `home`."""
    return [path for paths in _shards(home, suffix).values() for path in paths]


def webdataset(home: Path) -> Facts:
    """`WebDataset`, with its decoders."""
    import webdataset

    tally = ShardTally()
    for sample in webdataset.WebDataset(shards_of(home, "tar"), shardshuffle=False).decode("pil"):
        if sample["__key__"] != sample["json"]["key"]:
            raise ValueError(f"{sample['__key__']} has the key {sample['json']['key']}")
        tally.webdataset(sample["jpg"].convert("RGB").size, sample["json"])
    return tally.facts()


def wids(home: Path) -> Facts:
    """`ShardListDataset`: samples by their numbers, by the index `shards.json`."""
    import wids

    tally = ShardTally()
    with tempfile.TemporaryDirectory() as cache:
        found = wids.ShardListDataset(str(home / "shards.json"), cache_dir=cache, keep=True)
        for number in reversed(range(len(found))):
            sample = found[number]
            tally.webdataset(sample[".jpg"].convert("RGB").size, sample[".json"])
    return tally.facts()


def loaded(home: Path) -> Facts:
    """`load_dataset`, all of it, with the directory or, without a dataset card, with the files."""
    return _load(home, is_streaming=False)


def streamed(home: Path) -> Facts:
    """The same with `streaming=True`."""
    return _load(home, is_streaming=True)


def _load(home: Path, *, is_streaming: bool) -> Facts:
    tally = ShardTally()
    with tempfile.TemporaryDirectory() as cache:
        os.environ |= {"HF_HOME": cache, "HF_DATASETS_OFFLINE": "1"}
        from datasets import load_dataset

        how: dict[str, Any] = {"cache_dir": cache, "streaming": is_streaming}
        if (home / "README.md").is_file():
            splits = load_dataset(str(home), **how)
        else:
            splits = load_dataset("webdataset", data_files=_shards(home, "tar"), **how)
        for split in splits.values():
            for sample in split:
                if "image" in sample:  # Parquet
                    tally.sample(sample["image"].convert("RGB").size, sample, sample["boxes"], len(sample["labels"]))
                    continue
                tally.webdataset(sample["jpg"].convert("RGB").size, sample["json"])
    return tally.facts()


def croissant(home: Path) -> Facts:
    """The records of `images`. Raises `ValueError` if there is a warning about the description."""
    import mlcroissant

    warnings = _Warnings()
    logging.getLogger("absl").addHandler(warnings)
    described = mlcroissant.Dataset(jsonld=home / "croissant.json")
    warnings.messages += [*described.metadata.issues.errors, *described.metadata.issues.warnings]
    if warnings.messages:
        raise ValueError("; ".join(warnings.messages))
    records = list(described.records("images"))
    return {
        "images": len({record["images/image_id"] for record in records}),
        "licences": len({record["images/license"] for record in records}),
        "authors": len({record["images/author"] for record in records}),
    }


class _Warnings(logging.Handler):
    """Keeps the warnings that a library logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message."""
        self.messages.append(record.getMessage())
