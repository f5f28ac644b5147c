"""Kills a pack at each of its instants, one after the other, and lets another process resume it.

An instant is a step of the pack, a statement of SQL, or a call that changes names or syncs. Every try has its own copy
of the database. Run as `python killed.py ROOT WORK FORMAT SCENARIO`; it prints the number of kills, and fails if what
the second process left differs from an undisturbed pack: files, bytes, and rows.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow

from oidl.errors import UsageError
from oidl.export.pack.formats import FORMATS
from oidl.export.pack.job import pack
from oidl.export.pack.request import PackRequest
from oidl.settings import Selection
from oidl.state.database import connect_writer
from oidl.state.selection import select_images

_ROWS = (
    "SELECT directory, format, rendition, recipe, finished_at IS NOT NULL FROM shard_set",
    "SELECT split, number, path, state, samples, bytes, sha256 FROM shard ORDER BY path",
    "SELECT s.path, m.image_id, m.place, m.at, m.bytes FROM shard_member AS m JOIN shard AS s USING (shard_id) "
    "ORDER BY s.path, m.place",
    "SELECT image_id, status FROM download ORDER BY image_id",
    "SELECT image_id, rendition FROM file ORDER BY image_id, rendition",
)


class Killer:
    """Ends the process at the `at`-th instant, as `kill -9` does."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with an instant before it."""

        def wrapped(*arguments: Any, **more: Any) -> Any:
            self()
            return function(*arguments, **more)

        return wrapped


def packed(root: Path, state_db: Path, dest: Path, form: str, at: int = 0, **more: Any) -> None:
    """Packs, and is killed at instant `at` if that is not 0."""
    with closing(connect_writer(state_db)) as db:
        selection = Selection(shuffle=True, seed=3, limit=7)
        values = {"rendition": "fillcrop", "shard_samples": 4, "dest": dest, "with_idx": FORMATS[form].has_records}
        request = PackRequest(
            FORMATS[form], selection=selection, selected=select_images(db, selection), **values | more
        )
        if not at:
            pack(db, root, request)
            return
        killer = Killer(at)
        db.set_trace_callback(killer)
        for name in ("replace", "fsync", "unlink"):
            setattr(os, name, killer.wrap(getattr(os, name)))
        pack(db, root, request, killer)


def in_child(work: Callable[[], None]) -> bool:
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


def outcome(state_db: Path, dest: Path) -> tuple[dict[str, bytes], list[Any]]:
    """All files, and all rows that say something about them."""
    with closing(sqlite3.connect(state_db)) as db:
        rows = [db.execute(query).fetchall() for query in _ROWS]
    return {path.name: path.read_bytes() for path in dest.iterdir()}, rows


def kill_everywhere(root: Path, work: Path, form: str, scenario: str) -> int:
    """The number of instants at which a pack was killed."""
    if form == "parquet":
        pyarrow.array([1])  # imports pandas, once and not in every child
    start = work / "start.sqlite3"
    dest = work / "shards"
    more = {"again": True} if scenario == "again" else {}

    def begin(state_db: Path) -> None:
        shutil.rmtree(dest, ignore_errors=True)
        shutil.copyfile(start, state_db)
        if scenario == "again":
            shutil.copytree(work / "before", dest)

    def resume(state_db: Path) -> None:
        try:
            packed(root, state_db, dest, form)
        except UsageError:  # the kill was before the new plan
            packed(root, state_db, dest, form, **more)

    with closing(sqlite3.connect(root / "oidl.sqlite3")) as source, closing(sqlite3.connect(start)) as copy:
        source.backup(copy)
    if scenario == "again":
        packed(root, start, dest, form, shard_samples=2, with_idx=False)
        shutil.move(dest, work / "before")
    state_db = work / "reference.sqlite3"
    begin(state_db)
    assert in_child(lambda: packed(root, state_db, dest, form, **more))
    expected = outcome(state_db, dest)
    statuses = [status for _, status in expected[1][3]]
    assert statuses.count("pending") == (2 if scenario == "missing" else 0)
    for at in count(1):
        state_db = work / f"{at}.sqlite3"
        begin(state_db)
        if in_child(lambda at=at, state_db=state_db: packed(root, state_db, dest, form, at, **more)):  # type: ignore[misc]
            assert outcome(state_db, dest) == expected
            return at - 1
        assert in_child(lambda state_db=state_db: resume(state_db))  # type: ignore[misc]
        assert outcome(state_db, dest) == expected, f"killed at instant {at}"
        for path in work.glob(f"{at}.sqlite3*"):
            path.unlink()
    raise AssertionError("count never ends")


if __name__ == "__main__":
    print(kill_everywhere(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
