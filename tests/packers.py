"""A made-up cluster for packs: workers that write shards, die, freeze and wake, on Trio's clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing
from engines import FakeWorkers

from oidl.cluster.engine import NodeLostError, RefusedError
from oidl.cluster.packing import tasks
from oidl.cluster.packing.dispatch import PackDispatcher, PackSetup
from oidl.cluster.packing.order import PackFacts, ShardOrder, ShardReport, Stored
from oidl.cluster.protocol import Timing
from oidl.errors import OidlError
from oidl.state.pack import ShardRow

NOTHING = Stored("", ())


def shard(number: int) -> ShardRow:
    return ShardRow(number, 1, "train", number, f"v/train-{number:05d}.tar", "planned", 0, 0, None, None)


@dataclass
class FakePacker:
    """A worker: it needs `shard_s` seconds for a shard, which `write` then writes; it dies of one of `deadly`."""

    shard_s: float = 5.0
    versions: dict[str, str] = field(default_factory=dict)
    unseen: str = ""
    deadly: frozenset[str] = frozenset()
    error: OidlError | None = None  # what it says of every shard
    gives_up: int = 0  # so many times
    write: Callable[[ShardOrder], Stored] = lambda order: NOTHING
    is_frozen: bool = False
    order: ShardOrder | None = None
    ends: float = 0.0
    began: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)

    def begin(self, order: ShardOrder) -> None:
        self.order = order
        self.began.append(order.shard)
        self.ends = trio.current_time() + self.shard_s

    async def report(self, life: str) -> ShardReport | None:
        order = self.order
        if order is None or order.life != life:
            return None
        left_s = self.ends - trio.current_time()
        await trio.sleep(max(0, min(2, left_s)))
        if order.shard in self.deadly:
            raise NodeLostError("has left the cluster")
        if self.error:
            return ShardReport(error=self.error)
        if self.gives_up:
            self.gives_up -= 1
            return ShardReport(has_given_up=True)
        if left_s > 2:
            return ShardReport(samples=10)
        self.wrote.append(order.shard)
        return ShardReport(samples=20, result=self.write(order))


class FakePackEngine(FakeWorkers[FakePacker]):
    """The `Engine` of made-up workers."""

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        worker = await self.reached(address)
        if function is tasks.look:
            return PackFacts(worker.versions, worker.unseen)
        if function is tasks.begin:
            worker.begin(arguments[0])
        try:
            return await worker.report(worker.order.life if function is tasks.begin and worker.order else arguments[0])
        except NodeLostError:
            worker.order = None
            self.lost(address)
            raise


@dataclass
class FakeShardTruth:
    """A `ShardTruth` that notes what it is asked."""

    prepared: list[int] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)  # shard of each life
    published: list[int] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    refuses: frozenset[int] = frozenset()  # shards in which images are missing that are there
    most_ready: int = 0

    async def prepare(self, shard: ShardRow) -> Stored:
        await trio.sleep(0.1)
        self.prepared.append(shard.number)
        self.most_ready = max(self.most_ready, len(self.prepared) - len(set(self.begun.values())))
        return NOTHING

    def begin(self, shard: ShardRow, life: str, rows: Stored) -> ShardOrder:
        self.begun[life] = shard.number
        return ShardOrder(life, "", shard.path, "webdataset", NOTHING, rows, Timing())

    def note(self, life: str, samples: int) -> None:
        self.notes.append(samples)

    def publish(self, shard: ShardRow, life: str, result: Stored) -> None:
        assert life not in self.ended
        if shard.number in self.refuses:
            raise RefusedError("it does not see v/a.jpg as it is here")
        self.published.append(shard.number)

    def end(self, life: str) -> None:
        self.ended.append(life)


@dataclass
class PackHarness:
    """A pack of so many `shards` by made-up workers."""

    workers: dict[str, FakePacker]
    shards: int = 20
    restarts: bool = True
    check: Callable[[PackFacts], str | None] = lambda facts: None
    meanwhile: Callable[["PackHarness"], Any] | None = None
    truth: Any = field(default_factory=FakeShardTruth)
    rows: list[ShardRow] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    ended_s: float = 0.0
    error: Exception | None = None

    def run(self) -> "PackHarness":
        trio.run(self.main, clock=trio.testing.MockClock(autojump_threshold=0))
        if self.error:
            raise self.error
        return self

    async def main(self) -> None:
        setup = PackSetup({"the shards": "probe"}, "webdataset", self.check, Timing())
        rows = self.rows or [shard(number) for number in range(self.shards)]
        engine = FakePackEngine(self.workers, self.restarts)
        began = trio.current_time()
        with trio.fail_after(100_000):
            async with trio.open_nursery() as nursery:
                if self.meanwhile:
                    nursery.start_soon(self.meanwhile, self)
                self.scope = nursery.cancel_scope
                try:
                    await PackDispatcher(engine, self.truth, setup, rows, self.said.append).run()
                except OidlError as error:
                    self.error = error
                finally:
                    self.ended_s = trio.current_time() - began
                    nursery.cancel_scope.cancel()
