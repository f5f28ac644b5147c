"""The place of an image in a shard, as text in `file.path`: the path of the shard, `#`, and where the image begins.

    v7/train/images-resized/train-000012.tar#1536

The image is as many bytes from there as `file.bytes` says. A shard that is still being written has a temporary name
until it is complete; the path in the database is its final one from the beginning.
"""

import os
import re
from io import FileIO
from pathlib import Path, PurePath
from typing import NamedTuple

_PLACE = re.compile(r"(.*\.(?:tar|tfrecord))#(0|[1-9][0-9]{0,15})", re.DOTALL)
_SHARD = re.compile(r"(.+)-[0-9]{6,9}\.(?:tar|tfrecord)")
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
OPEN_SUFFIX = ".part"
"""Added to the name of a shard that is not complete."""


class Place(NamedTuple):
    """The place of an image: the path of its shard, as recorded, and the offset of its first byte."""

    shard: str
    at: int

    def __str__(self) -> str:
        return f"{self.shard}#{self.at}"


def place_of(recorded: str) -> Place | None:
    """The place that `recorded`, a value of `file.path`, names; None if it is a file of its own."""
    if "#" not in recorded:  # of a million files, almost all
        return None
    match = _PLACE.fullmatch(recorded)
    return Place(match[1], int(match[2])) if match else None


def shard_subset(name: str) -> str | None:
    """The subset of a shard that a run writes, by the name of its file; None if runs give no such name."""
    match = _SHARD.fullmatch(name)
    return match[1] if match else None


def format_suffix(image_format: str) -> str:
    """The suffix, without a dot, of the images in shards that have this format."""
    return _SUFFIXES.get(image_format, image_format)


def image_suffix(recorded: str, image_format: str) -> str:
    """The suffix, with its dot, of an image that is at `recorded`, a value of `file.path`.

    A place in a shard has none, so there it is that of `image_format`.
    """
    return f".{format_suffix(image_format)}" if place_of(recorded) else PurePath(recorded).suffix


def read_recorded(root_dir: Path, recorded: str, size: int) -> bytes:
    """The bytes of an image of which the database says where it is (`file.path`) and how long (`file.bytes`).

    Fewer bytes if a shard ends before, and one more than `size` if a file of its own is longer. Raises `OSError`.
    """
    place = place_of(recorded)
    if place is None:
        # Not by `open` and `Path`, which take as long as the kernel does for a small file.
        fd = os.open(os.path.join(root_dir, recorded), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read(fd, size + 1, 0)
        finally:
            os.close(fd)
    with open_shard(root_dir / place.shard) as file:
        return _read(file.fileno(), size, place.at)


def _read(fd: int, size: int, at: int) -> bytes:
    data = os.pread(fd, size, at)
    while len(data) < size and (more := os.pread(fd, size - len(data), at + len(data))):
        data += more
    return data


def open_shard(path: Path) -> FileIO:
    """Opens a shard, complete or not, for reading. Never waits, not even for a named pipe. Raises `OSError`."""
    try:
        return open_file(path)
    except FileNotFoundError:
        try:
            return open_file(Path(f"{path}{OPEN_SUFFIX}"))
        except FileNotFoundError:
            return open_file(path)  # it was completed meanwhile; or this names the file that is missing


def open_file(path: Path) -> FileIO:
    """Opens a file for reading. Never waits, not even for a named pipe. Raises `OSError`."""
    return open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
