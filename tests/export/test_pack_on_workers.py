"""Shards that other machines write have the bytes and the rows of those that one machine writes.

The workers are made up: they do in this process what a worker of Dask does, on Trio's clock.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
from labelled import IMAGES, LabelledRoot, contents
from packers import FakePacker, PackHarness

from oidl.cluster.engine import ClusterError
from oidl.cluster.packing import tasks
from oidl.cluster.packing.job import ShardJob, write_shard
from oidl.cluster.packing.order import SHARD, ShardOrder, Stored, new_values
from oidl.cluster.packing.publish import ShardPublisher, open_directory
from oidl.cluster.protocol import Timing
from oidl.errors import DiskError
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.formats import FORMATS
from oidl.export.pack.job import pack
from oidl.export.pack.request import PackRequest, PackResult
from oidl.export.pack.samples import SampleSettings
from oidl.model import LabelType
from oidl.settings import Selection
from oidl.state.pack import ShardRow

MASKS = Selection(label_types=(LabelType.BOXES, LabelType.LABELS, LabelType.SEGMENTATIONS), shuffle=True, seed=5)
_ROWS = (
    "SELECT split, number, path, state, samples, bytes, sha256 FROM shard ORDER BY path",
    "SELECT s.path, m.image_id, m.place, m.at, m.bytes FROM shard_member AS m JOIN shard AS s USING (shard_id) "
    "ORDER BY s.path, m.place",
)
Packed = tuple[PackResult, dict[str, bytes | None], list[Any]]


def _write(order: ShardOrder) -> Stored:
    return write_shard(order, lambda: None)


class Packs:
    """Packs the same images in one directory, here and on workers, which may be `changed` before."""

    def __init__(self, labelled: LabelledRoot, dest: Path) -> None:
        self.labelled = labelled
        self.dest = dest
        self.harness = PackHarness({})

    def here(self, **more: Any) -> Packed:
        return self._pack({}, **more)

    def on_workers(self, workers: dict[str, FakePacker], meanwhile: Any = None, **more: Any) -> Packed:
        self.harness = PackHarness(workers, meanwhile=meanwhile)
        return self._pack({"write": self._on_workers}, **more)

    def forget(self) -> None:
        for table in ("shard_member", "shard", "shard_set"):
            self.labelled.db.execute(f"DELETE FROM {table}")

    def _pack(self, writing: dict[str, Any], **more: Any) -> Packed:
        values = {"format": FORMATS["webdataset"], "rendition": "fillcrop", "shard_samples": 3, "dest": self.dest}
        db = self.labelled.db
        result = pack(db, self.labelled.root, PackRequest(**values | {"selection": MASKS} | more), **writing)
        return result, contents(self.dest), [db.execute(query).fetchall() for query in _ROWS]

    def _on_workers(
        self, context: PackContext, shards: Sequence[ShardRow], settings: SampleSettings, credits: Credits
    ) -> None:
        self.harness.rows = list(shards)
        main = self.harness.main

        async def opened() -> None:
            async with open_directory(context.dest) as directory:
                self.harness.truth = ShardPublisher(context, settings, credits, Timing(), directory)
                await self.harness.truth.open()
                await main()

        self.harness.main = opened  # type: ignore[method-assign]
        self.harness.run()


@pytest.fixture
def packs(labelled_root: LabelledRoot, tmp_path: Path) -> Iterator[Packs]:
    found = Packs(labelled_root, tmp_path / "shards")
    yield found
    found.forget()


def three(**changes: Any) -> dict[str, FakePacker]:
    return {f"tcp://w:{number}": FakePacker(**{"write": _write} | changes) for number in range(3)}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_the_files_and_rows_are_those_of_one_machine(form: Any, packs: Packs) -> None:
    more = {"format": form, "with_idx": form.has_records, "min_visible": 0.99}
    result, files, rows = packs.here(**more)
    assert result.unseen
    packs.forget()
    for path in packs.dest.iterdir():
        path.unlink()
    on_workers, its_files, its_rows = packs.on_workers(three(), **more)
    assert its_files == files
    assert its_rows == rows
    assert on_workers == result
    assert on_workers.packed == on_workers.packed_now == IMAGES
    assert sorted(len(each.wrote) for each in packs.harness.workers.values()) == [1, 2, 2]


def test_a_shard_that_was_lost_and_again_go_to_the_workers_too(packs: Packs) -> None:
    _, files, _ = packs.here()
    gone = next(packs.dest.glob("*.tar"))
    gone.unlink()
    result, its_files, _ = packs.on_workers(three())
    assert its_files == files
    assert (result.remade, sum(len(each.wrote) for each in packs.harness.workers.values())) == (1, 1)
    _, its_files, _ = packs.on_workers(three(), again=True)
    assert its_files == files
    assert sum(len(each.wrote) for each in packs.harness.workers.values()) == 5


def test_a_worker_that_dies_or_wakes_up_leaves_nothing_and_changes_nothing(packs: Packs) -> None:
    _, files, _ = packs.here()
    late: list[ShardOrder] = []
    frozen = FakePacker(write=_write)

    async def trouble(run: PackHarness) -> None:
        await trio.sleep(3)
        frozen.is_frozen = True
        assert frozen.order
        late.append(frozen.order)
        part = Path(frozen.order.directory) / SHARD
        file = os.open(part, os.O_WRONLY | os.O_CREAT)
        os.write(file, b"as far as it came")
        await trio.sleep(70)
        assert not part.exists()
        os.write(file, b"more")
        os.close(file)
        with pytest.raises(DiskError):
            _write(late[0])  # or it begins only now
        del run.workers["dies"]

    workers = {
        "frozen": frozen,
        "dies": FakePacker(shard_s=60, write=_write),
        "slow": FakePacker(shard_s=30, write=_write),
    }
    _, its_files, _ = packs.on_workers(workers, trouble, again=True)
    assert late
    assert its_files == files
    assert packs.harness.said[0] == "node frozen does not answer any more; its shard is written again"


def test_what_a_killed_coordinator_left_is_swept_though_a_worker_writes_there(packs: Packs) -> None:
    _, files, _ = packs.here()
    life = packs.dest / ".cluster.oidl-part-1" / "life"
    life.mkdir(parents=True)
    with open(life / SHARD, "wb") as file:
        _, its_files, _ = packs.here(again=True)
        file.write(b"more")
    assert its_files == files
    assert not list(packs.dest.glob(".*"))


def test_a_missing_image_is_left_out_and_fetched_again(packs: Packs) -> None:
    db = packs.labelled.db
    ((path,), *_) = db.execute("SELECT path FROM file WHERE rendition = 'fillcrop'")
    file = packs.labelled.root / path
    moved = file.rename(file.with_name("moved"))
    saved = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ("file", "download")}
    try:
        result, _, _ = packs.on_workers(three())
        assert result.absent == 1
        assert result.packed == IMAGES - 1
        assert db.execute("SELECT count(*) FROM download WHERE status = 'pending'").fetchall() == [(1,)]
        packs.forget()
        for each in packs.dest.iterdir():
            each.unlink()
    finally:
        moved.rename(file)
        for table, rows in saved.items():
            db.execute(f"DELETE FROM {table}")
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def test_a_worker_that_does_not_see_an_image_is_not_believed(packs: Packs) -> None:
    def blind(order: ShardOrder) -> Stored:
        pages = list(order.rows.read())
        file = packs.labelled.root / pages[0].members[0].file.path
        hidden = file.rename(file.with_name("hidden"))
        try:
            return _write(order)
        finally:
            hidden.rename(file)

    with pytest.raises(ClusterError, match=r"node a cannot be used: it does not see v7/.*\.png as it is here"):
        packs.on_workers({"a": FakePacker(write=blind)})
    assert packs.labelled.db.execute("SELECT count(*) FROM download WHERE status = 'pending'").fetchall() == [(0,)]
    assert not list(packs.dest.glob("*.tar"))
    assert not list(packs.dest.glob(".*"))
    result, _, _ = packs.on_workers({"a": FakePacker(write=blind), "b": FakePacker(write=_write)})
    assert result.packed == IMAGES
    assert "node a is excluded: it does not see v7/" in packs.harness.said[0]


def test_values_that_are_not_as_they_were_written_are_not_read(tmp_path: Path) -> None:
    with new_values(tmp_path / "rows") as values:
        values.add(["one"])
        values.add(["two"])
    assert list(values.stored.read()) == [["one"], ["two"]]
    data = (tmp_path / "rows").read_bytes()
    (tmp_path / "rows").write_bytes(data.replace(b"two", b"2wo"))
    read = values.stored.read()
    assert next(read) == ["one"]
    with pytest.raises(DiskError, match="is not as it was written"):
        next(read)


def test_a_shard_of_which_this_machine_sees_only_a_part_is_not_published(packs: Packs) -> None:
    def cut(order: ShardOrder) -> Stored:
        stored = _write(order)
        os.truncate(Path(order.directory) / SHARD, 700)
        return stored

    with pytest.raises(ClusterError, match="sees only a part of the shard that it wrote, 700 of"):
        packs.on_workers({"a": FakePacker(write=cut)})
    assert not list(packs.dest.iterdir())


def test_a_worker_that_is_not_asked_gives_up(packs: Packs) -> None:
    orders: list[ShardOrder] = []

    def remember(order: ShardOrder) -> Stored:
        orders.append(order)
        now = [0.0]
        job = ShardJob(order, lambda: now[0])
        now[0] = Timing().lease_s + 1
        assert job.report().has_given_up
        job.run()
        assert job.report().has_given_up
        (Path(order.directory) / SHARD).unlink()
        return _write(order)

    packs.on_workers({"a": FakePacker(write=remember)})
    assert orders


def test_a_worker_whose_directory_is_taken_away_gives_up(packs: Packs) -> None:
    def moved(order: ShardOrder) -> Stored:
        directory, times = Path(order.directory), count(0, 2)

        def clock() -> float:
            now = next(times)
            if now == 4:
                directory.rename(directory.with_name("gone"))
            return now

        job = ShardJob(replace(order, timing=Timing(1e6)), clock)
        job.run()
        assert job.report().has_given_up
        directory.with_name("gone").rename(directory)
        (directory / SHARD).unlink()
        return _write(order)

    result, _, _ = packs.on_workers({"a": FakePacker(write=moved)}, shard_samples=100)
    assert result.packed == IMAGES


def test_a_worker_that_cannot_read_the_images_says_why_and_keeps_no_file_open(packs: Packs) -> None:
    jobs = []

    def unmounted(order: ShardOrder) -> Stored:
        (page,) = order.rows.read()
        images = (packs.labelled.root / page.members[0].file.path).parent.parent
        away = images.rename(images.with_name("away"))
        try:
            jobs.append(job := ShardJob(order))
            job.run()
        finally:
            away.rename(images)
        report = job.report()
        assert isinstance(report.error, DiskError)
        assert report.error.message == f"the directory {images}, which has the images, is missing"
        assert not [each for each in Path("/proc/self/fd").iterdir() if "/.cluster" in os.path.realpath(each)]
        (Path(order.directory) / SHARD).unlink()
        return _write(order)

    packs.on_workers({"a": FakePacker(write=unmounted)}, shard_samples=100)
    assert jobs


def test_a_job_reports_how_far_it_is_and_its_end(packs: Packs) -> None:
    def report(order: ShardOrder) -> Stored:
        found = tasks.begin(order)
        while found and not found.has_ended:
            found = tasks.report(order.life)
        assert found
        assert found.error is None
        assert found.result
        part = Path(order.directory) / SHARD
        size = part.stat().st_size
        assert tasks.begin(order) == found  # Dask may call a function twice
        elsewhere = ShardJob(order)  # also in a worker that was started again
        elsewhere.run()
        assert isinstance(elsewhere.report().error, DiskError)
        late = ShardJob(order, count(0, 100).__next__)
        late.run()
        assert part.stat().st_size == size
        return found.result

    result, _, _ = packs.on_workers({"a": FakePacker(write=report)})
    assert result.packed == IMAGES
