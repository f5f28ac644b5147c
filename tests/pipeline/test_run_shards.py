"""What a run makes of the shards that earlier ones left, and how it seals its own."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from builders import image
from shards import HOME, TAR, TFRECORD, append, new_shard, put, record

from oidl.errors import DiskError
from oidl.model import OpenShard, Rendition, ShardSettings
from oidl.node.stop import Stop
from oidl.pipeline.durability import Durability
from oidl.pipeline.shards import RunShards
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.requeue import requeue
from oidl.state.shards import drop_shard, record_sealed, removed_shards, unsealed_shard
from oidl.storage.shards.files import open_path, seal_shard
from oidl.storage.shards.place import read_recorded

FIRST, SECOND = f"{HOME}/train-000000.tar", f"{HOME}/train-000001.tar"
END = bytes(1024)


@dataclass
class Root:
    """A root directory with its database; every method is a run of its own."""

    db: StateConnection
    path: Path
    said: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)

    def run(
        self,
        work: Callable[[RunShards], Awaitable[object]],
        limits: ShardSettings | None = None,
        renditions: Iterable[Rendition] = (TAR,),
    ) -> None:
        async def main() -> None:
            layout = Layout(self.path, "2017_11")
            shards = RunShards(
                StateWriter(self.db), layout, limits or ShardSettings(), renditions, self.stop, self.said.append
            )
            await work(shards)

        trio.run(main)

    def restore(self) -> None:
        self.run(lambda shards: shards.restore())

    def restore_and_open(
        self, limits: ShardSettings | None = None, renditions: Iterable[Rendition] = (TAR,)
    ) -> OpenShard:
        opened: list[OpenShard] = []

        async def work(shards: RunShards) -> None:
            await shards.restore()
            opened.append(await shards.open_shard(TAR.name, "train"))

        self.run(work, limits, renditions)
        return opened[0]

    def restore_and_seal(self) -> None:
        async def work(shards: RunShards) -> None:
            await shards.restore()
            await shards.seal_all()

        self.run(work)

    def left(self, *numbers: int, recorded: Iterable[int] | None = None) -> OpenShard:
        """An open shard with these images, of which all or some are recorded."""
        shard = new_shard(self.db)
        placed = append(self.path, shard, *numbers)
        put(self.db, {number: placed[number] for number in (numbers if recorded is None else recorded)})
        return shard

    def sealed(self, *numbers: int) -> OpenShard:
        shard = self.left(*numbers)
        size, digest = seal_shard(self.path / shard.path, sum(len(record(number).data) for number in numbers), END)
        row = unsealed_shard(self.db, shard.shard_id)
        assert row
        record_sealed(self.db, row, len(numbers), size, digest)
        return shard

    def take_out(self, *numbers: int) -> None:
        ids = [image(number).image_id for number in numbers]
        requeue(self.db, [(image_id, TAR.name) for image_id in ids], ids)

    def part(self, path: str = FIRST) -> Path:
        return open_path(self.path / path)

    def files(self) -> set[str]:
        return {each.name for each in (self.path / HOME).iterdir()}

    def states(self) -> dict[str, str]:
        return dict(self.db.execute("SELECT path, state FROM shard ORDER BY path"))

    def check(self, done: Iterable[int], path: str) -> None:
        """These images are done and readable, and `path` has their samples in this order and nothing else."""
        ids = [image(number).image_id for number in done]
        rows = self.db.execute(
            "SELECT f.image_id, f.path, f.bytes FROM file AS f JOIN shard_member AS m USING (image_id) "
            "JOIN download AS d USING (image_id) WHERE status = 'done' ORDER BY m.place"
        ).fetchall()
        assert [row[0] for row in rows] == ids
        for number, (_, recorded, size) in zip(done, rows, strict=True):
            assert read_recorded(self.path, recorded, size) == bytes([number]) * 700
        file = self.path / path
        body = file.read_bytes() if file.exists() else open_path(file).read_bytes()
        assert body.removesuffix(END) == b"".join(record(number).data for number in done)


@pytest.fixture
def root(loaded_db: StateConnection, tmp_path: Path) -> Root:
    Ledger(loaded_db).register([TAR, TFRECORD])
    return Root(loaded_db, tmp_path)


def test_what_was_appended_and_not_recorded_is_cut_off_and_the_shard_is_continued(root: Root) -> None:
    root.left(1, 2, 3, recorded=(1, 2))
    opened = root.restore_and_open(ShardSettings(samples=5))
    length = len(record(1).data) + len(record(2).data)
    assert opened._replace(shard_id=0) == OpenShard(0, FIRST, length, 2, 3)
    root.check([1, 2], FIRST)
    assert root.said == []


def test_a_shard_that_lost_its_end_loses_its_last_images(root: Root) -> None:
    root.left(1, 2, 3)
    with open(root.part(), "r+b") as file:
        file.truncate(len(record(1).data) + 10)
    root.restore()
    root.check([1], FIRST)
    assert root.said == ["2 images missing from shards will be fetched again"]


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_shard_that_is_gone_makes_its_images_pending_and_stops_no_run(is_sealed: bool, root: Root) -> None:
    if is_sealed:
        root.sealed(1, 2, 3)
        root.take_out(2)
        (root.path / FIRST).unlink()
    else:
        root.left(1, 2)
        root.part().unlink()
    root.restore()
    assert root.states() == {}
    assert root.said == ["2 images missing from shards will be fetched again"]
    assert root.db.execute("SELECT count(*) FROM download WHERE status = 'done'").fetchone() == (0,)


def test_images_with_others_between_them_that_are_not_recorded_are_copied(root: Root) -> None:
    root.left(1, 2, 3, recorded=(1, 3))
    opened = root.restore_and_open()
    assert opened.path == SECOND
    assert root.files() == {"train-000001.tar.part"}
    root.check([1, 3], SECOND)


def test_a_shard_without_images_goes(root: Root) -> None:
    root.left(1, 2, recorded=())
    new_shard(root.db)  # and this one has no file yet
    root.restore()
    assert (root.states(), root.files(), removed_shards(root.db)) == ({}, set(), [])


@pytest.mark.parametrize("end", [END, b""])
def test_a_shard_that_got_its_final_name_and_then_no_row_is_continued(end: bytes, root: Root) -> None:
    root.left(1, 2)
    seal_shard(root.path / FIRST, len(record(1).data) + len(record(2).data), end)
    assert root.restore_and_open().path == FIRST
    assert root.files() == {"train-000000.tar.part"}
    root.check([1, 2], FIRST)


def test_a_sealed_shard_that_is_complete_is_left_alone(root: Root) -> None:
    root.sealed(1, 2)
    before = (root.path / FIRST).stat()
    assert root.restore_and_open().path == SECOND
    assert (root.path / FIRST).stat().st_mtime_ns == before.st_mtime_ns
    assert root.states()[FIRST] == "sealed"


def test_a_sealed_shard_that_an_image_was_taken_out_of_is_copied_without_it(root: Root) -> None:
    root.sealed(1, 2, 3)
    root.take_out(2)
    root.restore_and_seal()
    assert root.states() == {SECOND: "sealed"}
    assert root.files() == {"train-000001.tar"}
    root.check([1, 3], SECOND)


def test_a_shard_that_is_only_in_an_object_store_keeps_its_other_images(root: Root) -> None:
    root.sealed(1, 2, 3)
    root.db.execute("UPDATE shard SET remote_url = 's3://x', uploaded_at = 'now', is_local = 0")
    (root.path / FIRST).unlink()
    root.take_out(2)
    root.restore_and_seal()
    assert root.states() == {FIRST: "stale"}
    assert root.db.execute("SELECT count(*) FROM download WHERE status = 'done'").fetchone() == (2,)
    assert root.said == []


def test_after_a_power_cut_a_damaged_sample_is_done_again_and_the_others_are_kept(root: Root) -> None:
    ledger = Ledger(root.db)
    ledger.open_run({}, token="0", boot_id="boot 1")
    root.left(1, 2, 3)
    root.db.execute("UPDATE run SET updated_at = '9999-01-01T00:00:00.000000Z'")
    ledger.open_run({}, token="1", boot_id="boot 2")
    at = len(record(1).data)
    with open(root.part(), "r+b") as file:
        file.seek(at)
        file.write(bytes(512))  # a block that did not reach the disk

    async def work(shards: RunShards) -> None:
        state = StateWriter(root.db)
        state.ledger = Ledger(root.db, 2)
        layout = Layout(root.path, "2017_11")
        durability = Durability(
            state,
            layout,
            lambda: [root.path],
            root.stop,
            root.said.append,
            sync=lambda directories: None,
            boot="boot 2",
        )
        await durability.check_after_power_cut()
        await shards.restore()

    root.run(work)
    assert root.states() == {SECOND: "open"}
    root.check([1, 3], SECOND)
    pending = root.db.execute(
        "SELECT count(*) FROM download WHERE status = 'pending' AND image_id = ?", (image(2).image_id,)
    )
    assert pending.fetchone() == (1,)


def test_an_interrupted_copy_begins_again(root: Root) -> None:
    root.sealed(1, 2, 3)
    root.take_out(2)
    root.part(new_shard(root.db).path).write_bytes(record(1).data[:100])  # the copy
    root.restore_and_seal()
    assert root.files() == {"train-000002.tar"}
    root.check([1, 3], f"{HOME}/train-000002.tar")


def test_an_interrupted_removal_is_finished(root: Root) -> None:
    shard = root.left(1, 2, recorded=())
    row = unsealed_shard(root.db, shard.shard_id)
    assert row
    drop_shard(root.db, row)
    root.restore()
    assert (root.files(), removed_shards(root.db)) == (set(), [])


def test_a_removal_that_fails_never_takes_a_later_shard_with_it(root: Root) -> None:
    root.left(1, recorded=())
    root.part().unlink()
    root.part().mkdir()  # it cannot be removed like a file
    with pytest.raises(DiskError):
        root.restore()
    put(root.db, append(root.path, new_shard(root.db), 2))
    root.part().rmdir()
    root.restore()
    root.check([2], SECOND)


def test_a_shard_that_a_process_of_an_earlier_run_still_writes_to_is_copied(root: Root) -> None:
    root.left(1, 2)
    with open(root.part(), "r+b") as zombie:
        fcntl.flock(zombie, fcntl.LOCK_EX)
        opened = root.restore_and_open()
        zombie.seek(0, 2)
        zombie.write(b"of an image that nothing will record")
    assert opened.path == SECOND
    assert root.files() == {"train-000001.tar.part"}
    root.check([1, 2], SECOND)


def test_a_file_without_a_row_is_never_written_over(root: Root) -> None:
    (root.path / HOME).mkdir(parents=True)
    (root.path / FIRST).write_bytes(b"of a database that was deleted")
    assert root.restore_and_open().path == SECOND
    root.restore_and_seal()
    assert (root.path / FIRST).read_bytes() == b"of a database that was deleted"


@pytest.mark.parametrize(
    ("limits", "renditions"),
    [
        (ShardSettings(samples=2), (TAR,)),
        (ShardSettings(samples=1), (TAR,)),
        (ShardSettings(bytes=1), (TAR,)),
        (ShardSettings(), (TAR, Rendition(TAR.name, "elsewhere", TAR.mode, 64, "ppm", store=TAR.store))),
    ],
)
def test_a_shard_beyond_the_limits_of_this_run_or_in_another_directory_is_sealed_at_its_end(
    limits: ShardSettings, renditions: tuple[Rendition, ...], root: Root
) -> None:
    root.left(1, 2)
    assert root.restore_and_open(limits, renditions).path != FIRST
    root.run(lambda shards: shards.seal_all(), limits)
    assert root.states()[FIRST] == "sealed"
    root.check([1, 2], FIRST)


def test_at_the_end_all_shards_are_sealed_as_their_rows_say(root: Root) -> None:
    root.left(1, 2, 3, recorded=(1, 2))
    root.left(4)
    root.restore_and_seal()
    for path, size, samples, digest in root.db.execute("SELECT path, bytes, samples, sha256 FROM shard"):
        body = (root.path / path).read_bytes()
        assert (size, digest) == (len(body), hashlib.sha256(body).hexdigest())
        assert samples == (2 if path == FIRST else 1)
        assert body.endswith(END)
    assert root.files() == {"train-000000.tar", "train-000001.tar"}


def test_a_shard_that_was_cut_from_outside_is_not_filled_with_zeros(root: Root) -> None:
    root.left(1, 2)
    with open(root.part(), "r+b") as file:
        file.truncate(len(record(1).data) + 10)
    root.run(lambda shards: shards.seal_all())
    root.check([1], FIRST)
    assert root.said == ["1 image missing from shards will be fetched again"]


def test_a_disk_that_cannot_be_written_while_sealing_stops_the_run_and_loses_nothing(root: Root) -> None:
    root.left(1, 2)
    (root.path / FIRST).mkdir()  # in the way of the final name
    (root.path / FIRST / "x").touch()
    root.run(lambda shards: shards.seal_all())
    assert root.stop.disk_failure
    assert root.stop.draining.is_set()
    assert root.states() == {FIRST: "open"}
    (root.path / FIRST / "x").unlink()
    (root.path / FIRST).rmdir()
    root.restore_and_seal()
    root.check([1, 2], FIRST)


def test_a_full_shard_is_sealed_when_its_images_are_recorded_while_the_run_goes_on(root: Root) -> None:
    async def work(shards: RunShards) -> None:
        await shards.restore()
        shard = await shards.open_shard(TAR.name, "train")
        placed = append(root.path, shard, 2, 3)
        put(root.db, {2: placed[2]})
        await shards.shard_is_full(shard.shard_id, 2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shards.run)
            await trio.sleep(0.05)
            assert root.states() == {FIRST: "open"}
            put(root.db, {3: placed[3]})
            while root.states() != {FIRST: "sealed"}:  # noqa: ASYNC110
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    root.left(1)
    root.run(lambda shards: _quickly(shards, work))
    root.check([1, 2, 3], FIRST)


async def _quickly(shards: RunShards, work: Callable[[RunShards], Awaitable[None]]) -> None:
    with trio.fail_after(20):
        await work(shards)


def test_a_shard_that_is_being_sealed_is_not_sealed_again_at_the_end(root: Root) -> None:
    """Both of them would cut and complete the same file."""

    async def work(shards: RunShards) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(shards.seal_all)

    root.left(1, 2)
    root.left(3)
    root.run(work)
    assert root.stop.disk_failure is None
    assert set(root.states().values()) == {"sealed"}
    for path, size in root.db.execute("SELECT path, bytes FROM shard"):
        assert (root.path / path).stat().st_size == size


def test_the_shard_of_a_lost_worker_is_copied_and_others_continue_the_copy(root: Root) -> None:
    left = root.left(1, 2, 3, recorded=(1, 2))
    opened: list[OpenShard] = []

    async def work(shards: RunShards) -> None:
        await shards.fence([left.shard_id])
        opened.append(await shards.open_shard(TAR.name, "train"))

    root.run(work)
    assert root.files() == {f"{Path(SECOND).name}.part"}
    assert (opened[0].path, opened[0].place) == (SECOND, 2)
    assert opened[0].length == sum(len(record(number).data) for number in (1, 2))
    root.check((1, 2), SECOND)


def test_open_shards_of_a_run_on_a_cluster_are_copied_even_if_nothing_holds_them_here(root: Root) -> None:
    root.left(1, 2)
    root.db.execute(
        "INSERT INTO run (started_at, updated_at, settings) VALUES ('', '', json_object('cluster', 'tcp://s:1'))"
    )
    root.restore()
    assert root.files() == {f"{Path(SECOND).name}.part"}
    root.check((1, 2), SECOND)


def test_a_shard_that_is_being_sealed_when_its_worker_is_lost_is_whole(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, fsync = root.left(1, 2), os.fsync
    is_sealing, has_fenced = threading.Event(), threading.Event()

    def slow_fsync(fd: int) -> None:
        if not is_sealing.is_set():
            is_sealing.set()
            has_fenced.wait(0.1)
        fsync(fd)

    async def fence(shards: RunShards) -> None:
        await trio.to_thread.run_sync(is_sealing.wait)
        await shards.fence([left.shard_id])
        has_fenced.set()

    async def work(shards: RunShards) -> None:
        monkeypatch.setattr(os, "fsync", slow_fsync)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shards.seal_all)
            nursery.start_soon(fence, shards)

    root.run(work)
    assert root.stop.disk_failure is None
    assert root.states() == {FIRST: "sealed"}
    root.check((1, 2), FIRST)
