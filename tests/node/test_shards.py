"""The open shards of a worker: exact limits, and each full shard is reported once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from shards import TAR, TFRECORD, sample

from oidl.model import Member, OpenShard, Rendition, ShardSettings
from oidl.node.shards import Shards

TRAIN = "train"


@dataclass
class Coordinator:
    """Opens shards of `limits.samples` samples, and notes what is reported."""

    limits: ShardSettings
    opened: list[OpenShard] = field(default_factory=list)
    full: list[tuple[int, int]] = field(default_factory=list)

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        await trio.lowlevel.checkpoint()
        number = len(self.opened)
        path = f"{subset}/{rendition}-{number:06d}.tar"
        self.opened.append(OpenShard(number, path, 0, 0, self.limits.samples))
        return self.opened[-1]

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        await trio.lowlevel.checkpoint()
        self.full.append((shard_id, appended))


@dataclass
class Made:
    shards: Shards
    coordinator: Coordinator
    members: dict[tuple[str, int], Member] = field(default_factory=dict)

    async def make(self, number: int, *renditions: Rendition, fails: bool = False) -> None:
        """Makes an image, which takes a while."""
        key = sample(number).key
        async with self.shards.reserved(key, TRAIN, renditions):
            await trio.lowlevel.checkpoint()
            if fails:
                return
            for rendition in renditions:
                _, member = self.shards.append(rendition, sample(number))
                self.members[rendition.name, number] = member

    def samples(self, name: str = TAR.name) -> list[int]:
        """How many samples each shard of a rendition has."""
        counts = [0] * len(self.coordinator.opened)
        for (rendition, _), member in self.members.items():
            counts[member.shard_id] += rendition == name
        return [
            count
            for shard, count in zip(self.coordinator.opened, counts, strict=True)
            if shard.path.startswith(f"{TRAIN}/{name}-")
        ]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Made], Awaitable[None]], ShardSettings], Made]:
    def run(work: Callable[[Made], Awaitable[None]], limits: ShardSettings) -> Made:
        coordinator = Coordinator(limits)
        made = Made(Shards(tmp_path, limits, coordinator), coordinator)  # type: ignore[arg-type]
        trio.run(work, made)
        made.shards.close()
        return made

    return run


def test_the_number_of_samples_is_exact_although_many_are_made_at_once_and_some_fail(run) -> None:
    async def work(made: Made) -> None:
        for begin in range(0, 60, 6):
            async with trio.open_nursery() as nursery:
                for number in range(begin, begin + 6):
                    nursery.start_soon(lambda number: made.make(number, TAR, fails=number % 3 == 0), number)

    made = run(work, ShardSettings(samples=5))
    assert list(filter(None, made.samples())) == [5] * 8
    assert sorted(made.coordinator.full) == [(number, 5) for number in range(8)]


def test_a_full_shard_is_reported_once_and_only_when_nothing_more_is_made_for_it(run) -> None:
    async def work(made: Made) -> None:
        slow = made.shards.reserved(sample(1).key, TRAIN, [TAR])
        await slow.__aenter__()
        await made.make(2, TAR)
        await made.make(3, TAR)  # into another shard
        assert made.coordinator.full == []
        made.shards.append(TAR, sample(1))
        await slow.__aexit__(None, None, None)
        assert made.coordinator.full == [(0, 2)]
        await made.make(4, TAR)
        await made.make(5, TAR)

    assert run(work, ShardSettings(samples=2)).coordinator.full == [(0, 2), (1, 2)]


def test_a_place_that_was_not_used_in_a_shard_before_goes_to_the_next_image(run) -> None:
    async def work(made: Made) -> None:
        slow = made.shards.reserved(sample(1).key, TRAIN, [TAR])
        await slow.__aenter__()
        await made.make(2, TAR)
        await made.make(3, TAR)
        await slow.__aexit__(None, None, None)  # its image failed
        await made.make(4, TAR)

    made = run(work, ShardSettings(samples=2))
    assert made.members[TAR.name, 4].shard_id == 0
    assert made.coordinator.full == [(0, 2)]


def test_it_is_full_at_its_number_of_bytes(run) -> None:
    async def work(made: Made) -> None:
        for number in range(4):
            await made.make(number, TAR)

    made = run(work, ShardSettings(bytes=3000))
    assert made.samples() == [2, 2]
    assert made.coordinator.full == [(0, 2), (1, 2)]


def test_a_shard_size_of_one_byte_is_a_shard_for_each_image(run) -> None:
    async def work(made: Made) -> None:
        for number in range(3):
            await made.make(number, TAR)

    assert run(work, ShardSettings(bytes=1)).samples() == [1, 1, 1]


async def append_and_raise(made: Made) -> None:
    async with made.shards.reserved(sample(2).key, TRAIN, [TAR, TFRECORD]):
        made.shards.append(TAR, sample(2))
        raise RuntimeError("a bug")


def test_an_exception_gives_the_places_back_and_reports_a_shard_that_is_full(run) -> None:
    async def work(made: Made) -> None:
        await made.make(1, TAR)
        with pytest.raises(RuntimeError):
            await append_and_raise(made)
        assert made.coordinator.full == [(0, 2)]
        await made.make(3, TFRECORD)
        await made.make(4, TFRECORD)

    assert run(work, ShardSettings(samples=2)).coordinator.full == [(0, 2), (1, 2)]


def test_a_second_rendition_whose_shard_does_not_open_gives_the_place_of_the_first_back(run) -> None:
    async def work(made: Made) -> None:
        await made.make(1, TAR)
        opens = made.coordinator.open_shard

        async def refuse(rendition: str, subset: str) -> OpenShard:
            raise RuntimeError("no room")

        made.coordinator.open_shard = refuse  # type: ignore[method-assign]
        with pytest.raises(RuntimeError):
            await made.make(2, TAR, TFRECORD)
        made.coordinator.open_shard = opens  # type: ignore[method-assign]
        await made.make(3, TAR)

    made = run(work, ShardSettings(samples=2))
    assert made.samples() == [2]
    assert made.coordinator.full == [(0, 2)]


def test_renditions_have_shards_of_their_own(run) -> None:
    async def work(made: Made) -> None:
        for number in range(3):
            await made.make(number, TAR, TFRECORD)

    made = run(work, ShardSettings(samples=2))
    assert made.samples(TAR.name) == made.samples(TFRECORD.name) == [2, 1]
