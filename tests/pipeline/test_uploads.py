"""Sealed shards on their way to an object store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from oidl.errors import RemoteError
from oidl.pipeline.uploads import Uploads
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer


class Remote:
    """An object store in memory, which fails as often as `failures` says."""

    def __init__(self, failures: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures = failures

    def upload(self, path: Path, key: str, size: int, sha256: str) -> str:
        if self.failures:
            self.failures -= 1
            raise RemoteError("it is not there", hint="wait")
        self.objects[key] = path.read_bytes()
        return f"s3://bucket/{key}"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[StateConnection]:
    with closing(connect_writer(tmp_path / "oidl.sqlite3")) as db:
        for number, (writer, state) in enumerate(
            (("run", "sealed"), ("run", "open"), ("pack", "sealed"), ("run", "sealed"))
        ):
            db.execute(
                "INSERT INTO shard_set VALUES (?, ?, ?, 'webdataset', 'r', '{}', '', NULL)",
                (number, writer, f"d{number}"),
            )
            db.execute(
                "INSERT INTO shard (shard_id, set_id, split, number, path, state, bytes, sha256) "
                "VALUES (?, ?, 'train', 0, ?, ?, 3, 'abc')",
                (number, number, f"v7/train/r/{number}.tar", state),
            )
            (tmp_path / "v7/train/r").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"v7/train/r/{number}.tar").write_bytes(b"abc")
        yield db


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def uploads(db: StateConnection, root: Path, remote: Remote, said: list[str], *, keep_local: bool = True) -> Uploads:
    return Uploads(StateWriter(db), Layout(root, "v7"), remote, said.append, keep_local=keep_local)  # type: ignore[arg-type]


def rows(db: StateConnection) -> list[tuple[object, ...]]:
    return db.execute("SELECT shard_id, remote_url, uploaded_at NOTNULL, is_local FROM shard ORDER BY 1").fetchall()


@pytest.mark.parametrize("keep_local", [True, False])
def test_sealed_shards_of_runs_are_uploaded_and_recorded(
    keep_local: bool, db: StateConnection, tmp_path: Path, clock: MockClock
) -> None:
    remote, said = Remote(), []
    assert trio.run(uploads(db, tmp_path, remote, said, keep_local=keep_local).finish, clock=clock) == ""
    assert remote.objects == {"v7/train/r/0.tar": b"abc", "v7/train/r/3.tar": b"abc"}
    assert rows(db) == [
        (0, "s3://bucket/v7/train/r/0.tar", 1, keep_local),
        (1, None, 0, 1),
        (2, None, 0, 1),
        (3, "s3://bucket/v7/train/r/3.tar", 1, keep_local),
    ]
    assert (tmp_path / "v7/train/r/0.tar").exists() == keep_local
    assert (tmp_path / "v7/train/r/2.tar").exists()
    assert said == ["uploading 2 shards"]


def test_an_error_that_passes_costs_nothing(db: StateConnection, tmp_path: Path, clock: MockClock) -> None:
    remote = Remote(failures=2)
    assert trio.run(uploads(db, tmp_path, remote, []).finish, clock=clock) == ""
    assert len(remote.objects) == 2


def test_what_cannot_be_uploaded_is_left_for_the_next_run(
    db: StateConnection, tmp_path: Path, clock: MockClock
) -> None:
    problem = trio.run(uploads(db, tmp_path, Remote(failures=9), []).finish, clock=clock)
    assert problem == "2 shards not uploaded: it is not there; wait"
    assert all(url is None for _, url, _, _ in rows(db))


def test_a_copy_that_a_killed_run_did_not_remove_is_removed(db: StateConnection, tmp_path: Path) -> None:
    db.execute("UPDATE shard SET uploaded_at = 'then', is_local = 0")
    assert trio.run(uploads(db, tmp_path, Remote(), []).finish) == ""
    assert (tmp_path / "v7/train/r/0.tar").exists()  # copied back, and this run keeps local copies
    assert trio.run(uploads(db, tmp_path, Remote(), [], keep_local=False).finish) == ""
    assert not (tmp_path / "v7/train/r/0.tar").exists()
