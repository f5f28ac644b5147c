"""Kills `oidl pack` at each of its instants, one after the other, and lets another process resume it.

An instant is a step of the pack, a statement of SQL, or a call that changes names or syncs. Every try has its own copy
of the database. It fails if what the second process left differs from an undisturbed pack: files, bytes, or rows.

`python -m bench torture --pack` does this in a demo, for all formats and scenarios, until there were enough kills;
`python -m bench.pack_kills ROOT WORK FORMAT SCENARIO FIRST STEP` does one of them, at the FIRST instant and each STEPth
after it, and prints the number of kills and the instant of the last.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any

import pyarrow

from bench.measure import machine
from bench.readers.outputs import oidl
from oidl.errors import UsageError
from oidl.export.pack.formats import FORMATS
from oidl.export.pack.job import pack
from oidl.export.pack.request import PackRequest
from oidl.settings import Selection
from oidl.state.database import connect_writer
from oidl.state.selection import select_images

SCENARIOS = ("first", "again", "missing", "lost")
"""A first pack; one that replaces shards of another recipe; one of whose images two have no file any more; and one that
makes shards again of which one is gone and one is too short."""

_LIMIT = 7
_MISSING = slice(2, 4)
_ROWS = (
    "SELECT directory, format, rendition, recipe, finished_at IS NOT NULL FROM shard_set",
    "SELECT split, number, path, state, samples, bytes, sha256 FROM shard ORDER BY path",
    "SELECT s.path, m.image_id, m.place, m.at, m.bytes FROM shard_member AS m JOIN shard AS s USING (shard_id) "
    "ORDER BY s.path, m.place",
    "SELECT image_id, status FROM download ORDER BY image_id",
    "SELECT image_id, rendition FROM file ORDER BY image_id, rendition",
)


def kill_packs(arguments: argparse.Namespace) -> None:
    """Prints how many kills there were of each format and scenario; fails at the first problem."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        root, work = Path(name) / "root", Path(name) / "work"
        oidl("demo", f"--root-dir={root}", "--images=60", "--progress=none")
        print(machine(), flush=True)
        began, kills = time.monotonic(), 0
        for seed in count(arguments.seed):
            for form, scenario in product(FORMATS, SCENARIOS):
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir()
                here, _ = Killings(root, work, form, scenario, "images-resized", seed).kill_everywhere()
                kills += here
                print(f"{here:5} {form}, {scenario}, seed {seed}", flush=True)
            if kills >= arguments.kills:
                break
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{kills} kills of `oidl pack` in {took}, at each instant of these: the next pack left the files, bytes "
              "and rows of one that was not disturbed")  # fmt: skip


class Killer:
    """Ends the process at the `at`-th instant, as `kill -9` does."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, *_: object) -> None:
        """One more instant."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with an instant before it."""

        def wrapped(*arguments: Any, **more: Any) -> Any:
            self()
            return function(*arguments, **more)

        return wrapped


@dataclass(frozen=True)
class Killings:
    """The kills of packs of a rendition of `root`, in a directory `work`; the images are drawn by `seed`."""

    root: Path
    work: Path
    form: str
    scenario: str
    rendition: str = "fillcrop"
    seed: int = 3
    dest: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dest", self.work / "shards")

    def kill_everywhere(self, first: int = 1, step: int = 1) -> tuple[int, int]:
        """Kills packs at the `first` instant and each `step`th after it.

        Returns the number of kills, and the instant of the last one.
        """
        if self.form == "parquet":
            pyarrow.array([1])  # imports pandas, once and not in every process
        self._prepare()
        more = {"again": True} if self.scenario == "again" else {}
        with self._files_missing():
            state_db = self.work / "reference.sqlite3"
            self._begin(state_db)
            assert _in_child(lambda: self._pack(state_db, **more))
            expected = self._outcome(state_db)
            assert [status for _, status in expected[1][3]].count("pending") == self._missing
            for kills, at in enumerate(count(first, step)):
                state_db = self.work / f"{at}.sqlite3"
                self._begin(state_db)
                if _in_child(lambda at=at, state_db=state_db: self._pack(state_db, at, **more)):  # type: ignore[misc]
                    assert self._outcome(state_db) == expected
                    return kills, at - step
                assert _in_child(lambda state_db=state_db: self._resume(state_db, **more))  # type: ignore[misc]
                assert self._outcome(state_db) == expected, f"{self.form}, {self.scenario}: killed at instant {at}"
                for path in self.work.glob(f"{at}.sqlite3*"):
                    path.unlink()
        raise AssertionError("count never ends")

    @property
    def _start(self) -> Path:
        return self.work / "start.sqlite3"

    @property
    def _missing(self) -> int:
        return _MISSING.stop - _MISSING.start if self.scenario == "missing" else 0

    def _prepare(self) -> None:
        """The database that every try begins with, and the shards, in `before`."""
        with (
            closing(sqlite3.connect(self.root / "oidl.sqlite3")) as source,
            closing(sqlite3.connect(self._start)) as db,
        ):
            source.backup(db)
            db.execute("UPDATE download SET status = 'done' WHERE status IN ('pending', 'retry')")
            db.commit()
        if self.scenario in ("again", "lost"):
            others = {"shard_samples": 2, "with_idx": False} if self.scenario == "again" else {}
            # In a process of its own, so that no try inherits libraries with threads.
            assert _in_child(lambda: self._pack(self._start, **others))
            shutil.move(self.dest, self.work / "before")
        if self.scenario == "lost":
            lost, damaged = sorted((self.work / "before").glob(f"*.{FORMATS[self.form].suffix}"))[:2]
            lost.unlink()
            os.truncate(damaged, damaged.stat().st_size - 1)

    def _begin(self, state_db: Path) -> None:
        shutil.rmtree(self.dest, ignore_errors=True)
        shutil.copyfile(self._start, state_db)
        if (self.work / "before").exists():
            shutil.copytree(self.work / "before", self.dest)

    def _pack(self, state_db: Path, at: int = 0, **more: Any) -> None:
        """Packs, and is killed at instant `at` if that is not 0."""
        with closing(connect_writer(state_db)) as db:
            selection = Selection(shuffle=True, seed=self.seed, limit=_LIMIT)
            form = FORMATS[self.form]
            values: dict[str, Any] = {
                "rendition": self.rendition,
                "shard_samples": 4,
                "dest": self.dest,
                "with_idx": form.has_records,
            }
            request = PackRequest(form, selection=selection, selected=select_images(db, selection), **values | more)
            if not at:
                pack(db, self.root, request)
                return
            killer = Killer(at)
            db.set_trace_callback(killer)
            for name in ("replace", "fsync", "unlink"):
                setattr(os, name, killer.wrap(getattr(os, name)))
            pack(db, self.root, request, killer)

    def _resume(self, state_db: Path, **more: Any) -> None:
        try:
            self._pack(state_db)
        except UsageError:  # the kill was before the new plan
            self._pack(state_db, **more)

    def _outcome(self, state_db: Path) -> tuple[dict[str, bytes], list[Any]]:
        """All files, and all rows that say something about them."""
        with closing(sqlite3.connect(state_db)) as db:
            rows = [db.execute(query).fetchall() for query in _ROWS]
        return {path.name: path.read_bytes() for path in self.dest.iterdir()}, rows

    @contextmanager
    def _files_missing(self) -> Iterator[None]:
        """In the scenario `missing`, one file that would be packed is gone and one is another, until the end."""
        if not self._missing:
            yield
            return
        with closing(connect_writer(self._start)) as db:
            select_images(db, Selection(shuffle=True, seed=self.seed, limit=_LIMIT))
            rows = db.execute(
                "SELECT path FROM temp.selected JOIN file USING (image_id) WHERE rendition = ? ORDER BY place LIMIT ?",
                (self.rendition, _LIMIT),
            ).fetchall()
        gone, changed = (self.root / path for (path,) in rows[_MISSING])
        bodies = {path: path.read_bytes() for path in (gone, changed)}
        try:
            gone.unlink()
            changed.write_bytes(b"short")
            yield
        finally:
            for path, body in bodies.items():
                path.write_bytes(body)


def _in_child(work: Callable[[], None]) -> bool:
    """Runs `work` in a process of its own; False if that was killed."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the pack failed"
    return not os.WIFSIGNALED(status)


if __name__ == "__main__":
    root, work, form, scenario, first, step = sys.argv[1:]
    print(*Killings(Path(root), Path(work), form, scenario).kill_everywhere(int(first), int(step)))
