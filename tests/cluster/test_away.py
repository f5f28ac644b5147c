"""Shards on the disks of nodes: they count when they are in the object store, and their images are pending if not."""

import hashlib
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
import trio
from builders import image
from shards import HOME, TAR, put, record, sample
from trio.testing import MockClock

from oidl.cluster.away import AwayShards
from oidl.cluster.protocol import SealOrder
from oidl.cluster.sealing import Sealer
from oidl.errors import RemoteError
from oidl.model import OpenShard, ShardSettings
from oidl.node.frames import Call
from oidl.node.stop import Stop
from oidl.pipeline.shards import RunShards
from oidl.pipeline.uploads import Uploads
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.storage.shards.log import ShardLog

LIFE = "life"


@dataclass
class Remote:
    """An object store in memory; `failures` calls of it fail."""

    staged: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0

    def stage(self, path: Path, name: str) -> str:
        self._fail()
        self.staged[name] = path.read_bytes()
        return f"s3://bucket/.oidl-part/{name}"

    def adopt(self, name: str, key: str, size: int, sha256: str) -> str | None:
        self._fail()
        if key not in self.objects:
            if name not in self.staged:
                return None
            self.objects[key] = self.staged.pop(name)
        assert (len(self.objects[key]), hashlib.sha256(self.objects[key]).hexdigest()) == (size, sha256)
        return f"s3://bucket/{key}"

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RemoteError("it is not there", hint="wait")


@dataclass
class Cluster:
    """A coordinator with its database, and one node with a directory of its own."""

    db: StateConnection
    home: Path
    remote: Remote = field(default_factory=Remote)
    stop: Stop = field(default_factory=Stop)
    said: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        state, layout = StateWriter(self.db), Layout(self.home, "2017_11")
        self.shards = RunShards(state, layout, ShardSettings(samples=3), (TAR,), self.stop, self.said.append)
        self.uploads = Uploads(state, layout, self.remote, self.said.append, keep_local=False)  # type: ignore[arg-type]
        self.away = AwayShards(state, self.shards, self.uploads, self.stop, "token")
        self.sealer = Sealer(self.home / "node", self.remote, self.calls.append, self.said.append)  # type: ignore[arg-type]

    async def appended(self, *numbers: int, without: tuple[int, ...] = ()) -> OpenShard:
        """A shard of the node with these images, of which those in `without` have no row."""
        shard = await self.away.open_shard(LIFE, TAR.name, "train")
        log = ShardLog(self.home / "node", shard, 10**9)
        for number in numbers:
            log.reserve()
            placed = log.append(record(number))
            if number not in without:
                put(self.db, {number: placed})
        log.close()
        await self.away.shard_is_full(LIFE, shard.shard_id, log.appended)
        return shard

    async def stage(self, orders: tuple[SealOrder, ...]) -> None:
        """What the node does about orders."""
        sender, receiver = trio.open_memory_channel[SealOrder](len(orders))
        async with sender:
            for order in orders:
                sender.send_nowait(order)
        await self.sealer.run(receiver)

    async def seal(self, orders: tuple[SealOrder, ...]) -> None:
        """The same, and what the coordinator does about its answers."""
        await self.stage(orders)
        for call in self.calls:
            await getattr(self.away, call.method)(LIFE, *call.arguments)
        self.calls.clear()

    def statuses(self) -> list[str]:
        """Those of the first three images that shards are made of."""
        ids = [image(number).image_id for number in (1, 2, 3)]
        return [
            self.db.execute("SELECT status FROM download WHERE image_id = ?", (each,)).fetchone()[0] for each in ids
        ]

    def shard_rows(self) -> list[tuple[object, ...]]:
        return self.db.execute("SELECT state, is_local, remote_url, uploaded_at NOTNULL, samples FROM shard").fetchall()

    def read(self) -> dict[int, bytes]:
        """The bodies of all images with a row, read from the object store at their recorded places."""
        rows = self.db.execute("SELECT image_id, path, bytes FROM file").fetchall()
        found = {}
        for image_id, place, size in rows:
            path, _, at = place.partition("#")
            found[int(image_id, 16)] = self.remote.objects[path][int(at) : int(at) + size]
        return found


@pytest.fixture
def cluster(loaded_db: StateConnection, tmp_path: Path) -> Cluster:
    Ledger(loaded_db).register([TAR])
    return Cluster(loaded_db, tmp_path)


def _members(body: bytes) -> list[str]:
    with tarfile.open(fileobj=BytesIO(body)) as shard:
        return shard.getnames()


def run(work: Callable[[], Awaitable[None]]) -> None:
    trio.run(work, clock=MockClock(autojump_threshold=0))


def test_a_full_shard_goes_to_the_object_store_when_its_images_are_recorded(cluster: Cluster) -> None:
    async def work() -> None:
        shard = await cluster.appended(1, 2, 3)
        assert cluster.away.holds(LIFE)
        orders = await cluster.away.orders(LIFE, is_last=False)
        assert await cluster.away.orders(LIFE, is_last=True) == ()  # it was ordered
        await cluster.seal(orders)
        assert not cluster.away.holds(LIFE)
        body = cluster.remote.objects[shard.path]
        assert len(_members(body)) == 6

    run(work)
    assert cluster.read() == {number: sample(number).body for number in (1, 2, 3)}
    assert cluster.shard_rows() == [("sealed", 0, f"s3://bucket/{HOME}/train-000000.tar", 1, 3)]
    assert not [each for each in (cluster.home / "node").rglob("*") if each.is_file()]
    assert not cluster.remote.staged
    assert not cluster.said


def test_a_shard_waits_for_the_rows_of_its_images(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3, without=(3,))
        assert await cluster.away.orders(LIFE, is_last=False) == ()

    run(work)


def test_a_sample_without_a_row_is_left_out(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3, without=(2,))
        await cluster.seal(await cluster.away.orders(LIFE, is_last=True))

    run(work)
    (body,) = cluster.remote.objects.values()
    assert len(_members(body)) == 4
    assert cluster.read() == {number: sample(number).body for number in (1, 3)}
    assert [row[:2] for row in cluster.shard_rows()] == [("sealed", 0)]


def test_a_shard_without_any_image_is_no_shard(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, without=(1,))
        assert await cluster.away.orders(LIFE, is_last=True) == ()
        assert not cluster.away.holds(LIFE)

    run(work)
    assert cluster.shard_rows() == []


def test_what_a_lost_node_had_on_its_disk_is_pending(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3)
        await cluster.away.fence(LIFE)
        assert cluster.shards.take_lost() == 3
        # it wakes, and its answer comes late
        await cluster.away.shard_staged(LIFE, 1, 1, "0", "s3://bucket/.oidl-part/late")

    run(work)
    assert cluster.statuses() == ["pending"] * 3
    assert cluster.shard_rows() == []
    assert cluster.remote.objects == {}
    assert cluster.said == ["3 images missing from shards will be fetched again"]


def test_an_object_store_that_fails_for_a_while_costs_nothing(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3)
        cluster.remote.failures = 3
        await cluster.seal(await cluster.away.orders(LIFE, is_last=False))

    run(work)
    assert cluster.read() == {number: sample(number).body for number in (1, 2, 3)}
    assert not cluster.stop.limit
    assert cluster.said == ["it is not there; it is tried again for a minute"]


def test_an_object_store_that_fails_for_long_stops_the_run_and_the_images_are_pending(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3)
        cluster.remote.failures = 99
        await cluster.seal(await cluster.away.orders(LIFE, is_last=False))
        assert not cluster.away.holds(LIFE)

    run(work)
    assert cluster.stop.limit == "it is not there; wait"
    assert cluster.statuses() == ["pending"] * 3


def test_a_staged_shard_is_adopted_by_the_next_run(cluster: Cluster) -> None:
    async def staged() -> None:
        await cluster.appended(1, 2, 3)
        await cluster.stage(await cluster.away.orders(LIFE, is_last=False))
        cluster.remote.failures = 1
        (call,) = cluster.calls
        await cluster.away.shard_staged(LIFE, *call.arguments)

    run(staged)
    assert cluster.stop.limit == "it is not there; wait"
    assert cluster.remote.objects == {}
    assert cluster.statuses()[:3] == ["done"] * 3
    later = Cluster(cluster.db, cluster.home, cluster.remote)
    run(later.shards.restore)
    assert trio.run(later.uploads.adopt_staged) == []
    assert later.read() == cluster.read() != {}
    assert trio.run(later.uploads.adopt_staged) == []  # nothing is left to do


def test_a_staged_shard_that_is_gone_is_pending(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3)
        await cluster.stage(await cluster.away.orders(LIFE, is_last=False))
        (call,) = cluster.calls
        cluster.remote.staged.clear()
        await cluster.away.shard_staged(LIFE, *call.arguments)

    run(work)
    assert cluster.statuses() == ["pending"] * 3
    assert cluster.shard_rows() == []


def test_an_open_shard_of_a_killed_run_is_pending(cluster: Cluster) -> None:
    async def work() -> None:
        await cluster.appended(1, 2, 3)

    run(work)
    later = Cluster(cluster.db, cluster.home, cluster.remote)
    run(later.shards.restore)
    assert later.statuses() == ["pending"] * 3
    assert later.shard_rows() == []
