"""A root on a disk that is mounted read-only: what reads works, also without the files that SQLite makes to read."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import oidl as library
from oidl.errors import DiskError

_READING = (
    ("status",),
    ("status", "--json"),
    ("status", "--failures"),
    ("plan",),
    ("renditions",),
    ("verify",),
    ("export-csv", "--dest={out}/csv"),
    ("export", "--format=imagefolder", "--dest={out}/folder"),
    ("report", "--out={out}/report.html"),
    ("run", "--dry-run"),
)
_WRITING = (
    ("verify", "--repair"),
    ("renditions", "remove", "images-resized"),
    ("annotations", "load", "boxes.csv"),
    ("run",),
)


@pytest.fixture
def frozen(fine, run, root: Path) -> Iterator[Callable[[], None]]:
    """A finished root on a filesystem of its own; the function mounts that read-only."""
    root.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small filesystem")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "oidl", root], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small filesystem cannot be mounted here")
    try:
        options = ("--nodownload-metadata", "--min-free=0", "--no-check-space", "--limit=4")
        assert run(fine, *options).returncode == 0
        for name in ("oidl.sqlite3-wal", "oidl.sqlite3-shm"):
            (root / name).unlink(missing_ok=True)
        yield lambda: subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    finally:
        subprocess.run(["umount", "-l", root], check=True)


def test_a_finished_root_can_be_read_and_not_written(frozen, oidl, root: Path, tmp_path: Path) -> None:
    frozen()
    for command in _READING:
        ended = oidl(*(part.format(out=tmp_path) for part in command), f"--root-dir={root}")
        assert (ended.returncode, ended.stderr) == (0, ""), command
    assert len(list(library.open(root).images())) == 4
    for command in _WRITING:
        ended = oidl(*command, f"--root-dir={root}")
        assert ended.returncode == 5, command
        assert "Read-only file system" in ended.stderr, command


def test_of_a_killed_run_it_is_said_where_the_last_changes_are(frozen, oidl, root: Path, tmp_path: Path) -> None:
    database = root / "oidl.sqlite3"
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("UPDATE run SET outcome = 'as killed'")
        shutil.copy(f"{database}-wal", root / "kept")
        body = database.read_bytes()
    database.write_bytes(body)
    (root / "kept").rename(f"{database}-wal")
    frozen()
    for command in (*_READING, *_WRITING):
        ended = oidl(*(part.format(out=tmp_path) for part in command), f"--root-dir={root}")
        assert ended.returncode == 5, (command, ended.stderr)
        assert "the last changes to" in ended.stderr, (command, ended.stderr)
        assert "copy oidl.sqlite3 and oidl.sqlite3-wal together" in ended.stderr
    with pytest.raises(DiskError, match="oidl can read it only in a writable place"):
        library.open(root)
    for name in ("oidl.sqlite3", "oidl.sqlite3-wal"):
        shutil.copy(root / name, tmp_path)
    ended = oidl("status", f"--root-dir={root}", f"--state-db={tmp_path}/oidl.sqlite3")
    assert (ended.returncode, "Last run: as killed" in ended.stdout) == (0, True), ended.stderr
