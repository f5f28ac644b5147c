"""Makes a process of `oidl run` kill itself at a chosen instant of its work on shards.

Public functions of the program are wrapped: in the run itself before it begins, and in its workers by a module
`sitecustomize`, which Python imports at their start.
"""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

_VARIABLE = "BENCH_SUICIDE"
_SITECUSTOMIZE = """
import sys

if "oidl.node.child" in sys.orig_argv:
    from bench.shard_suicide import watch_worker

    watch_worker()
"""

WRITING = ("append-before", "append-middle", "append-after")
"""Around the write of a record, or when half of its bytes are written; in whichever process writes it."""
COORDINATING = (
    "commit-before", "commit-after", "open-before", "open-after",
    "seal-before", "seal-middle", "seal-fsync", "rename-before", "rename-after", "sealed-before", "sealed-after",
)  # fmt: skip
"""Around a commit, the row of a new shard, the end marker (in its middle too), the final name and the row of that."""
COPYING = (
    "copy-before", "copy-middle", "copy-fsync", "copy-after", "moved-before", "moved-after",
    "remove-before", "remove-after", "cut-before", "cut-after",
)  # fmt: skip
"""Around the copy of a shard, its rows and the removal of the old one; and around the cut of what has no row."""


class Instant(NamedTuple):
    """The `number`-th time of `name`; the process that reaches it first makes the file `mark`."""

    name: str
    number: int
    mark: str


class _Suicide:
    """Kills this process at the first of some instants that no other process had."""

    def __init__(self) -> None:
        instants = [Instant(*each) for each in json.loads(os.environ.get(_VARIABLE, "[]"))]
        self._instants = {each.name: each for each in instants}
        self._counts = {each.name: count(1) for each in instants}

    def is_due(self, name: str) -> bool:
        """Whether this is the instant."""
        instant = self._instants.get(name)
        if instant is None or next(self._counts[name]) != instant.number:
            return False
        try:
            os.close(os.open(instant.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def at(self, name: str) -> None:
        """Kills this process if this is the instant."""
        if self.is_due(name):
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, function: str, name: str) -> None:
        """Lets a function be an instant before and after each call."""
        really = getattr(owner, function)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.at(f"{name}-before")
            result = really(*arguments, **options)
            self.at(f"{name}-after")
            return result

        setattr(owner, function, wrapped)

    def within(self, owner: Any, function: str, name: str, half: Callable[..., None]) -> None:
        """The same, with an instant when a half is done, and one before what it has written is on the disk."""
        really, fsync = getattr(owner, function), os.fsync

        def wrapped(*arguments: Any) -> Any:
            if self.is_due(f"{name}-middle"):
                half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            os.fsync = synced  # type: ignore[assignment]
            try:
                return really(*arguments)
            finally:
                os.fsync = fsync

        def synced(fd: int) -> None:
            self.at(f"{name}-fsync")
            fsync(fd)

        setattr(owner, function, wrapped)
        self.around(owner, function, name)


def prepare(directory: Path, instants: Sequence[Instant]) -> dict[str, str]:
    """The environment of a run that kills itself at the first of `instants`; writes a module to `directory`."""
    (directory / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    home = Path(__file__).parents[1]
    path = os.pathsep.join(filter(None, (str(directory), str(home), os.environ.get("PYTHONPATH"))))
    return {_VARIABLE: json.dumps(instants), "PYTHONPATH": path}


def watch_worker() -> None:
    """Watches the writes to shards of this process."""
    suicide = _Suicide()
    pwrite = os.pwrite

    def half(fd: int, data: bytes, at: int) -> None:
        pwrite(fd, bytes(data)[: len(data) // 2], at)

    suicide.within(os, "pwrite", "append", half)


def watch_coordinator() -> None:
    """Watches all that this process does with shards."""
    from oidl.pipeline import shards
    from oidl.state.connection import StateConnection
    from oidl.storage.shards.files import copy_ranges, open_path

    suicide = _Suicide()

    def execute(db: StateConnection, statement: str, *values: Any) -> sqlite3.Cursor:
        is_commit = statement == "COMMIT" and db.in_transaction
        if is_commit:
            suicide.at("commit-before")
        result = sqlite3.Connection.execute(db, statement, *values)
        if is_commit:
            suicide.at("commit-after")
        return result

    def half_sealed(path: Path, size: int, end: bytes) -> None:
        with open(open_path(path), "ab") as file:
            file.write(end[: len(end) // 2])

    def half_copied(source: Path, ranges: Sequence[Any], target: Path) -> None:
        copy_ranges(source, ranges[: len(ranges) // 2], target)

    StateConnection.execute = execute  # type: ignore[assignment]
    suicide.within(shards, "seal_shard", "seal", half_sealed)
    suicide.within(shards, "copy_ranges", "copy", half_copied)
    for function, name in (
        ("open_shard", "open"),
        ("record_sealed", "sealed"),
        ("record_moved", "moved"),
        ("cut_shard", "cut"),
        ("remove_shard", "remove"),
    ):
        suicide.around(shards, function, name)
    suicide.around(os, "rename", "rename")
