"""Index files for NVIDIA DALI: where the members or records of a complete shard are.

A tar has the text that DALI's `wds2idx` writes, version 1.2: a line with the number of samples, and one for each of
them with suffix, offset, size and name of its members. A TFRecord has that of `tfrecord2idx`: offset and length of each
record.
"""

import os
import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from oidl.storage.atomic import atomic_text

_BLOCK = 512
_HEADER = struct.Struct("<Q")
_FRAME = 16  # of a record: its length, and two checksums


class Member(NamedTuple):
    """A file in a tar: its name, the offset of its first byte and its length."""

    name: str
    at: int
    bytes: int


def write_index(shard: Path, path: Path) -> None:
    """Writes the index of a shard of `oidl` to `path`. Raises `DiskError`."""
    with open(shard, "rb") as file, atomic_text(path) as out:
        if shard.suffix == ".tar":
            samples = [list(members) for _, members in groupby(tar_members(file), lambda each: _split(each.name)[0])]
            out.write(f"v1.2 {len(samples)}\n")
            for members in samples:
                parts = (f"{_split(each.name)[1]} {each.at} {each.bytes} {each.name}" for each in members)
                out.write(f"{' '.join(parts)}\n")
        else:
            out.writelines(f"{at} {size}\n" for at, size in tfrecord_records(file))


def tar_members(file: BinaryIO) -> Iterator[Member]:
    """The members of a tar that `oidl` wrote."""
    at = 0
    while (header := file.read(_BLOCK)) and header[0]:
        name, size = header[:100].rstrip(b"\0").decode("ascii"), int(header[124:135], 8)
        yield Member(name, at + _BLOCK, size)
        at += _BLOCK + size + -size % _BLOCK
        file.seek(at)


def tfrecord_records(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The offset and length of each record, frame included."""
    at = 0
    while header := file.read(_HEADER.size):
        size = _HEADER.unpack(header)[0] + _FRAME
        yield at, size
        at += size
        file.seek(at, os.SEEK_SET)


def _split(name: str) -> tuple[str, str]:
    key, _, suffix = name.partition(".")
    return key, suffix
